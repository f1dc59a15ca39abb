//! Limits of the whole broker and of one message, and limits that a reload changes.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker, each_own_broker};
use crate::support::bytes::{Connect, Publish};
use crate::support::client::Client;
use crate::support::{ALL, each_version, fresh};

#[test]
fn a_payload_above_the_message_size_limit_is_acknowledged_and_goes_no_further() {
    let options = Options::default().set("message_size_limit", 10);
    each_broker(&options, |broker| {
        each_version(&ALL, |version| {
            let topic = fresh("size");
            let mut subscriber = Client::connect(broker, version, &fresh("size"));
            assert_eq!(subscriber.subscribe(&topic, 2), 2);
            let mut publisher = Client::connect(broker, version, &fresh("size"));
            for qos in 0..=2 {
                let code = publisher.publish(&topic, "eleven bytes", qos);
                assert_eq!(code, if version == V5 && qos > 0 { 0x95 } else { 0 });
                publisher.publish(&topic, "ten bytes.", qos);
                subscriber.receive_this(&topic, "ten bytes.", qos);
            }
        });
    });
}

#[test]
fn upgrade_outgoing_qos_sends_with_the_qos_of_the_subscription() {
    let options = Options::default().set("upgrade_outgoing_qos", true);
    each_broker(&options, |broker| {
        each_version(&ALL, |version| {
            let topic = fresh("upgrade");
            let mut publisher = Client::connect(broker, version, &fresh("upgrade"));
            let mut subscriber = Client::connect(broker, version, &fresh("upgrade"));
            assert_eq!(subscriber.subscribe(&topic, 2), 2);
            for qos in 0..=2 {
                publisher.publish(&topic, "live", qos);
                subscriber.receive_this(&topic, "live", 2);
            }
            publisher.publish_retained(&topic, "kept", 0);
            subscriber.receive_this(&topic, "kept", 2);
            let mut later = Client::connect(broker, version, &fresh("upgrade"));
            assert_eq!(later.subscribe(&topic, 1), 1);
            later.receive_this(&topic, "kept", 1);
        });
    });
}

#[test]
fn global_max_clients_counts_sessions_of_clients_that_are_away() {
    let options = Options::default().set("global_max_clients", 2);
    each_own_broker(&options, |broker| {
        let first = Connect::persistent(V311, "first").clean(false);
        Client::with(broker, &first).leave();
        let second = Client::connect(broker, V5, "second");
        let refused = Client::refused(broker, &Connect::new(V5, "third"));
        assert_eq!(refused.code, 0x89);
        let refused = Client::refused(broker, &Connect::new(V311, "third"));
        assert_eq!(refused.code, 3);
        // One that has a session is no new one, and a session that ends makes room.
        Client::with(broker, &first).leave();
        Client::with(broker, &Connect::new(V311, "first")).leave();
        Client::connect(broker, V5, "third").ping();
        second.leave();
    });
}

#[test]
fn global_max_connections_turns_newcomers_away() {
    let options = Options::default().set("global_max_connections", 2);
    each_own_broker(&options, |broker| {
        let first = Client::connect(broker, V5, "first");
        let mut second = Client::connect(broker, V311, "second");
        Client::open(broker, V5).closed();
        second.ping();
        broker.reconfigure(&Options::default().set("global_max_connections", 3));
        Client::connect(broker, V5, "third").ping();
        first.leave();
    });
}

#[test]
fn a_reload_changes_the_limits_of_clients_that_are_connected() {
    let allowed = Options::default();
    each_own_broker(&allowed, |broker| {
        let mut client = Client::connect(broker, V5, &fresh("reload"));
        let mut other = Client::connect(broker, V5, &fresh("reload"));
        assert_eq!(client.publish("a", "x", 1), 0x10, "nobody subscribes");
        broker.reconfigure(&Options::default().listener("max_qos", 0));
        client.send(Publish::new(V5, "a", "x").qos(1, 9).bytes());
        client.closed_for(0x9B);
        assert_eq!(other.publish("a", "x", 0), 0);
        other.ping();
    });
}

#[test]
fn a_reload_that_replaces_a_listener_ends_its_connections() {
    each_own_broker(&Options::default(), |broker| {
        let mut client = Client::connect(broker, V5, &fresh("replaced"));
        broker.reconfigure(&Options::default().listener("socket_domain", "\"ipv4\""));
        client.closed_for(0x98);
    });
}

//! The subscription options and the Subscription Identifier of version 5.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker};
use crate::support::bytes::{Connect, prop, subscribe_with};
use crate::support::client::Client;
use crate::support::fresh;

const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const RETAIN_IF_NEW: u8 = 0x10;
const RETAIN_NEVER: u8 = 0x20;

fn identified(client: &mut Client, id: u32, filter: &str, options: u8) {
    client.send(subscribe_with(V5, 1, &[prop::subscription_id(id)], &[(filter, options)]));
    let codes = client.answer(0x90).codes;
    assert_eq!(codes, [options & 3], "{filter}");
}

/// Shows 5.0 [MQTT-3.8.3-3].
#[test]
fn no_local_keeps_own_messages_away() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("no-local");
        let mut client = Client::connect(broker, V5, &fresh("no-local"));
        let mut other = Client::connect(broker, V5, &fresh("no-local"));
        client.subscribe(&topic, 1 | NO_LOCAL);
        for qos in 0..=2 {
            client.publish(&topic, "own", qos);
        }
        other.publish(&topic, "another's", 1);
        client.receive_this(&topic, "another's", 1);
        client.quiet(&mut other);
        // The option belongs to the subscription, so another may still match.
        client.subscribe(&format!("{topic}/#"), 0);
        client.send(crate::support::bytes::Publish::new(V5, &topic, "own").bytes());
        client.receive_this(&topic, "own", 0);
    });
}

/// Shows 5.0 [MQTT-3.8.3-3].
#[test]
fn no_local_knows_a_client_by_its_id_on_a_new_connection() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("no-local"), fresh("no-local"));
        let mut client = Client::with(broker, &Connect::persistent(V5, &id));
        client.subscribe(&topic, 1 | NO_LOCAL);
        client.leave();
        let mut client = Client::with(broker, &Connect::persistent(V5, &id));
        client.publish(&topic, "own", 1);
        client.quiet(&mut Client::connect(broker, V5, &fresh("no-local-o")));
    });
}

/// Shows 5.0 [MQTT-3.3.1-12], [MQTT-3.3.1-13]; 3.1.1 [MQTT-3.3.1-9].
#[test]
fn retain_as_published_keeps_the_flag() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("rap");
        let mut with = Client::connect(broker, V5, &fresh("rap"));
        let mut without = Client::connect(broker, V5, &fresh("rap"));
        let mut old = Client::connect(broker, V311, &fresh("rap"));
        with.subscribe(&topic, 1 | RETAIN_AS_PUBLISHED);
        without.subscribe(&topic, 1);
        old.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, V311, &fresh("rap-p"));
        publisher.publish_retained(&topic, "kept", 1);
        publisher.publish(&topic, "passing", 1);
        assert!(with.receive_this(&topic, "kept", 1).retain, "[MQTT-3.3.1-13]");
        assert!(!without.receive_this(&topic, "kept", 1).retain, "[MQTT-3.3.1-12]");
        assert!(!old.receive_this(&topic, "kept", 1).retain);
        assert!(!with.receive_this(&topic, "passing", 1).retain);
        publisher.publish_retained(&topic, "", 1);
    });
}

/// Shows 5.0 [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11], [MQTT-3.8.4-4].
#[test]
fn c15_retain_handling_decides_what_a_new_subscription_gets() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("rh");
        let mut publisher = Client::connect(broker, V5, &fresh("rh-p"));
        publisher.publish_retained(&topic, "kept", 1);
        let mut client = Client::connect(broker, V5, &fresh("rh"));
        client.subscribe(&topic, 1 | RETAIN_NEVER);
        client.quiet(&mut publisher);
        client.subscribe(&topic, 1 | RETAIN_IF_NEW);
        client.quiet(&mut publisher);
        client.unsubscribe(&topic);
        client.subscribe(&topic, 1 | RETAIN_IF_NEW);
        assert!(client.receive_this(&topic, "kept", 1).retain);
        client.subscribe(&topic, 1 | RETAIN_IF_NEW);
        client.quiet(&mut publisher);
        for _ in 0..2 {
            client.subscribe(&topic, 1);
            assert!(client.receive_this(&topic, "kept", 1).retain);
        }
        publisher.publish_retained(&topic, "", 1);
    });
}

#[test]
fn c11_identifiers_up_to_the_largest_are_carried() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("sub-id");
        let mut publisher = Client::connect(broker, V5, &fresh("sub-id-p"));
        let mut client = Client::connect(broker, V5, &fresh("sub-id"));
        for id in [1, 127, 128, 16_383, 16_384, 2_097_152, 268_435_455] {
            identified(&mut client, id, &topic, 2);
            for qos in 0..=2 {
                publisher.publish(&topic, "x", qos);
                let delivery = client.receive_this(&topic, "x", qos);
                assert_eq!(delivery.properties.ints(0x0B), [id]);
            }
        }
    });
}

#[test]
fn c11_identifiers_out_of_range_are_errors() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::connect(broker, V5, &fresh("c11"));
        client.send(subscribe_with(V5, 1, &[prop::subscription_id(0)], &[("c11", 0)]));
        client.closed_for(0x82);
        let mut client = Client::connect(broker, V5, &fresh("c11"));
        let twice = [prop::subscription_id(1), prop::subscription_id(2)];
        client.send(subscribe_with(V5, 1, &twice, &[("c11", 0)]));
        client.closed_for(0x82);
    });
}

#[test]
fn c11_the_latest_identifier_counts() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("c11");
        let mut publisher = Client::connect(broker, V5, &fresh("c11-p"));
        let mut client = Client::connect(broker, V5, &fresh("c11"));
        let mut ids_now = |client: &mut Client| {
            publisher.publish(&topic, "x", 1);
            let ids = client.receive_this(&topic, "x", 1).properties.ints(0x0B);
            client.quiet(&mut publisher);
            ids
        };
        identified(&mut client, 5, &topic, 1);
        assert_eq!(ids_now(&mut client), [5]);
        identified(&mut client, 6, &topic, 1);
        assert_eq!(ids_now(&mut client), [6]);
        assert_eq!(client.subscribe(&topic, 1), 1);
        assert_eq!(ids_now(&mut client), []);
    });
}

/// Shows 5.0 [MQTT-3.3.4-3], [MQTT-3.3.4-4].
#[test]
fn c11_overlapping_filters_give_all_their_identifiers() {
    each_broker(&Options::default(), |broker| {
        let stem = fresh("c11");
        let topic = format!("{stem}/a");
        let mut client = Client::connect(broker, V5, &fresh("c11"));
        let mut other = Client::connect(broker, V5, &fresh("c11"));
        identified(&mut client, 1, &format!("{stem}/#"), 0);
        identified(&mut client, 2, &format!("{stem}/+"), 2);
        identified(&mut client, 3, &topic, 1);
        identified(&mut client, 2, &format!("{stem}/a/#"), 0);
        client.subscribe(&format!("{stem}/+/#"), 0);
        identified(&mut other, 9, &topic, 1);
        let mut publisher = Client::connect(broker, V5, &fresh("c11-p"));
        publisher.publish(&topic, "x", 2);
        let mut ids = client.receive_this(&topic, "x", 2).properties.ints(0x0B);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids, [1, 2, 3]);
        assert_eq!(other.receive_this(&topic, "x", 1).properties.ints(0x0B), [9]);
        client.quiet(&mut publisher);
    });
}

#[test]
fn c11_retained_messages_carry_the_identifier() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("c11");
        let mut publisher = Client::connect(broker, V5, &fresh("c11-p"));
        publisher.publish_retained(&topic, "kept", 1);
        let mut client = Client::connect(broker, V5, &fresh("c11"));
        identified(&mut client, 77, &format!("{topic}/#"), 1);
        let delivery = client.receive_this(&topic, "kept", 1);
        assert!(delivery.retain);
        assert_eq!(delivery.properties.ints(0x0B), [77]);
        publisher.publish_retained(&topic, "", 1);
    });
}

#[test]
fn c11_identifiers_survive_in_the_session() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("c11"), fresh("c11"));
        let mut client = Client::with(broker, &Connect::persistent(V5, &id));
        identified(&mut client, 4242, &topic, 1);
        client.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("c11-p"));
        publisher.publish(&topic, "queued", 1);
        let mut client = Client::with(broker, &Connect::persistent(V5, &id));
        assert_eq!(client.receive().properties.ints(0x0B), [4242]);
        publisher.publish(&topic, "live", 1);
        assert_eq!(client.receive().properties.ints(0x0B), [4242]);
    });
}

/// Shows 5.0 [MQTT-3.3.4-5].
#[test]
fn a_copy_for_each_subscription_has_that_subscriptions_identifier() {
    let options = Options::default().set("allow_duplicate_messages", true);
    each_broker(&options, |broker| {
        let stem = fresh("copies");
        let topic = format!("{stem}/a");
        let mut client = Client::connect(broker, V5, &fresh("copies"));
        identified(&mut client, 1, &format!("{stem}/#"), 0);
        identified(&mut client, 2, &format!("{stem}/+"), 1);
        assert_eq!(client.subscribe(&topic, 2), 2);
        let mut publisher = Client::connect(broker, V5, &fresh("copies-p"));
        publisher.publish(&topic, "x", 2);
        let mut got: Vec<(u8, Vec<u32>)> = (0..3)
            .map(|_| {
                let delivery = client.receive();
                (delivery.qos, delivery.properties.ints(0x0B))
            })
            .collect();
        got.sort();
        assert_eq!(got, [(0, vec![1]), (1, vec![2]), (2, vec![])]);
        client.quiet(&mut publisher);
    });
}

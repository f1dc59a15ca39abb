//! How long a session and a message live.

use std::time::{Duration, Instant};

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each_broker};
use crate::support::bytes::{Connect, Publish, Will, disconnect_with, prop};
use crate::support::client::Client;
use crate::support::{fresh, let_pass};

fn connect(id: &str, expiry: u32) -> Connect {
    Connect::new(V5, id).clean(false).with(prop::session_expiry(expiry))
}

fn is_present(broker: &Broker, id: &str) -> bool {
    let (client, connack) = Client::accepted(broker, &connect(id, 0));
    client.leave();
    connack.session_present
}

/// Shows 5.0 [MQTT-3.1.2-8], [MQTT-4.1.0-2].
#[test]
fn a_session_ends_when_its_time_is_over() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("expiry"), fresh("expiry"));
        let mut watcher = Client::connect(broker, V5, &fresh("expiry-w"));
        watcher.subscribe(&topic, 0);
        // A longer Will Delay makes the end of the session an event one can wait for.
        let will = Will::new(&topic, "session over").with(prop::will_delay(60));
        let client = Client::with(broker, &connect(&id, 1).will(will));
        let cut = Instant::now();
        client.cut();
        watcher.receive_this(&topic, "session over", 0);
        assert!(cut.elapsed() >= Duration::from_millis(950), "{:?}", cut.elapsed());
        assert!(!is_present(broker, &id));
    });
}

/// Shows 5.0 [MQTT-4.1.0-1].
#[test]
fn reconnecting_in_time_stops_the_clock() {
    each_broker(&Options::default(), |broker| {
        let id = fresh("clock");
        Client::with(broker, &connect(&id, 2)).leave();
        let (mut client, connack) = Client::accepted(broker, &connect(&id, 2));
        assert!(connack.session_present);
        let_pass(3200);
        client.ping();
        client.leave();
        assert!(is_present(broker, &id));
    });
}

#[test]
fn disconnect_changes_the_expiry() {
    each_broker(&Options::default(), |broker| {
        let id = fresh("change");
        let mut client = Client::with(broker, &connect(&id, 300));
        client.send(disconnect_with(0, &[prop::session_expiry(0)]));
        client.closed();
        assert!(!is_present(broker, &id), "shortened to nothing");

        let mut client = Client::with(broker, &connect(&id, 1));
        client.send(disconnect_with(0, &[prop::session_expiry(300)]));
        client.closed();
        let_pass(2500);
        assert!(is_present(broker, &id), "prolonged");
    });
}

#[test]
fn disconnect_cannot_give_an_expiry_to_a_session_without_one() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::connect(broker, V5, &fresh("from-0"));
        client.send(disconnect_with(0, &[prop::session_expiry(5)]));
        client.closed_for(0x82);
        // Zero is no change.
        let mut client = Client::connect(broker, V5, &fresh("from-0"));
        client.send(disconnect_with(0, &[prop::session_expiry(0)]));
        client.closed();
    });
}

/// Shows 5.0 [MQTT-3.1.2-23].
#[test]
fn the_largest_expiry_means_never() {
    each_broker(&Options::default(), |broker| {
        let id = fresh("never");
        let (client, _) = Client::accepted(broker, &connect(&id, u32::MAX));
        client.leave();
        let_pass(1200);
        assert!(is_present(broker, &id));
    });
}

#[test]
fn the_operator_may_end_sessions_sooner() {
    let options = Options::default().set("persistent_client_expiration", "\"1s\"");
    each_broker(&options, |broker| {
        let id = fresh("operator");
        Client::with(broker, &Connect::persistent(V311, &id)).leave();
        let_pass(3500);
        assert!(!is_present(broker, &id));
    });
}

/// Shows 5.0 [MQTT-3.3.2-6].
#[test]
fn the_remaining_lifetime_is_forwarded() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("remaining"), fresh("remaining"));
        let mut live = Client::connect(broker, V5, &fresh("remaining-l"));
        live.subscribe(&topic, 1);
        let mut away = Client::with(broker, &connect(&id, 300));
        away.subscribe(&topic, 1);
        away.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("remaining-p"));
        let publish = Publish::new(V5, &topic, "x").retain().with(prop::message_expiry(100));
        publisher.publish_with(publish, 1);
        let left = |client: &mut Client| client.receive().properties.int(0x02).expect("expiry");
        assert!((90..=100).contains(&left(&mut live)));
        let_pass(2100);
        let mut late = Client::connect(broker, V5, &fresh("remaining-r"));
        late.subscribe(&topic, 1);
        assert!((80..=98).contains(&left(&mut late)), "of the retained message");
        let mut away = Client::with(broker, &connect(&id, 300));
        assert!((80..=98).contains(&left(&mut away)), "of the queued message [MQTT-3.3.2-6]");
        publisher.publish_retained(&topic, "", 0);
    });
}

/// Shows 5.0 [MQTT-3.3.2-5].
#[test]
fn b19_expired_messages_are_not_delivered_and_hide_nothing() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("expired"), fresh("expired"));
        let mut away = Client::with(broker, &connect(&id, 300));
        away.subscribe(&topic, 1);
        away.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("expired-p"));
        for index in 0..40 {
            let mut publish = Publish::new(V5, &topic, index.to_string());
            if index % 4 != 3 {
                publish = publish.with(prop::message_expiry(1));
            }
            publisher.publish_with(publish, 1);
        }
        let kept = Publish::new(V5, &topic, "kept").retain().with(prop::message_expiry(1));
        publisher.publish_with(kept, 0);
        let_pass(2200);
        let mut away = Client::with(broker, &connect(&id, 300));
        for index in (3..40).step_by(4) {
            away.receive_this(&topic, index.to_string(), 1);
        }
        away.quiet(&mut publisher);
        let mut late = Client::connect(broker, V5, &fresh("expired-l"));
        late.subscribe(&topic, 1);
        late.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-4.1.0-1]; 3.1.1 [MQTT-4.1.0-2].
#[test]
fn a_session_lasts_as_long_as_its_connection() {
    let options = Options::default().set("persistent_client_expiration", "\"1s\"");
    each_broker(&options, |broker| {
        let topic = fresh("lasts");
        let mut clients: Vec<Client> = [
            Connect::new(V311, &fresh("lasts")),
            Connect::persistent(V311, &fresh("lasts")),
            Connect::new(V5, &fresh("lasts")),
            connect(&fresh("lasts"), 1),
        ]
        .iter()
        .map(|connect| Client::with(broker, connect))
        .collect();
        for client in &mut clients {
            client.subscribe(&topic, 1);
        }
        let_pass(3500);
        let mut publisher = Client::connect(broker, V5, &fresh("lasts-p"));
        publisher.publish(&topic, "still there", 1);
        for client in &mut clients {
            client.receive_this(&topic, "still there", 1);
        }
    });
}

//! A second connection with the same Client Identifier takes the session over.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each, each_broker};
use crate::support::bytes::{Connect, Will, prop};
use crate::support::client::Client;
use crate::support::{ALL, each_version, fresh};

/// Shows 5.0 [MQTT-3.1.4-3], [MQTT-3.14.2-1], [MQTT-3.14.2-2], [MQTT-3.14.4-1], [MQTT-3.14.4-2];
/// 3.1.1 [MQTT-3.1.4-2].
#[test]
fn the_older_connection_is_closed() {
    each_broker(&Options::default(), |broker| {
        each_version(&ALL, |old| {
            each_version(&ALL, |new| {
                let id = fresh("take");
                let mut first = Client::connect(broker, old, &id);
                let mut second = Client::connect(broker, new, &id);
                first.closed_for(0x8E);
                second.ping();
            });
        });
    });
}

/// Shows 5.0 [MQTT-3.1.3-2]; 3.1.1 [MQTT-3.1.3-2].
#[test]
fn a_persistent_session_moves_to_the_new_connection() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("move"), fresh("move"));
        let persistent = Connect::persistent(version, &id);
        let mut publisher = Client::connect(broker, version, &fresh("move-p"));
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 1);
        // With several shards the connections arrive on each of them in turn.
        for round in 0..9 {
            publisher.publish(&topic, format!("unacknowledged {round}"), 1);
            let before = client.delivery();
            let (mut next, connack) = Client::accepted(broker, &persistent);
            client.closed_for(0x8E);
            assert!(connack.session_present || version == crate::support::Version::V31);
            let again = next.receive();
            assert_eq!((again.id, again.dup), (before.id, true));
            publisher.publish(&topic, format!("live {round}"), 1);
            next.receive_this(&topic, format!("live {round}"), 1);
            client = next;
        }
    });
}

#[test]
fn a_clean_takeover_drops_the_old_session() {
    each(&[V311, V5], |broker, version| {
        let (topic, id) = (fresh("clean"), fresh("clean"));
        let mut old = Client::with(broker, &Connect::persistent(version, &id));
        old.subscribe(&topic, 1);
        let (mut new, connack) = Client::accepted(broker, &Connect::new(version, &id));
        assert!(!connack.session_present);
        old.closed_for(0x8E);
        let mut publisher = Client::connect(broker, version, &fresh("clean-p"));
        publisher.publish(&topic, "x", 1);
        new.quiet(&mut publisher);
    });
}

#[test]
fn a_session_moves_between_versions() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("between"), fresh("between"));
        let mut old = Client::with(broker, &Connect::persistent(V311, &id));
        old.subscribe(&topic, 1);
        let (mut new, connack) = Client::accepted(broker, &Connect::persistent(V5, &id));
        assert!(connack.session_present);
        old.closed_for(0x8E);
        let mut publisher = Client::connect(broker, V311, &fresh("between-p"));
        publisher.publish(&topic, "x", 1);
        new.receive_this(&topic, "x", 1);
    });
}

#[test]
fn b15_takeover_of_a_session_without_expiry() {
    each(&[V311, V5], |broker, version| {
        let (topic, id) = (fresh("b15"), fresh("b15"));
        let mut watcher = Client::connect(broker, version, &fresh("b15-w"));
        watcher.subscribe(&topic, 1);
        let will = Will::new(&topic, "gone").qos(1);
        let mut first = Client::with(broker, &Connect::new(version, &id).will(will));
        let (mut second, connack) =
            Client::accepted(broker, &Connect::new(version, &id).clean(false));
        assert!(!connack.session_present);
        first.closed_for(0x8E);
        watcher.receive_this(&topic, "gone", 1);
        second.ping();
    });
}

/// Shows 5.0 [MQTT-3.1.2-8].
#[test]
fn b15_a_will_delay_ends_with_the_session() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("b15"), fresh("b15"));
        let mut watcher = Client::connect(broker, V5, &fresh("b15-w"));
        watcher.subscribe(&topic, 1);
        let will = Will::new(&topic, "gone").with(prop::will_delay(300));
        let mut first = Client::with(broker, &Connect::persistent(V5, &id).will(will));
        // The clean start ends the session, and with it the delay [MQTT-3.1.3-9].
        let _second = Client::with(broker, &Connect::new(V5, &id));
        first.closed_for(0x8E);
        watcher.receive_this(&topic, "gone", 0);
    });
}

#[test]
fn many_takeovers_at_once_leave_one_connection() {
    each(&[V311, V5], |broker, version| {
        let (topic, id) = (fresh("row"), fresh("row"));
        let persistent = Connect::persistent(version, &id);
        let mut first = Client::with(broker, &persistent);
        first.subscribe(&topic, 1);
        let mut clients: Vec<Client> = (0..40).map(|_| Client::open(broker, version)).collect();
        // All at once, so that they meet on the way to the session's shard.
        for client in &mut clients {
            client.send(persistent.bytes());
        }
        for client in &mut clients {
            assert!(client.connack().session_present);
        }
        let mut publisher = Client::connect(broker, version, &fresh("row-p"));
        publisher.publish(&topic, "for one", 1);
        let mut received = 0;
        clients.push(first);
        for client in &mut clients {
            // Every connection but one has been told of its end, or just ends.
            match client.try_packet() {
                Some(packet) if packet.first == 0xE0 => {
                    assert_eq!(packet.disconnect().0, 0x8E);
                    client.closed();
                }
                Some(packet) => {
                    client.acknowledge(&packet.delivery(version));
                    client.ping();
                    received += 1;
                }
                None => assert_eq!(version, V311),
            }
        }
        assert_eq!(received, 1);
    });
}

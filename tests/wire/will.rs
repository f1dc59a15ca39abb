//! Will Messages: when they are published, and when not.

use std::time::{Duration, Instant};

use crate::support::Version::{self, V5};
use crate::support::broker::{Broker, Options, each, each_broker, each_own_broker};
use crate::support::bytes::{Connect, Publish, Will, disconnect, disconnect_with, prop};
use crate::support::client::Client;
use crate::support::{ALL, Scope, fresh};

fn watcher(broker: &Broker, version: Version, topic: &str) -> Client {
    let mut client = Client::connect(broker, version, &fresh("watch"));
    client.subscribe(topic, 2);
    client
}

/// Shows 5.0 [MQTT-3.1.2-7], [MQTT-3.1.2-12], [MQTT-3.1.2-14], [MQTT-3.1.2-15]; 3.1.1
/// [MQTT-3.1.2-14], [MQTT-3.1.2-16], [MQTT-3.1.2-17].
#[test]
fn a_will_has_topic_payload_qos_and_retain() {
    each(&ALL, |broker, version| {
        for qos in 0..=2 {
            for retain in [false, true] {
                let topic = fresh("will");
                let mut seen = watcher(broker, version, &topic);
                let mut will = Will::new(&topic, [0, 159, 146, 150]).qos(qos);
                will.retain = retain;
                Client::with(broker, &Connect::new(version, &fresh("dies")).will(will)).cut();
                assert!(!seen.receive_this(&topic, [0, 159, 146, 150], qos).retain);
                let mut late = watcher(broker, version, &topic);
                if retain {
                    assert!(late.receive_this(&topic, [0, 159, 146, 150], qos).retain);
                    let mut sweeper = Client::connect(broker, version, &fresh("sweeper"));
                    sweeper.publish_retained(&topic, "", 0);
                } else {
                    late.ping();
                }
            }
        }
    });
}

/// Shows 5.0 [MQTT-3.1.3-10].
#[test]
fn a_will_has_the_properties_it_was_given() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("will");
        let mut seen = watcher(broker, V5, &topic);
        let will = Will::new(&topic, "x")
            .with(prop::user("b", "1"))
            .with(prop::payload_format(1))
            .with(prop::message_expiry(100))
            .with(prop::content_type("text"))
            .with(prop::response_topic("r"))
            .with(prop::correlation_data(b"c"))
            .with(prop::will_delay(0))
            .with(prop::user("a", "2"));
        Client::with(broker, &Connect::new(V5, &fresh("dies")).will(will)).cut();
        let properties = seen.receive().properties;
        assert_eq!(properties.int(0x01), Some(1));
        assert!(properties.int(0x02).is_some_and(|left| (90..=100).contains(&left)));
        assert_eq!(properties.text(0x03).as_deref(), Some("text"));
        assert_eq!(properties.text(0x08).as_deref(), Some("r"));
        assert_eq!(properties.bytes(0x09), Some(&b"c"[..]));
        assert_eq!(properties.users(), [("b", "1"), ("a", "2")]);
        assert_eq!(properties.0.len(), 7, "the delay is the server's business");
    });
}

/// Shows 5.0 [MQTT-3.1.2-8], [MQTT-3.1.2-10], [MQTT-3.14.4-3]; 3.1.1 [MQTT-3.1.2-8],
/// [MQTT-3.1.2-10], [MQTT-3.14.4-3].
#[test]
fn c3_only_an_ordinary_disconnect_cancels_the_will() {
    each(&ALL, |broker, version| {
        let topic = fresh("c3");
        let mut seen = watcher(broker, version, &topic);
        let start = |name: &str| {
            let will = Will::new(&topic, name).qos(1);
            Client::with(broker, &Connect::new(version, &fresh("c3")).will(will))
        };
        let mut client = start("ordinary");
        client.send(disconnect());
        client.closed();
        if version == V5 {
            let mut client = start("ordinary, long form");
            client.send(disconnect_with(0, &[]));
            client.closed();
        }
        start("reset").cut();
        seen.receive_this(&topic, "reset", 1);
        start("end of stream").hang_up();
        seen.receive_this(&topic, "end of stream", 1);
        let mut client = start("protocol error");
        client.send([0x36, 0x00]);
        client.drain();
        seen.receive_this(&topic, "protocol error", 1);
        if version == V5 {
            let mut client = start("with will");
            client.send([0xE0, 0x01, 0x04]);
            client.closed();
            seen.receive_this(&topic, "with will", 1);
            let mut client = start("unspecified error");
            client.send(disconnect_with(0x80, &[]));
            client.closed();
            seen.receive_this(&topic, "unspecified error", 1);
        }
        let will = Will::new(&topic, "taken over").qos(1);
        let id = fresh("c3");
        let _old = Client::with(broker, &Connect::new(version, &id).will(will));
        let _new = Client::connect(broker, version, &id);
        seen.receive_this(&topic, "taken over", 1);
        seen.ping();
    });
}

#[test]
fn c3_a_client_that_falls_silent_leaves_its_will() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("c3");
        let mut seen = watcher(broker, V5, &topic);
        let begun = Instant::now();
        let mut silent: Vec<Client> = ALL
            .into_iter()
            .map(|version| {
                let will = Will::new(&topic, "silent").qos(1);
                let connect = Connect::new(version, &fresh("c3")).keep_alive(1).will(will);
                Client::with(broker, &connect)
            })
            .collect();
        for _ in &silent {
            seen.receive_this(&topic, "silent", 1);
        }
        assert!(begun.elapsed() >= Duration::from_millis(1400), "{:?}", begun.elapsed());
        for client in &mut silent {
            client.closed_for(0x8D);
        }
    });
}

/// Shows 5.0 [MQTT-3.1.2-8].
#[test]
fn c1_the_will_comes_at_the_earlier_of_delay_and_session_end() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("c1");
        let mut seen = watcher(broker, V5, &topic);
        let start = |name: &str, delay: u32, expiry: Option<u32>| {
            let will = Will::new(&topic, name).with(prop::will_delay(delay));
            let mut connect = Connect::new(V5, &fresh("c1")).will(will);
            connect.properties.extend(expiry.map(prop::session_expiry));
            Client::with(broker, &connect)
        };
        // None of the delays is over before the test gives up waiting.
        start("expiry 0", 300, Some(0)).cut();
        seen.receive_this(&topic, "expiry 0", 0);
        start("no expiry", 300, None).cut();
        seen.receive_this(&topic, "no expiry", 0);
        start("no delay", 0, Some(300)).cut();
        seen.receive_this(&topic, "no delay", 0);
        for (name, delay, expiry) in [("expiry 1", 300, 1), ("delay 1", 1, 300)] {
            let client = start(name, delay, Some(expiry));
            let cut = Instant::now();
            client.cut();
            seen.receive_this(&topic, name, 0);
            assert!(cut.elapsed() >= Duration::from_millis(950), "{name}: {:?}", cut.elapsed());
        }
    });
}

#[test]
fn c1_a_disconnect_that_ends_the_session_cancels_a_delayed_will() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("c1");
        let mut seen = watcher(broker, V5, &topic);
        let will = Will::new(&topic, "x").with(prop::will_delay(300));
        let connect = Connect::persistent(V5, &fresh("c1")).will(will);
        let mut client = Client::with(broker, &connect);
        // Reason 0x04 keeps the will; the end of the session publishes it at once.
        client.send(disconnect_with(0x04, &[prop::session_expiry(0)]));
        client.closed();
        seen.receive_this(&topic, "x", 0);
        let mut client = Client::with(broker, &connect);
        client.send(disconnect_with(0x00, &[prop::session_expiry(0)]));
        client.closed();
        seen.ping();
    });
}

/// Shows 5.0 [MQTT-3.1.2-8], [MQTT-3.1.3-9].
#[test]
fn c2_a_client_that_comes_back_in_time_leaves_no_will() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("c2");
        let mut seen = watcher(broker, V5, &topic);
        let with_will = |id: &str, payload: &str, delay| {
            let will = Will::new(&topic, payload).with(prop::will_delay(delay));
            Connect::persistent(V5, id).will(will)
        };
        let back = fresh("c2-back");
        Client::with(broker, &with_will(&back, "must not come", 1)).cut();
        let mut client = Client::with(broker, &Connect::persistent(V5, &back));
        // A later will shows that the time of the first has passed.
        Client::with(broker, &with_will(&fresh("c2-gone"), "later", 2)).cut();
        seen.receive_this(&topic, "later", 0);
        client.ping();
    });
}

#[test]
fn the_new_connection_brings_a_will_of_its_own() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("own"), fresh("own"));
        let mut seen = watcher(broker, V5, &topic);
        let with_will = |payload: &str| {
            let will = Will::new(&topic, payload).with(prop::will_delay(1));
            Connect::persistent(V5, &id).will(will)
        };
        Client::with(broker, &with_will("first")).cut();
        Client::with(broker, &with_will("second")).cut();
        seen.receive_this(&topic, "second", 0);
    });
}

/// Shows 5.0 [MQTT-3.1.4-6].
#[test]
fn a_refused_client_leaves_no_will() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("refused");
        let mut seen = watcher(broker, V5, &topic);
        let connect = Connect::new(V5, &fresh("refused"))
            .will(Will::new(&topic, "never"))
            .with(prop::auth_method("unknown"));
        Client::refused(broker, &connect);
        let mut eager = Client::open(broker, V5);
        let publish = Publish::new(V5, &topic, "never").bytes();
        eager.send([connect.bytes(), publish].concat());
        assert_eq!(eager.connack().code, 0x8C);
        eager.closed();
        seen.ping();
    });
}

#[test]
fn a_will_to_a_topic_of_the_server_is_not_published() {
    each(&ALL, |broker, version| {
        let mut seen = watcher(broker, version, "$SYS/will");
        let (after, id) = (fresh("after"), fresh("sys"));
        seen.subscribe(&after, 1);
        let connect = Connect::new(version, &id).will(Will::new("$SYS/will", "forged"));
        let mut client = Client::open(broker, version);
        client.send(connect.bytes());
        // Refused at once, or taken and not published.
        let _scope = Scope("will to $SYS".into());
        if client.connack().code == 0 {
            client.cut();
            let will = Will::new(&after, "published after it").qos(1);
            Client::with(broker, &Connect::new(version, &id).will(will)).cut();
            seen.receive_this(&after, "published after it", 1);
        }
        seen.ping();
    });
}

/// Shows 5.0 [MQTT-3.1.2-10]; 3.1.1 [MQTT-3.1.2-10], [MQTT-3.1.2-12].
#[test]
fn without_a_will_nothing_is_published_and_a_will_only_once() {
    each_own_broker(&Options::default(), |broker| {
        for version in ALL {
            // Nobody else uses this broker, so the watcher sees all there is.
            let mut seen = watcher(broker, version, "#");
            let id = fresh("once");
            Client::connect(broker, version, &id).cut();
            let will = Will::new("will/once", "gone").qos(1);
            let with_will = Connect::persistent(version, &id).will(will);
            Client::with(broker, &with_will).cut();
            seen.receive_this("will/once", "gone", 1);
            // It was removed when it was published: the next end has none.
            Client::with(broker, &Connect::persistent(version, &id)).cut();
            let mut last = Client::connect(broker, version, &id);
            last.publish("will/fence", "last", 1);
            seen.receive_this("will/fence", "last", 1);
            seen.ping();
        }
    });
}

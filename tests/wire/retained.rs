//! Retained Messages.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each, each_broker, each_own_broker};
use crate::support::bytes::{Connect, PINGREQ, Publish, prop, subscribe};
use crate::support::client::Client;
use crate::support::{ALL, fresh, let_pass};

/// Shows 5.0 [MQTT-3.3.1-5], [MQTT-3.3.1-8], [MQTT-3.3.1-9]; 3.1.1 [MQTT-3.3.1-5], [MQTT-3.3.1-6],
/// [MQTT-3.3.1-7], [MQTT-3.3.1-8], [MQTT-3.3.1-12].
#[test]
fn a_new_subscriber_gets_the_last_one() {
    each(&ALL, |broker, version| {
        let topic = fresh("last");
        let mut publisher = Client::connect(broker, version, &fresh("last-p"));
        for qos in 0..=2 {
            publisher.publish_retained(&topic, "old", 2 - qos);
            publisher.publish_retained(&topic, format!("at {qos}"), qos);
            // Acknowledged, so what was published before it has taken effect, at QoS 0 too.
            publisher.publish(&topic, "not retained", 1);
            for granted in 0..=2 {
                let mut client = Client::connect(broker, version, &fresh("last-s"));
                client.subscribe(&topic, granted);
                let delivery = client.receive_this(&topic, format!("at {qos}"), qos.min(granted));
                assert!(delivery.retain && !delivery.dup, "{delivery:?}");
                client.quiet(&mut publisher);
            }
        }
        publisher.publish_retained(&topic, "", 0);
    });
}

/// Shows 5.0 [MQTT-3.3.1-6], [MQTT-3.3.1-7]; 3.1.1 [MQTT-3.3.1-9], [MQTT-3.3.1-10],
/// [MQTT-3.3.1-11].
#[test]
fn an_empty_payload_clears_it() {
    each(&ALL, |broker, version| {
        let topic = fresh("clear");
        let mut publisher = Client::connect(broker, version, &fresh("clear-p"));
        let mut live = Client::connect(broker, version, &fresh("clear-s"));
        live.subscribe(&topic, 1);
        for qos in 0..=2 {
            publisher.publish_retained(&topic, "kept", 1);
            publisher.publish_retained(&topic, "", qos);
            publisher.publish(&topic, "after it", 1);
            let mut late = Client::connect(broker, version, &fresh("clear-s"));
            late.subscribe(&topic, 0);
            late.quiet(&mut publisher);
            // A subscriber that was there sees the clearing as a message [MQTT-3.3.1-6].
            live.receive_this(&topic, "kept", 1);
            assert!(!live.receive_this(&topic, "", qos.min(1)).retain);
            live.receive_this(&topic, "after it", 1);
        }
        publisher.publish_retained(&fresh("never-set"), "", 1);
    });
}

/// Shows 5.0 [MQTT-3.3.1-9]; 3.1.1 [MQTT-3.3.1-6].
#[test]
fn wildcards_find_all_that_match() {
    each(&ALL, |broker, version| {
        let stem = fresh("tree");
        let mut publisher = Client::connect(broker, version, &fresh("tree-p"));
        let all = ["", "/a", "/a/b", "/a/b/c", "/b", "//", "/$d"];
        for tail in all {
            publisher.publish_retained(&format!("{stem}{tail}"), format!("at{tail}"), 1);
        }
        for (filter, expected) in [
            ("", vec![""]),
            ("/a", vec!["/a"]),
            ("/+", vec!["/$d", "/a", "/b"]),
            ("/+/b", vec!["/a/b"]),
            ("/+/+", vec!["//", "/a/b"]),
            ("/a/#", vec!["/a", "/a/b", "/a/b/c"]),
            ("/#", vec!["", "/$d", "/a", "/a/b", "/a/b/c", "/b", "//"]),
            ("/x", vec![]),
        ] {
            let mut client = Client::connect(broker, version, &fresh("tree-s"));
            client.subscribe(&format!("{stem}{filter}"), 0);
            let mut got: Vec<String> = expected
                .iter()
                .map(|_| {
                    let delivery = client.receive();
                    let tail = delivery.text().strip_prefix("at").expect("its own payload");
                    assert_eq!(delivery.topic, format!("{stem}{tail}"));
                    tail.to_owned()
                })
                .collect();
            got.sort();
            let mut expected = expected;
            expected.sort_unstable();
            assert_eq!(got, expected, "{filter}");
            client.quiet(&mut publisher);
        }
        for tail in all {
            publisher.publish_retained(&format!("{stem}{tail}"), "", 1);
        }
    });
}

/// Shows 3.1.1 [MQTT-3.8.4-3].
#[test]
fn every_subscribe_of_version_3_sends_it_again() {
    each(&[V311], |broker, version| {
        let topic = fresh("again");
        let mut publisher = Client::connect(broker, version, &fresh("again-p"));
        publisher.publish_retained(&topic, "kept", 1);
        let mut client = Client::connect(broker, version, &fresh("again-s"));
        for _ in 0..3 {
            client.subscribe(&topic, 1);
            assert!(client.receive_this(&topic, "kept", 1).retain, "[MQTT-3.8.4-3]");
        }
        publisher.publish_retained(&topic, "", 1);
    });
}

#[test]
fn c15_resuming_a_session_does_not_send_it_again() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("resume"), fresh("resume"));
        let mut publisher = Client::connect(broker, version, &fresh("resume-p"));
        publisher.publish_retained(&topic, "kept", 1);
        let mut client = Client::with(broker, &Connect::persistent(version, &id));
        client.subscribe(&topic, 1);
        client.receive_this(&topic, "kept", 1);
        client.leave();
        let mut client = Client::with(broker, &Connect::persistent(version, &id));
        client.quiet(&mut publisher);
        publisher.publish_retained(&topic, "", 0);
    });
}

#[test]
fn c15_a_takeover_does_not_send_it_again() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("c15"), fresh("c15"));
        let mut publisher = Client::connect(broker, version, &fresh("c15-p"));
        publisher.publish_retained(&topic, "kept", 1);
        let persistent = Connect::persistent(version, &id);
        let mut old = Client::with(broker, &persistent);
        old.subscribe(&topic, 1);
        old.receive_this(&topic, "kept", 1);
        for _ in 0..5 {
            let mut new = Client::with(broker, &persistent);
            old.closed_for(0x8E);
            new.quiet(&mut publisher);
            old = new;
        }
        // Its next SUBSCRIBE does.
        old.subscribe(&topic, 1);
        assert!(old.receive_this(&topic, "kept", 1).retain);
        publisher.publish_retained(&topic, "", 0);
    });
}

#[test]
fn c16_expired_messages_are_freed_though_nobody_asks() {
    // An option of its own, so that no other scenario uses these processes.
    let options = Options::default().set("auto_id_prefix", "\"c16-\"");
    each_broker(&options, |broker| {
        let stem = fresh("c16");
        let mut publisher = Client::connect(broker, V5, &fresh("c16-p"));
        let payload = vec![b'x'; 500];
        let mut fill = |round: u32| {
            for chunk in 0..40 {
                let mut bytes = Vec::new();
                for index in 0..500 {
                    let topic = format!("{stem}/{}/{round}", chunk * 500 + index);
                    let publish = Publish::new(V5, &topic, &payload).retain();
                    bytes.extend(publish.with(prop::message_expiry(1)).bytes());
                }
                publisher.send(bytes);
            }
            publisher.ping();
        };
        // Twenty thousand, other topics each time: what is not freed is there three times.
        let mut after = Vec::new();
        for round in 0..3 {
            fill(round);
            let_pass(2500);
            after.push(broker.memory());
        }
        let growth = after[2].saturating_sub(after[0]);
        assert!(growth < 6 << 20, "40,000 messages of 600 bytes: {after:?}");
    });
}

/// Shows 3.1.1 [MQTT-3.1.2-7].
#[test]
fn it_outlives_its_publisher() {
    each(&ALL, |broker, version| {
        let topic = fresh("outlive");
        let mut publisher = Client::connect(broker, version, &fresh("outlive-p"));
        publisher.publish_retained(&topic, "kept", 2);
        publisher.leave();
        let mut client = Client::connect(broker, version, &fresh("outlive-s"));
        client.subscribe(&topic, 0);
        client.receive_this(&topic, "kept", 0);
        client.leave();
        Client::connect(broker, version, &fresh("outlive-p")).publish_retained(&topic, "", 0);
    });
}

/// How many messages the flood has, and how large each payload is.
const FLOOD: u32 = 100_000;
const FLOOD_PAYLOAD: usize = 200;

#[test]
fn c13_all_retained_messages_reach_a_slow_subscriber() {
    let options = Options::default().set("max_queued_messages", 1000);
    each_own_broker(&options, |broker| {
        let stem = fresh("c13");
        let mut publisher = Client::connect(broker, V311, &fresh("c13-p"));
        for chunk in 0..FLOOD / 1000 {
            let mut bytes = Vec::new();
            for (id, index) in (1..).zip(chunk * 1000..(chunk + 1) * 1000) {
                let payload = format!("{index:0width$}", width = FLOOD_PAYLOAD);
                let topic = format!("{stem}/{}/{index}", index % 100);
                bytes.extend(Publish::new(V311, &topic, payload).retain().qos(1, id).bytes());
            }
            publisher.send(bytes);
            for id in 1..=1000 {
                assert_eq!(publisher.answer(0x40).id, id);
            }
        }
        let before = broker.memory();
        for (version, qos) in [(V311, 0), (V5, 1), (V311, 1)] {
            let mut slow = Client::open_narrow(broker, version, 16 << 10);
            slow.send(Connect::new(version, &fresh("c13-s")).bytes());
            assert_eq!(slow.connack().code, 0);
            assert_eq!(slow.subscribe(&format!("{stem}/#"), qos), qos);
            let mut seen = vec![false; FLOOD as usize];
            let mut most = 0;
            for count in 0..FLOOD {
                if count % 10_000 == 0 {
                    // The socket is full; give the broker every chance to pile up the rest.
                    publisher.ping();
                    std::thread::yield_now();
                    most = most.max(broker.memory());
                }
                let delivery = slow.receive();
                assert_eq!((delivery.retain, delivery.qos), (true, qos), "{}", delivery.text());
                let index: usize = delivery.text().parse().expect("a number");
                assert!(!std::mem::replace(&mut seen[index], true), "{index} twice");
            }
            let window = most.saturating_sub(before);
            assert!(window < 12 << 20, "{window} bytes for {} waiting", FLOOD * 200);
            slow.leave();
        }
    });
}

#[test]
fn c13_live_messages_pass_a_long_retained_replay() {
    let options = Options::default().set("max_qos0_buffer_bytes", 0);
    each_broker(&options, |broker| {
        let stem = fresh("live");
        let mut publisher = Client::connect(broker, V5, &fresh("live-p"));
        // More than sockets take.
        let old = "old".repeat(500);
        for index in 0..5000 {
            let topic = format!("{stem}/{index}");
            publisher.send(Publish::new(V5, &topic, &old).retain().bytes());
        }
        publisher.ping();
        let mut subscriber = Client::open_narrow(broker, V5, 16 << 10);
        subscriber.send(Connect::new(V5, &fresh("live-s")).bytes());
        assert_eq!(subscriber.connack().code, 0);
        subscriber.send(subscribe(V5, 1, &[(&format!("{stem}/#"), 1)]));
        // While the replay goes on and nobody reads, every topic gets a new value.
        for index in 0..5000 {
            let topic = format!("{stem}/{index}");
            publisher.send(Publish::new(V5, &topic, "new").retain().bytes());
        }
        publisher.ping();
        let mut last = vec![None; 5000];
        let mut new = 0;
        let mut over = false;
        while !over {
            let packet = subscriber.packet();
            if packet.first & 0xF0 != 0x30 {
                over = packet.first == 0xD0;
                continue;
            }
            let delivery = packet.delivery(V5);
            let index: usize = delivery.topic.rsplit('/').next().unwrap().parse().unwrap();
            let fresh = delivery.text() == "new";
            assert!(
                last[index] != Some(true) || fresh,
                "an old value of {index} after the newer one"
            );
            let first = fresh && last[index] != Some(true);
            last[index] = Some(fresh);
            new += usize::from(first);
            if first && new == 5000 {
                // An old value could still follow.
                subscriber.send(PINGREQ);
            }
        }
    });
}

//! A PUBLISH the specification forbids ends the connection of its sender and reaches nobody.

use crate::support::broker::{Broker, Options, each, each_broker};
use crate::support::bytes::{Publish, packet, prop, text};
use crate::support::client::Client;
use crate::support::{ALL, Scope, V3, Version, fresh};

fn ends_for(broker: &Broker, version: Version, bytes: Vec<u8>, reasons: &[u8]) {
    let mut client = Client::connect(broker, version, &fresh("bad"));
    client.send(bytes);
    client.closed_for_any(reasons);
}

/// Shows 5.0 [MQTT-4.7.3-1]; 3.1.1 [MQTT-4.7.3-1].
#[test]
fn a4_topic_length_zero() {
    each(&ALL, |broker, version| {
        let empty = Publish::new(version, "", "x");
        ends_for(broker, version, empty.bytes(), &[0x81, 0x82, 0x90]);
        ends_for(broker, version, empty.clone().qos(1, 1).bytes(), &[0x81, 0x82, 0x90]);
        ends_for(broker, version, empty.qos(2, 1).bytes(), &[0x81, 0x82, 0x90]);
    });
}

#[test]
fn a4_topic_length_zero_with_an_alias() {
    each_broker(&Options::default(), |broker| {
        let unknown = Publish::new(Version::V5, "", "x").with(prop::topic_alias(3));
        ends_for(broker, Version::V5, unknown.bytes(), &[0x82]);

        let topic = fresh("a4");
        let mut subscriber = Client::connect(broker, Version::V5, &fresh("a4-s"));
        subscriber.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, Version::V5, &fresh("a4-p"));
        let set = Publish::new(Version::V5, &topic, "set").with(prop::topic_alias(3));
        publisher.send(set.bytes());
        let used = Publish::new(Version::V5, "", "used").with(prop::topic_alias(3));
        publisher.send(used.qos(1, 1).bytes());
        assert_eq!(publisher.answer(0x40).codes, [0]);
        subscriber.receive_this(&topic, "set", 0);
        subscriber.receive_this(&topic, "used", 1);
    });
}

/// Shows 5.0 [MQTT-3.3.2-2], [MQTT-4.7.0-1]; 3.1.1 [MQTT-3.3.2-2], [MQTT-4.7.1-1].
#[test]
fn a_topic_name_with_wildcards() {
    each(&ALL, |broker, version| {
        for topic in ["#", "+", "a/#", "a/+/b", "a+", "b#c"] {
            let _scope = Scope(topic.into());
            let publish = Publish::new(version, topic, "x");
            // Malformed by [MQTT-3.3.2-2], or named as what it is.
            ends_for(broker, version, publish.bytes(), &[0x81, 0x82, 0x90]);
        }
    });
}

/// Shows 5.0 [MQTT-3.3.2-1], [MQTT-4.7.3-2]; 3.1.1 [MQTT-3.3.2-1], [MQTT-4.7.3-2].
#[test]
fn a_topic_name_that_is_no_text() {
    each(&ALL, |broker, version| {
        let wrong: [&[u8]; 4] = [b"a\x00b", b"\xFFa", b"\xED\xA0\x80", b"\xC0\x80"];
        for topic in wrong {
            let none: &[u8] = if version == Version::V5 { &[0] } else { &[] };
            let bytes = packet(0x30, &[&text(topic), none, b"x"]);
            ends_for(broker, version, bytes, &[0x81, 0x82, 0x90]);
        }
    });
}

/// Shows 5.0 [MQTT-3.3.2-1]; 3.1.1 [MQTT-3.3.2-1].
#[test]
fn a_topic_longer_than_the_packet() {
    each(&ALL, |broker, version| {
        let bytes = packet(0x30, &[&[0x00, 0x09], b"short"]);
        ends_for(broker, version, bytes, &[0x81]);
    });
}

/// Shows 5.0 [MQTT-3.3.1-4]; 3.1.1 [MQTT-3.3.1-4].
#[test]
fn qos_3() {
    each(&ALL, |broker, version| {
        let mut bytes = Publish::new(version, "a/b", "x").qos(1, 1).bytes();
        bytes[0] = 0x36;
        ends_for(broker, version, bytes, &[0x81]);
    });
}

/// Shows 5.0 [MQTT-3.3.1-2]; 3.1.1 [MQTT-3.3.1-2].
#[test]
fn dup_at_qos_0() {
    each(&[Version::V311, Version::V5], |broker, version| {
        let bytes = Publish::new(version, "a/b", "x").dup().bytes();
        ends_for(broker, version, bytes, &[0x81, 0x82]);
    });
}

/// Shows 5.0 [MQTT-3.3.4-6].
#[test]
fn a9_properties_of_other_packets_are_not_forwarded() {
    const OF_PUBLISH: [&str; 7] = [
        "Payload Format Indicator",
        "Message Expiry Interval",
        "Content Type",
        "Response Topic",
        "Correlation Data",
        "Topic Alias",
        "User Property",
    ];
    each_broker(&Options::default(), |broker| {
        let topic = fresh("a9");
        let mut subscriber = Client::connect(broker, Version::V5, &fresh("a9-s"));
        subscriber.subscribe(&topic, 2);
        for (name, property) in prop::every() {
            let _scope = Scope(name.into());
            let once = Publish::new(Version::V5, &topic, name).with(property.clone());
            let twice = once.clone().with(property);
            if !OF_PUBLISH.contains(&name) {
                // A client may not send a Subscription Identifier [MQTT-3.3.4-6].
                ends_for(broker, Version::V5, once.bytes(), &[0x81, 0x82]);
            } else if name != "User Property" {
                ends_for(broker, Version::V5, twice.bytes(), &[0x82]);
            }
        }
        let mut publisher = Client::connect(broker, Version::V5, &fresh("a9-p"));
        subscriber.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-3.3.2-8], [MQTT-3.3.2-9], [MQTT-3.3.2-14].
#[test]
fn values_of_properties_that_are_not_allowed() {
    each_broker(&Options::default(), |broker| {
        for (what, property, reasons) in [
            ("Topic Alias 0", prop::topic_alias(0), [0x94, 0x94]),
            ("Topic Alias above the maximum", prop::topic_alias(11), [0x94, 0x94]),
            ("Payload Format Indicator 2", prop::payload_format(2), [0x81, 0x82]),
            ("Response Topic with wildcards", prop::response_topic("a/+"), [0x82, 0x90]),
        ] {
            let _scope = Scope(what.into());
            let bytes = Publish::new(Version::V5, "a/b", "x").with(property).bytes();
            ends_for(broker, Version::V5, bytes, &[reasons[0], reasons[1], 0x81]);
        }
    });
}

/// Shows 5.0 [MQTT-3.4.2-1], [MQTT-3.5.2-1]; 3.1.1 [MQTT-3.3.5-2].
#[test]
fn a10_dollar_topics_of_the_server_are_not_written() {
    each_broker(&Options::default(), |broker| {
        let mut watcher = Client::connect(broker, Version::V5, &fresh("a10-w"));
        assert_eq!(watcher.subscribe("$SYS/broker/version", 2), 2);
        // The broker's own, which it publishes once, soon after its start.
        watcher.receive();
        for topic in ["$SYS/x", "$SYS", "$CONTROL/x"] {
            assert!(watcher.subscribe(topic, 2) < 0x80);
        }
        let mut five = Client::connect(broker, Version::V5, &fresh("a10-5"));
        for topic in ["$SYS/x", "$SYS/broker/version", "$CONTROL/x"] {
            let _scope = Scope(topic.into());
            assert_eq!(five.publish(topic, "forged", 0), 0);
            assert_eq!(five.publish(topic, "forged", 1), 0x87);
            assert_eq!(five.publish(topic, "forged", 2), 0x87);
            assert_eq!(five.publish_retained(topic, "forged", 1), 0x87);
            for version in V3 {
                let mut client = Client::connect(broker, version, &fresh("a10-3"));
                for qos in 0..=2 {
                    client.publish(topic, "forged", qos);
                }
            }
        }
        watcher.quiet(&mut five);
    });
}

#[test]
fn a10_other_dollar_topics_are_ordinary() {
    each(&ALL, |broker, version| {
        let mut subscriber = Client::connect(broker, version, &fresh("a10-s"));
        let mut publisher = Client::connect(broker, version, &fresh("a10-p"));
        for topic in ["$", "$foo", "$foo/bar"] {
            assert_eq!(subscriber.subscribe(topic, 1), 1);
            assert_eq!(publisher.publish(topic, "x", 1), 0);
            subscriber.receive_this(topic, "x", 1);
            subscriber.unsubscribe(topic);
        }
    });
}

#[test]
fn a10_share_is_no_topic_that_harms() {
    each(&ALL, |broker, version| {
        let mut other = Client::connect(broker, version, &fresh("a10-o"));
        for topic in ["$share", "$share/", "$share/g", "$share/g/", "$share/g/t"] {
            let mut publisher = Client::connect(broker, version, &fresh("a10-p"));
            publisher.send(Publish::new(version, topic, "x").qos(1, 1).bytes());
            // Routed, refused or closed: the broker lives and says something.
            let answer = publisher.try_packet();
            assert!(answer.is_none_or(|packet| [0x40, 0xE0].contains(&packet.first)));
            other.ping();
        }
    });
}

#[test]
fn a7_a_topic_name_of_slashes_only() {
    each(&ALL, |broker, version| {
        for retain in [false, true] {
            let mut other = Client::connect(broker, version, &fresh("a7-o"));
            let mut publisher = Client::connect(broker, version, &fresh("a7-p"));
            let mut publish = Publish::new(version, &"/".repeat(65_535), "x").qos(1, 1);
            publish.retain = retain;
            publisher.send(publish.bytes());
            match publisher.try_packet() {
                None => assert_ne!(version, Version::V5, "closed without a DISCONNECT"),
                Some(packet) if packet.first == 0x40 => {
                    let codes = packet.answer(0x40, version).codes;
                    let told = if version == Version::V5 { vec![0x90] } else { vec![] };
                    assert_eq!(codes, told);
                }
                Some(packet) => assert_eq!(packet.disconnect().0, 0x90),
            }
            assert!(other.subscribe("/#", 0) < 0x80, "nothing of it was retained");
            other.ping();
        }
    });
}

#[test]
fn a7_two_hundred_levels_are_allowed_and_no_more() {
    each(&ALL, |broker, version| {
        let stem = fresh("a7");
        let of_levels = |count: usize| format!("{stem}{}", "/l".repeat(count - 1));
        let mut subscriber = Client::connect(broker, version, &fresh("a7-s"));
        let mut publisher = Client::connect(broker, version, &fresh("a7-p"));
        subscriber.subscribe(&format!("{stem}/#"), 1);
        assert_eq!(publisher.publish(&of_levels(200), "deep", 1), 0);
        subscriber.receive_this(&of_levels(200), "deep", 1);
        publisher.send(Publish::new(version, &of_levels(202), "x").qos(1, 1).bytes());
        match publisher.try_packet() {
            None => assert_ne!(version, Version::V5, "closed without a DISCONNECT"),
            Some(packet) if packet.first == 0x40 => {
                assert_eq!(packet.answer(0x40, version).codes.first().unwrap_or(&0x90), &0x90);
            }
            Some(packet) => assert_eq!(packet.disconnect().0, 0x90),
        }
        subscriber.quiet(&mut Client::connect(broker, version, &fresh("a7-f")));
    });
}

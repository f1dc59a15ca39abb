//! A CONNECT in each version is answered with the CONNACK that version knows.

use crate::support::broker::{Options, each, each_broker};
use crate::support::bytes::{Connect, Publish, packet, prop, text};
use crate::support::client::Client;
use crate::support::{ALL, Version, each_version, fresh};

#[test]
fn version_31_by_its_bytes() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::open(broker, Version::V31);
        client.send(b"\x10\x13\x00\x06MQIsdp\x03\x02\x00\x3C\x00\x05old-1");
        client.expect(b"\x20\x02\x00\x00");
        client.send(b"\xE0\x00");
        client.closed();
    });
}

/// Shows 3.1.1 [MQTT-3.1.4-4], [MQTT-3.2.0-1], [MQTT-3.2.2-1], [MQTT-7.1.1-1].
#[test]
fn version_311_by_its_bytes() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::open(broker, Version::V311);
        client.send(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3C\x00\x05mid-1");
        client.expect(b"\x20\x02\x00\x00");
        client.send(b"\xE0\x00");
        client.closed();
    });
}

/// Shows 5.0 [MQTT-3.1.4-5], [MQTT-3.2.0-1], [MQTT-3.2.2-1], [MQTT-3.2.2-2], [MQTT-4.2.0-1].
#[test]
fn version_5_by_its_bytes() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::open(broker, Version::V5);
        client.send(b"\x10\x12\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x05new-1");
        let connack = client.connack();
        assert_eq!((connack.code, connack.session_present), (0, false));
        client.send(b"\xE0\x00");
        client.closed();
    });
}

/// Shows 5.0 [MQTT-3.12.4-1]; 3.1.1 [MQTT-3.12.4-1].
#[test]
fn pingreq_is_answered() {
    each(&ALL, |broker, version| {
        let mut client = Client::connect(broker, version, &fresh("ping"));
        client.send([0xC0, 0x00, 0xC0, 0x00]);
        client.expect([0xD0, 0x00, 0xD0, 0x00]);
    });
}

#[test]
fn version_5_is_told_the_limits_of_the_server() {
    each_broker(&Options::default(), |broker| {
        let (_client, connack) =
            Client::accepted(broker, &Connect::new(Version::V5, &fresh("limits")));
        assert_eq!(connack.properties.int(0x21), Some(20), "Receive Maximum");
        assert_eq!(connack.properties.int(0x22), Some(10), "Topic Alias Maximum");
        for absent in [0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x24] {
            assert_eq!(connack.properties.int(absent), None, "property {absent:#04x}");
            assert_eq!(connack.properties.bytes(absent), None, "property {absent:#04x}");
        }
        for available in [0x25, 0x28, 0x29, 0x2A] {
            assert_ne!(connack.properties.int(available), Some(0), "property {available:#04x}");
        }
    });
}

#[test]
fn every_property_of_connect_is_accepted() {
    each_broker(&Options::default(), |broker| {
        let connect = Connect::new(Version::V5, &fresh("all-props"))
            .with(prop::user("b", "2"))
            .with(prop::session_expiry(30))
            .with(prop::receive_maximum(65535))
            .with(prop::maximum_packet_size(100_000))
            .with(prop::topic_alias_maximum(65535))
            .with(prop::request_response(1))
            .with(prop::request_problem(0))
            .with(prop::user("a", "1"))
            .with(prop::user("a", "1"));
        Client::with(broker, &connect).ping();
    });
}

/// Shows 5.0 [MQTT-3.1.3-6], [MQTT-3.1.3-7], [MQTT-3.2.2-16].
#[test]
fn an_empty_client_id_of_version_5_is_assigned_one() {
    each_broker(&Options::default(), |broker| {
        let assigned: Vec<String> = [true, false]
            .map(|clean| {
                let connect = Connect::new(Version::V5, "").clean(clean);
                let (mut client, connack) = Client::accepted(broker, &connect);
                client.ping();
                connack.properties.text(0x12).expect("Assigned Client Identifier")
            })
            .to_vec();
        assert!(assigned.iter().all(|id| id.starts_with("auto-") && id.len() > 5), "{assigned:?}");
        assert_ne!(assigned[0], assigned[1]);
    });
}

/// Shows 5.0 [MQTT-3.1.3-7].
#[test]
fn an_assigned_client_id_names_the_session() {
    each_broker(&Options::default(), |broker| {
        let connect = Connect::new(Version::V5, "").with(prop::session_expiry(60));
        let (client, connack) = Client::accepted(broker, &connect);
        let id = connack.properties.text(0x12).expect("Assigned Client Identifier");
        client.leave();
        let (_client, connack) = Client::accepted(broker, &Connect::persistent(Version::V5, &id));
        assert!(connack.session_present);
        assert_eq!(connack.properties.text(0x12), None, "it brought its own");
    });
}

#[test]
fn the_prefix_of_assigned_ids_is_an_option() {
    let options = Options::default().set("auto_id_prefix", "\"made-\"");
    each_broker(&options, |broker| {
        let (_client, connack) = Client::accepted(broker, &Connect::new(Version::V5, ""));
        let id = connack.properties.text(0x12).expect("Assigned Client Identifier");
        assert!(id.starts_with("made-"), "{id}");
    });
}

/// Shows 3.1.1 [MQTT-3.1.3-6], [MQTT-3.1.3-7], [MQTT-3.1.3-8].
#[test]
fn an_empty_client_id_of_version_311_needs_a_clean_session() {
    each_broker(&Options::default(), |broker| {
        Client::with(broker, &Connect::new(Version::V311, "")).ping();
        // [MQTT-3.1.3-8]
        let refusal = Client::refused(broker, &Connect::new(Version::V311, "").clean(false));
        assert_eq!(refusal.code, 2);
    });
}

#[test]
fn an_empty_client_id_of_version_31_is_refused() {
    each_broker(&Options::default(), |broker| {
        for clean in [true, false] {
            let refusal = Client::refused(broker, &Connect::new(Version::V31, "").clean(clean));
            assert_eq!(refusal.code, 2);
        }
    });
}

/// Shows 5.0 [MQTT-3.1.3-8], [MQTT-3.2.2-8]; 3.1.1 [MQTT-3.1.3-9].
#[test]
fn empty_client_ids_can_be_forbidden() {
    let options = Options::default().set("allow_zero_length_clientid", false);
    each_broker(&options, |broker| {
        let code = |version| Client::refused(broker, &Connect::new(version, "")).code;
        assert_eq!(code(Version::V31), 2);
        assert_eq!(code(Version::V311), 2);
        assert_eq!(code(Version::V5), 0x85);
    });
}

/// Shows 5.0 [MQTT-3.1.4-2], [MQTT-3.2.2-7], [MQTT-3.2.2-8]; 3.1.1 [MQTT-3.2.2-5].
#[test]
fn without_anonymous_access_nobody_enters() {
    let options = Options::default().set("allow_anonymous", false);
    each_broker(&options, |broker| {
        let code = |version| Client::refused(broker, &Connect::new(version, &fresh("anon"))).code;
        assert_eq!(code(Version::V31), 5);
        assert_eq!(code(Version::V311), 5);
        assert_eq!(code(Version::V5), 0x87);
    });
}

#[test]
fn user_name_and_password_are_no_hindrance_to_anonymous_access() {
    each(&ALL, |broker, version| {
        let mut connect = Connect::new(version, &fresh("named"));
        connect.username = Some("someone".into());
        Client::with(broker, &connect).ping();
        connect.password = Some(vec![0, 1, 2]);
        Client::with(broker, &connect).ping();
    });
}

/// Shows 5.0 [MQTT-3.1.2-2], [MQTT-3.2.2-8]; 3.1.1 [MQTT-3.1.2-2].
#[test]
fn an_unknown_protocol_level_is_refused_by_its_code() {
    each_broker(&Options::default(), |broker| {
        for (name, level) in
            [("MQTT", 0), ("MQTT", 3), ("MQTT", 6), ("MQTT", 255), ("MQIsdp", 4), ("MQIsdp", 5)]
        {
            let mut client = Client::open(broker, Version::V311);
            client.send(packet(0x10, &[&text(name), &[level, 2, 0, 60], &text("level")]));
            // Version 3.1.1 has code 1 for it [MQTT-3.1.2-2], version 5 reason 0x84; a server may
            // choose which one an unknown client understands.
            let answer = client.packet();
            let codes = [(0x20, &[0, 1][..]), (0x20, &[0, 0x84, 0][..])];
            assert!(
                codes.contains(&(answer.first, answer.body.as_slice())),
                "{name} {level}: {answer:?}"
            );
            client.closed();
        }
    });
}

/// Shows 5.0 [MQTT-3.1.2-1]; 3.1.1 [MQTT-3.1.2-1].
#[test]
fn an_unknown_protocol_name_is_refused() {
    each_broker(&Options::default(), |broker| {
        for name in ["MQTU", "mqtt", "MQIsdq", "", "HTTP", "MQTTMQTTMQTT"] {
            let mut client = Client::open(broker, Version::V311);
            client.send(packet(0x10, &[&text(name), &[4, 2, 0, 60], &text("name")]));
            // The version is unknown, so there may be no answer; if there is one, it refuses.
            if let Some(answer) = client.try_packet() {
                assert_eq!((answer.first, answer.body[0]), (0x20, 0), "{name}: {answer:?}");
                assert_ne!(answer.body[1], 0, "{name}: accepted");
            }
            client.closed();
        }
    });
}

/// Shows 5.0 [MQTT-3.2.0-1]; 3.1.1 [MQTT-3.2.0-1].
#[test]
fn packets_may_follow_connect_without_waiting_for_connack() {
    each(&ALL, |broker, version| {
        let mut client = Client::open(broker, version);
        let connect = Connect::new(version, &fresh("eager")).bytes();
        client.send([connect.as_slice(), &[0xC0, 0x00], &[0xC0, 0x00]].concat());
        assert_eq!(client.connack().code, 0);
        client.expect([0xD0, 0x00, 0xD0, 0x00]);
    });
}

/// Shows 5.0 [MQTT-3.1.3-5]; 3.1.1 [MQTT-3.1.3-5].
#[test]
fn client_ids_of_one_to_23_letters_and_digits() {
    const ALLOWED: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    each(&ALL, |broker, version| {
        for length in 1..=23 {
            for start in (0..ALLOWED.len()).step_by(7) {
                let id: String = ALLOWED.chars().cycle().skip(start).take(length).collect();
                Client::connect(broker, version, &id).ping();
            }
        }
        // More, and other characters, are allowed too; 3.1 stops at 23 bytes.
        let more = ["a/b", "é", "#+$", "x y", &"long".repeat(100)];
        for id in more.iter().filter(|id| version != Version::V31 || id.len() <= 23) {
            Client::connect(broker, version, id).ping();
        }
    });
}

/// Shows 5.0 [MQTT-3.1.4-6]; 3.1.1 [MQTT-3.1.4-5].
#[test]
fn nothing_after_a_refused_connect_is_processed() {
    let refusing = Options::default().set("allow_zero_length_clientid", false);
    each_broker(&refusing, |broker| {
        each_version(&ALL, |version| {
            let topic = fresh("refused");
            let mut watcher = Client::connect(broker, version, &fresh("refused-w"));
            watcher.subscribe(&topic, 1);
            let refused = Connect::new(version, "").bytes();
            let publish = Publish::new(version, &topic, "never").qos(1, 1).bytes();
            let second = Connect::new(version, &fresh("refused-c")).bytes();
            for after in [publish.clone(), [second, publish].concat()] {
                let mut client = Client::open(broker, version);
                client.send([refused.as_slice(), &after].concat());
                assert_ne!(client.connack().code, 0);
                client.closed();
            }
            watcher.quiet(&mut Client::connect(broker, version, &fresh("refused-o")));
        });
    });
}

//! Hostile and broken input at every stage costs its sender the connection and nobody else
//! anything.

use std::slice::from_ref;

use crate::support::broker::{Options, each, each_broker, each_own_broker};
use crate::support::bytes::{
    Connect, Publish, Will, acknowledge, disconnect, packet, prop, properties, puback, pubcomp,
    pubrec, pubrel, subscribe, subscribe_with, text, unsubscribe,
};
use crate::support::client::{Bystanders, Client};
use crate::support::{ALL, Version, each_version, fresh};

/// So much address space more than before would be a single declared length taken at its word.
const ONE_LENGTH: u64 = 256 << 20;

/// No deadline that a test would live to see: whoever is closed is closed for what it said.
fn patient() -> Options {
    Options::default().set("connect_timeout", 3600)
}

#[test]
fn a1_what_is_no_connect_is_closed_at_its_first_byte() {
    each_own_broker(&patient(), |broker| {
        for first in [0x00, 0x20, 0x30, 0x3D, 0x82, 0xC0, 0xE0, 0xF0] {
            let mut client = Client::open(broker, Version::V311);
            client.send([first]);
            client.closed();
        }
    });
}

#[test]
fn a1_a_connect_above_the_limit_is_refused_for_its_declared_length() {
    each_own_broker(&patient(), |broker| {
        // 256 MB, and 100,001 bytes with the fixed header.
        for length in [&[0xFF, 0xFF, 0xFF, 0x7F][..], &[0x9D, 0x8D, 0x06]] {
            let mut client = Client::open(broker, Version::V311);
            client.send([0x10]);
            client.send(length);
            client.closed();
        }
    });
}

#[test]
fn a1_declared_length_never_allocates() {
    each_own_broker(&patient(), |broker| {
        let mut others = Bystanders::new(broker);
        others.exchange();
        let (before, space) = (broker.memory(), broker.peak_address_space());
        let mut held = Vec::new();
        for index in 0..1000 {
            let mut client = Client::open(broker, Version::V311);
            if index % 2 == 0 {
                client.send([0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
                client.dribble([0, 4]);
                client.closed();
            } else {
                // The most that is allowed before anybody is known: 99,996 and the fixed header.
                client.send([0x10, 0x9C, 0x8D, 0x06]);
                client.dribble([0, 4]);
                held.push(client);
            }
        }
        others.exchange();
        // The 500 that are held have declared 50 MB, the others 128 GB.
        assert!(broker.memory() < before + (8 << 20), "{} from {before}", broker.memory());
        let grown = broker.peak_address_space() - space;
        assert!(grown < ONE_LENGTH, "{grown} bytes more");
        held.into_iter().for_each(Client::cut);
        others.exchange();
    });
}

#[test]
fn a1_a_length_after_connect_does_not_allocate_either() {
    each_own_broker(&Options::default(), |broker| {
        let mut clients: Vec<Client> =
            (0..100).map(|_| Client::connect(broker, Version::V311, &fresh("a1"))).collect();
        let (before, space) = (broker.memory(), broker.peak_address_space());
        for client in &mut clients {
            client.send([0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, b't', b'e']);
        }
        Bystanders::new(broker).exchange();
        assert!(broker.memory() < before + (8 << 20), "{} from {before}", broker.memory());
        let grown = broker.peak_address_space() - space;
        assert!(grown < ONE_LENGTH, "{grown} bytes more");
    });
}

/// Shows 5.0 [MQTT-4.13.1-1]; 3.1.1 [MQTT-4.8.0-1].
#[test]
fn a3_packets_only_a_server_sends() {
    each(&ALL, |broker, version| {
        let mut others = Bystanders::new(broker);
        let mut packets = vec![
            ("CONNACK", vec![0x20, 0x02, 0x00, 0x00]),
            ("SUBACK", vec![0x90, 0x03, 0x00, 0x01, 0x00]),
            ("UNSUBACK", vec![0xB0, 0x02, 0x00, 0x01]),
            ("PINGRESP", vec![0xD0, 0x00]),
            ("type 0", vec![0x00, 0x00]),
            ("type 0 with flags", vec![0x0F, 0x02, 0x00, 0x00]),
        ];
        if version == Version::V5 {
            let receive_maximum = prop::receive_maximum(1);
            packets.push((
                "CONNACK with properties",
                packet(0x20, &[&[0, 0, receive_maximum.len() as u8], &receive_maximum]),
            ));
        } else {
            packets.push(("type 15", vec![0xF0, 0x00]));
        }
        for (name, bytes) in packets {
            let mut client = Client::connect(broker, version, &fresh("a3"));
            client.send(bytes);
            let _scope = crate::support::Scope(name.into());
            client.closed_for_any(&[0x81, 0x82]);
            others.exchange();
        }
    });
}

/// Shows 5.0 [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1];
/// 3.1.1 [MQTT-2.2.2-1], [MQTT-2.2.2-2], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1],
/// [MQTT-3.14.1-1].
#[test]
fn wrong_flags_in_the_fixed_header() {
    each(&[Version::V311, Version::V5], |broker, version| {
        for (bytes, flags) in [
            (puback(1), [1, 2, 8]),
            (pubrec(1), [1, 2, 8]),
            (pubrel(1), [0, 3, 10]),
            (pubcomp(1), [1, 2, 8]),
            (subscribe(version, 1, &[("t", 0)]), [0, 3, 10]),
            (unsubscribe(version, 1, &["t"]), [0, 3, 10]),
            (vec![0xC0, 0], [1, 2, 8]),
            (disconnect(), [1, 2, 8]),
        ] {
            for flags in flags {
                let mut wrong = bytes.clone();
                wrong[0] = wrong[0] & 0xF0 | flags;
                let mut client = Client::connect(broker, version, &fresh("flags"));
                let _scope = crate::support::Scope(format!("{wrong:02x?}"));
                client.send(&wrong);
                client.closed_for_any(&[0x81, 0x82]);
            }
        }
    });
}

/// One of each packet a client may send, its name first.
fn every_packet(version: Version) -> Vec<(&'static str, Vec<u8>)> {
    let topic = "truncated/topic";
    let mut list = vec![
        ("PUBLISH", Publish::new(version, topic, "zero").bytes()),
        ("PUBLISH", Publish::new(version, topic, "one").qos(1, 1).bytes()),
        ("PUBLISH", Publish::new(version, topic, "two").qos(2, 2).retain().bytes()),
        ("PUBACK", puback(3)),
        ("PUBREC", pubrec(4)),
        ("PUBREL", pubrel(5)),
        ("PUBCOMP", pubcomp(6)),
        ("SUBSCRIBE", subscribe(version, 7, &[("a/+", 1), ("b/#", 2)])),
        ("UNSUBSCRIBE", unsubscribe(version, 8, &["a/+", "c"])),
        ("PINGREQ", vec![0xC0, 0]),
        ("DISCONNECT", disconnect()),
    ];
    if version == Version::V5 {
        let reason = prop::reason_string("why");
        let expiry = prop::message_expiry(9);
        list.push(("PUBLISH", Publish::new(version, topic, "x").qos(1, 9).with(expiry).bytes()));
        for first in [0x40, 0x50, 0x62, 0x70] {
            list.push(("an acknowledgement", acknowledge(first, 10, 0, from_ref(&reason))));
        }
        list.push(("DISCONNECT", packet(0xE0, &[&[0, reason.len() as u8], &reason])));
        list.push(("AUTH", packet(0xF0, &[&[0x18, 5], &prop::auth_method("M2")])));
    }
    list
}

#[test]
fn a8_every_packet_cut_off_at_every_byte_harms_nobody() {
    each(&ALL, |broker, version| {
        let mut others = Bystanders::new(broker);
        let id = fresh("a8-cut");
        let will = Will::new("truncated/will", "x").qos(1);
        let connect = Connect::new(version, &id).will(will).bytes();
        for length in 0..connect.len() {
            let mut client = Client::open(broker, version);
            client.send(&connect[..length]);
            if length % 2 == 0 { client.cut() } else { client.hang_up() }
        }
        others.exchange();
        for (_, bytes) in every_packet(version) {
            for length in 0..bytes.len() {
                let mut client = Client::connect(broker, version, &id);
                client.send(&bytes[..length]);
                if length % 2 == 0 { client.cut() } else { client.hang_up() }
            }
            others.exchange();
        }
    });
}

#[test]
fn a8_every_packet_with_a_body_too_short_is_refused() {
    each(&ALL, |broker, version| {
        let mut others = Bystanders::new(broker);
        for (name, bytes) in every_packet(version) {
            let body = &bytes[2..];
            for length in 0..body.len() {
                // What is left may be a legal shorter form: then it is simply obeyed.
                let mut client = Client::connect(broker, version, &fresh("a8-short"));
                client.send(packet(bytes[0], &[&body[..length]]));
                client.send([0xC0, 0x00]);
                let mut reason = None;
                while let Some(answer) = client.try_packet() {
                    match answer.first {
                        0xD0 => break,
                        0xE0 => reason = Some(answer.disconnect().0),
                        _ => {}
                    }
                }
                let told = [None, Some(0x81), Some(0x82), Some(0x8C)];
                assert!(told.contains(&reason), "{name}, {length} bytes: {reason:02x?}");
            }
        }
        others.exchange();
    });
}

/// Shows 5.0 [MQTT-2.2.1-3]; 3.1.1 [MQTT-2.3.1-1].
#[test]
fn a8_publish_without_a_packet_identifier() {
    each(&ALL, |broker, version| {
        for first in [0x32, 0x34] {
            let mut client = Client::connect(broker, version, &fresh("a8"));
            client.send([first, 0x05, 0x00, 0x03, b'a', b'/', b'b']);
            client.closed_for(0x81);
            let mut client = Client::connect(broker, version, &fresh("a8"));
            client.send([first, 0x06, 0x00, 0x03, b'a', b'/', b'b', 0x01]);
            client.closed_for(0x81);
        }
    });
}

/// Shows 5.0 [MQTT-2.2.1-3]; 3.1.1 [MQTT-2.3.1-1].
#[test]
fn a8_packet_identifier_zero() {
    each(&ALL, |broker, version| {
        for bytes in [
            Publish::new(version, "a/b", "x").qos(1, 0).bytes(),
            Publish::new(version, "a/b", "x").qos(2, 0).bytes(),
            subscribe(version, 0, &[("a", 0)]),
            unsubscribe(version, 0, &["a"]),
        ] {
            let mut client = Client::connect(broker, version, &fresh("a8-zero"));
            client.send(bytes);
            client.closed_for_any(&[0x81, 0x82]);
        }
    });
}

#[test]
fn random_bytes_after_connect_harm_nobody() {
    each_broker(&Options::default(), |broker| {
        let mut others = Bystanders::new(broker);
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        each_version(&ALL, |version| {
            for _ in 0..100 {
                let length = random() % 200;
                let noise: Vec<u8> = (0..length).map(|_| random() as u8).collect();
                let mut client = Client::connect(broker, version, &fresh("noise"));
                client.send(&noise);
                client.hang_up();
            }
            others.exchange();
        });
    });
}

#[test]
fn a6_a_publish_stuffed_with_user_properties_is_refused() {
    each_broker(&Options::default(), |broker| {
        let mut others = Bystanders::new(broker);
        let topic = fresh("a6");
        let mut watcher = Client::connect(broker, Version::V5, &fresh("a6-w"));
        watcher.subscribe(&topic, 1);
        for (count, allowed) in [(1000, true), (1001, false), (100_000, false)] {
            let mut stuffed = Publish::new(Version::V5, &topic, "x").qos(1, 1);
            stuffed.properties = vec![prop::user("", ""); count];
            let mut client = Client::connect(broker, Version::V5, &fresh("a6"));
            client.send(stuffed.bytes());
            if allowed {
                assert_eq!(client.answer(0x40).codes, [0]);
                assert_eq!(watcher.receive().properties.users().len(), count);
            } else {
                client.closed_for(0x97);
                watcher.ping();
            }
        }
        others.exchange();
    });
}

/// A CONNECT with `count` empty User Properties, its own or its Will's, in a packet of at most
/// 100,000 bytes when `count` is below 19,990.
fn stuffed_connect(count: usize, in_will: bool) -> Vec<u8> {
    let stuffing = vec![prop::user("", ""); count];
    let mut connect = Connect::new(Version::V5, &fresh("a6"));
    if in_will {
        let mut will = Will::new("a6/will", "x");
        will.properties = stuffing;
        connect = connect.will(will);
    } else {
        connect.properties = stuffing;
    }
    connect.bytes()
}

#[test]
fn a6_a_connect_stuffed_with_user_properties_is_refused() {
    each_broker(&Options::default(), |broker| {
        let mut others = Bystanders::new(broker);
        for in_will in [false, true] {
            for (count, codes) in [(1000, &[0][..]), (1001, &[0x97]), (19_900, &[0x97])] {
                let mut client = Client::open(broker, Version::V5);
                client.send(stuffed_connect(count, in_will));
                let code = client.connack().code;
                assert!(codes.contains(&code), "{count} properties: CONNACK {code:#04x}");
            }
            // Too large to be looked at before anybody is known.
            let mut client = Client::open(broker, Version::V5);
            client.send(stuffed_connect(50_000, in_will));
            if let Some(answer) = client.try_packet() {
                assert_eq!(answer.connack(Version::V5).code, 0x95);
                client.closed();
            }
        }
        others.exchange();
    });
}

#[test]
fn a6_the_limit_of_user_properties_counts_in_every_packet() {
    let options = Options::default().set("max_user_properties", 3);
    each_broker(&options, |broker| {
        let users = |count: usize| vec![prop::user("n", "v"); count];
        let version = Version::V5;
        let topic = fresh("a6");
        let packets = |count: usize| {
            let mut publish = Publish::new(version, &topic, "x").qos(1, 1);
            publish.properties = users(count);
            let filter = properties(version, &users(count));
            vec![
                publish.bytes(),
                subscribe_with(version, 1, &users(count), &[(&topic, 0)]),
                packet(0xA2, &[&[0, 1], &filter, &text(&topic)]),
                acknowledge(0x62, 1, 0, &users(count)),
            ]
        };
        for bytes in packets(3) {
            let mut client = Client::connect(broker, version, &fresh("a6"));
            client.send(bytes);
            assert_ne!(client.packet().first, 0xE0);
            client.ping();
        }
        for bytes in packets(4) {
            let mut client = Client::connect(broker, version, &fresh("a6"));
            let _scope = crate::support::Scope(format!("{bytes:02x?}"));
            client.send(bytes);
            client.closed_for(0x97);
        }
    });
}

/// Shows 5.0 [MQTT-3.15.1-1].
#[test]
fn reserved_flags_of_auth() {
    each_broker(&Options::default(), |broker| {
        for flags in 1..16 {
            let mut client = Client::connect(broker, Version::V5, &fresh("flags"));
            client.send([0xF0 | flags, 0x00]);
            client.closed_for(0x81);
        }
    });
}

//! A CONNECT that is not well formed, or no CONNECT at all, ends its connection: version 5 is told
//! why in a CONNACK, the others are only closed.

use crate::support::broker::{Broker, Options, each, each_broker, each_own_broker};
use crate::support::bytes::{Connect, Publish, Will, packet, subscribe, text};
use crate::support::client::{Bystanders, Client};
use crate::support::{ALL, Version, each_version, fresh};

/// What [MQTT-4.13] leaves a choice between for a packet that breaks the format.
const MALFORMED: [u8; 2] = [0x81, 0x82];

fn rejected(broker: &Broker, version: Version, bytes: &[u8], what: &str) {
    let mut client = Client::open(broker, version);
    client.send(bytes);
    let answer = client.try_packet();
    match (version, answer) {
        (Version::V5, Some(packet)) => {
            let code = packet.connack(version).code;
            assert!(MALFORMED.contains(&code), "{what}: CONNACK {code:#04x}");
            client.closed();
        }
        (Version::V5, None) => panic!("{what}: closed without a CONNACK"),
        (_, None) => {}
        (_, Some(packet)) => panic!("{what}: answered with {packet:?}"),
    }
}

/// A body after protocol name and level: flags, Keep Alive, and what follows.
fn connect_body(version: Version, flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    let none: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    packet(0x10, &[&Connect::protocol(version), &[flags, 0, 60], none, &rest.concat()])
}

/// Shows 5.0 [MQTT-3.1.2-3], [MQTT-3.1.2-11], [MQTT-3.1.2-12], [MQTT-3.1.2-13], [MQTT-3.1.4-1];
/// 3.1.1 [MQTT-3.1.2-3], [MQTT-3.1.2-11], [MQTT-3.1.2-13], [MQTT-3.1.2-14], [MQTT-3.1.2-15],
/// [MQTT-3.1.4-1].
#[test]
fn connect_flags_that_contradict_themselves() {
    each(&[Version::V311, Version::V5], |broker, version| {
        let id = text("flags");
        let try_flags = |flags, what: &str| {
            rejected(broker, version, &connect_body(version, flags, &[&id]), what);
        };
        try_flags(0x03, "reserved bit set [MQTT-3.1.2-3]");
        try_flags(0x0A, "Will QoS 1 without Will");
        try_flags(0x12, "Will QoS 2 without Will");
        try_flags(0x22, "Will Retain without Will");
    });
    each(&ALL, |broker, version| {
        let none: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        let rest = [&text("w")[..], none, &text("will/t"), &text("x")];
        rejected(broker, version, &connect_body(version, 0x1E, &rest), "Will QoS 3");
    });
}

/// Shows 3.1.1 [MQTT-3.1.2-22].
#[test]
fn a_password_without_user_name_is_for_version_5_only() {
    each_broker(&Options::default(), |broker| {
        let rest = [&text("pw-only")[..], &text("secret")];
        let body = connect_body(Version::V311, 0x42, &rest);
        rejected(broker, Version::V311, &body, "[MQTT-3.1.2-22]");
        let mut client = Client::open(broker, Version::V5);
        client.send(connect_body(Version::V5, 0x42, &rest));
        assert_eq!(client.connack().code, 0);
    });
}

/// Shows 5.0 [MQTT-1.5.4-1], [MQTT-1.5.4-2], [MQTT-3.1.3-4], [MQTT-3.1.3-11], [MQTT-3.1.3-12];
/// 3.1.1 [MQTT-1.5.3-1], [MQTT-1.5.3-2], [MQTT-3.1.3-4], [MQTT-3.1.3-10], [MQTT-3.1.3-11].
#[test]
fn strings_that_are_no_text() {
    let wrong: [(&[u8], &str); 6] = [
        (b"a\x00b", "U+0000 [MQTT-1.5.4-2]"),
        (b"\xFF\xFE", "no UTF-8"),
        (b"\xC0\xAF", "an overlong form"),
        (b"\xED\xA0\x80", "a surrogate [MQTT-1.5.4-1]"),
        (b"\xF4\x90\x80\x80", "beyond U+10FFFF"),
        (b"a\xE2\x82", "a cut-off character"),
    ];
    each(&ALL, |broker, version| {
        let none: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        for (bytes, what) in wrong {
            let id = connect_body(version, 0x02, &[&text(bytes)]);
            rejected(broker, version, &id, &format!("Client Identifier with {what}"));
            let user = connect_body(version, 0x82, &[&text("u"), &text(bytes)]);
            rejected(broker, version, &user, &format!("User Name with {what}"));
            let will = [&text("w")[..], none, &text(bytes), &text("x")];
            let will = connect_body(version, 0x06, &will);
            rejected(broker, version, &will, &format!("Will Topic with {what}"));
        }
    });
}

/// Shows 5.0 [MQTT-4.7.0-1]; 3.1.1 [MQTT-4.7.1-1].
#[test]
fn a_will_topic_must_be_a_topic_name() {
    each(&ALL, |broker, version| {
        for topic in ["", "a/#", "a/+/b", "#", "+"] {
            let connect = Connect::new(version, &fresh("will")).will(Will::new(topic, "x"));
            let mut client = Client::open(broker, version);
            client.send(connect.bytes());
            match client.try_packet() {
                Some(packet) => {
                    let code = packet.connack(version).code;
                    let told = if version == Version::V5 { 0x81..=0x90 } else { 1..=5 };
                    assert!(told.contains(&code), "{topic:?}: CONNACK {code:#04x}");
                    client.closed();
                }
                None => assert_ne!(version, Version::V5, "{topic:?}: closed without a CONNACK"),
            }
        }
    });
}

/// Shows 5.0 [MQTT-3.1.2-9], [MQTT-3.1.2-17], [MQTT-3.1.2-19], [MQTT-3.1.3-1], [MQTT-3.1.3-3],
/// [MQTT-3.1.4-1]; 3.1.1 [MQTT-3.1.2-9], [MQTT-3.1.2-19], [MQTT-3.1.2-21], [MQTT-3.1.3-1],
/// [MQTT-3.1.3-3], [MQTT-3.1.4-1], [MQTT-3.2.2-6].
#[test]
fn a_body_that_ends_too_early_or_too_late() {
    each(&ALL, |broker, version| {
        let mut whole = Connect::new(version, "cut").will(Will::new("will/topic", "payload"));
        whole.username = Some("user".into());
        whole.password = Some(b"pass".to_vec());
        let bytes = whole.bytes();
        let body = &bytes[2..];
        let header = Connect::protocol(version).len();
        let user_name_on = body.len() - text("user").len() - text("pass").len();
        for length in header..body.len() {
            if version == Version::V31 && [user_name_on, user_name_on + 6].contains(&length) {
                // MQTT 3.1 lets both be missing in spite of their flags.
                continue;
            }
            let short = packet(0x10, &[&body[..length]]);
            rejected(broker, version, &short, &format!("{length} of {} bytes", body.len()));
        }
        for length in 0..header {
            // The version is not known yet, so there is no form to answer in.
            let mut client = Client::open(broker, version);
            client.send(packet(0x10, &[&body[..length]]));
            if let Some(answer) = client.try_packet() {
                assert_eq!(answer.first, 0x20, "{length} bytes: {answer:?}");
                client.closed();
            }
        }
        rejected(broker, version, &packet(0x10, &[body, &[0]]), "a byte too many");
    });
}

/// Shows 5.0 [MQTT-2.1.3-1]; 3.1.1 [MQTT-2.2.2-1], [MQTT-2.2.2-2].
#[test]
fn fixed_header_flags_must_be_zero() {
    each(&ALL, |broker, version| {
        for flags in 1..16 {
            let mut bytes = Connect::new(version, "flags").bytes();
            bytes[0] |= flags;
            let mut client = Client::open(broker, version);
            client.send(bytes);
            if let Some(answer) = client.try_packet() {
                let code = answer.connack(version).code;
                assert!(MALFORMED.contains(&code), "flags {flags:#x}: CONNACK {code:#04x}");
                client.closed();
            }
        }
    });
}

/// Shows 5.0 [MQTT-3.1.0-1], [MQTT-3.14.0-1]; 3.1.1 [MQTT-3.1.0-1].
#[test]
fn the_first_packet_must_be_connect() {
    each(&ALL, |broker, version| {
        let mut others = vec![
            Publish::new(version, "t", "x").bytes(),
            subscribe(version, 1, &[("t", 0)]),
            vec![0xC0, 0x00],
            vec![0xE0, 0x00],
        ];
        others.extend((0..16).filter(|kind| *kind != 1).map(|kind| vec![kind << 4, 0]));
        others.push(vec![0xF0, 0x02, 0x18, 0x00]);
        for bytes in others {
            let mut client = Client::open(broker, version);
            client.send(&bytes);
            client.closed();
        }
    });
}

#[test]
fn a12_foreign_protocols_are_closed_with_one_line_in_the_log() {
    each_own_broker(&Options::default(), |broker| {
        let mut others = Bystanders::new(broker);
        let greetings: [&[u8]; 5] = [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
            b"SSH-2.0-OpenSSH_9.2p1\r\n",
            b"\r\n\r\n\x00\r\nQUIT\n",
            &[0xFF; 4096],
        ];
        broker.wait_log_lines("New client connected", 2);
        let before = broker.log_len();
        for greeting in greetings {
            let mut client = Client::open(broker, Version::V311);
            client.send(greeting);
            client.closed();
            others.exchange();
        }
        let sentence = "Client <unknown> disconnected due to protocol error.";
        let lines = broker.wait_log_lines(sentence, greetings.len());
        assert!(lines.iter().all(|line| line.len() < 120), "{lines:?}");
        // Beside the one that tells of its being accepted.
        assert_eq!(broker.log_len(), before + 2 * greetings.len(), "one line for each, no more");
    });
}

/// Shows 5.0 [MQTT-3.1.0-2], [MQTT-3.2.0-2], [MQTT-3.14.2-1]; 3.1.1 [MQTT-3.1.0-2].
#[test]
fn a_second_connect_ends_the_connection() {
    each_broker(&Options::default(), |broker| {
        each_version(&ALL, |version| {
            let id = fresh("twice");
            let again = Connect::new(version, &id).bytes();
            // Whatever else is wrong with it, which a CONNACK alone could tell.
            let rest = [version as u8, 2, 0, 60];
            let another_name = packet(0x10, &[&text("MQTX"), &rest]);
            let another_level = packet(0x10, &[&text("MQTT"), &[9, 2, 0, 60]]);
            for second in [again, another_name, another_level, packet(0x10, &[])] {
                let mut client = Client::connect(broker, version, &id);
                client.send(second);
                client.closed_for(0x82);
            }
        });
    });
}

/// Shows 5.0 [MQTT-4.13.1-1]; 3.1.1 [MQTT-4.8.0-1].
#[test]
fn a_remaining_length_of_five_bytes_is_malformed() {
    each(&ALL, |broker, version| {
        for first in [0x10, 0x30, 0x82] {
            let mut client = Client::open(broker, version);
            client.send([first, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
            if let Some(answer) = client.try_packet() {
                assert_eq!((first, answer.first), (0x10, 0x20), "{answer:?}");
                client.closed();
            }
            let mut client = Client::connect(broker, version, &fresh("length"));
            client.send([first, 0x80, 0x80, 0x80, 0x80, 0x01]);
            client.closed_for_any(&MALFORMED);
        }
    });
}

/// Shows 5.0 [MQTT-3.1.2-16], [MQTT-3.1.2-18]; 3.1.1 [MQTT-3.1.2-11], [MQTT-3.1.2-18],
/// [MQTT-3.1.2-20].
#[test]
fn fields_without_their_flag_are_refused() {
    each(&ALL, |broker, version| {
        let none: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        let id = text("flags");
        let user = [&id[..], &text("user")];
        rejected(broker, version, &connect_body(version, 0x02, &user), "a User Name");
        let both = [&id[..], &text("user"), &text("pass")];
        rejected(broker, version, &connect_body(version, 0x82, &both), "a Password");
        let will = [&id[..], none, &text("will/topic"), &text("x")];
        rejected(broker, version, &connect_body(version, 0x02, &will), "a Will");
    });
}

/// Shows 5.0 [MQTT-1.5.5-1].
#[test]
fn lengths_that_are_longer_than_they_need_be() {
    each_broker(&Options::default(), |broker| {
        let version = Version::V5;
        // One length in each, in two bytes where one would do: Remaining Length, Property Length.
        let overlong: [&[u8]; 3] = [
            &[0xC0, 0x80, 0x00],
            &[0x30, 0x85, 0x00, 0x00, 0x01, b't', 0x00, b'x'],
            &[0x30, 0x06, 0x00, 0x01, b't', 0x80, 0x00, b'x'],
        ];
        for bytes in overlong {
            let mut client = Client::connect(broker, version, &fresh("overlong"));
            client.send(bytes);
            client.closed_for(0x81);
        }
        let head = [&Connect::protocol(version)[..], &[0x02, 0, 60], &[0x80, 0x00]].concat();
        rejected(broker, version, &packet(0x10, &[&head, &text("overlong")]), "property length");
        let mut connect = Connect::new(version, &fresh("overlong")).bytes();
        connect[1] |= 0x80;
        connect.insert(2, 0x00);
        rejected(broker, version, &connect, "remaining length");
    });
}

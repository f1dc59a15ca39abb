//! What must not decode, and the reason each is given.

use super::*;
use Role::{Client, Server};
use Version::{V5, V31, V311};

const MALFORMED: ReasonCode = ReasonCode::MALFORMED_PACKET;
const PROTOCOL: ReasonCode = ReasonCode::PROTOCOL_ERROR;

#[track_caller]
fn refuse(bytes: &[u8], version: Version, role: Role, reason: ReasonCode) {
    let error = read(bytes, version, role).expect_err("not allowed");
    assert_eq!(error.reason, reason, "{version:?}: {error}");
}

#[track_caller]
fn refuse_clause(bytes: &[u8], version: Version, role: Role, clause: &str) {
    let error = read(bytes, version, role).expect_err("not allowed");
    assert_eq!(error.clause, clause, "{version:?}: {error}");
}

/// A packet of each type that decodes, for the version and whoever hears it.
fn valid(ty: PacketType, version: Version) -> (Vec<u8>, Role) {
    let v5 = version.is_v5();
    let (role, body): (Role, &[u8]) = match ty {
        PacketType::Connect if version == V31 => {
            (Server, b"\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00")
        }
        PacketType::Connect if v5 => (Server, b"\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00"),
        PacketType::Connect => (Server, b"\x00\x04MQTT\x04\x02\x00\x00\x00\x00"),
        PacketType::Connack => (Client, if v5 { &[0, 0, 0] } else { &[0, 0] }),
        PacketType::Publish => (Server, b"\x00\x01t\x00"),
        PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
            (Server, &[0, 1])
        }
        PacketType::Subscribe if v5 => (Server, b"\x00\x01\x00\x00\x01t\x00"),
        PacketType::Subscribe => (Server, b"\x00\x01\x00\x01t\x00"),
        PacketType::Unsubscribe if v5 => (Server, b"\x00\x01\x00\x00\x01t"),
        PacketType::Unsubscribe => (Server, b"\x00\x01\x00\x01t"),
        PacketType::Suback => (Client, if v5 { &[0, 1, 0, 0] } else { &[0, 1, 0] }),
        PacketType::Unsuback => (Client, if v5 { &[0, 1, 0, 0] } else { &[0, 1] }),
        PacketType::Pingreq | PacketType::Disconnect => (Server, &[]),
        PacketType::Pingresp => (Client, &[]),
        PacketType::Auth => (Server, &[0x19]),
    };
    (frame(ty.first_byte(), body), role)
}

fn all() -> impl Iterator<Item = (PacketType, Version)> {
    let exists = |&(ty, version): &(PacketType, Version)| ty != PacketType::Auth || version == V5;
    PacketType::ALL
        .into_iter()
        .flat_map(|ty| [V31, V311, V5].map(|version| (ty, version)))
        .filter(exists)
}

#[test]
fn reserved_flags_of_the_fixed_header() {
    for (ty, version) in all().filter(|&(ty, _)| ty != PacketType::Publish) {
        let (mut bytes, role) = valid(ty, version);
        for flags in 0..16 {
            bytes[0] = (ty as u8) << 4 | flags;
            // 3.1 gave senders of other packets leave to set DUP.
            let lenient = version == V31 && ty != PacketType::Connect;
            let expected =
                if flags == ty.fixed_flags() || lenient { Ok(()) } else { Err(MALFORMED) };
            let result = read(&bytes, version, role).map(drop).map_err(|error| error.reason);
            assert_eq!(result, expected, "{ty:?} {version:?} {flags:04b}");
        }
    }
}

#[test]
fn flags_of_publish() {
    for version in [V31, V311, V5] {
        for flags in 0..16_u8 {
            let bytes = frame(0x30 | flags, b"\x00\x01t\x00\x01\x00");
            let result = read(&bytes, version, Server);
            let (dup, qos) = (flags & 8 != 0, flags >> 1 & 3);
            match result {
                Ok(Packet::Publish(publish)) => {
                    assert!(qos < 3 && !(dup && qos == 0), "{flags:04b}");
                    assert_eq!((publish.dup, publish.qos as u8), (dup, qos));
                    assert_eq!(publish.retain, flags & 1 != 0);
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) if qos == 3 => assert_eq!(error.clause, "MQTT-3.3.1-4"),
                Err(error) => {
                    assert!(dup && qos == 0, "{flags:04b}: {error}");
                    assert_eq!(error.clause, "MQTT-3.3.1-2");
                }
            }
        }
    }
}

#[test]
fn type_zero_and_type_fifteen_before_v5() {
    for version in [V31, V311, V5] {
        for flags in 0..16 {
            refuse(&[flags, 0], version, Server, MALFORMED);
            refuse(&[flags, 0], version, Client, MALFORMED);
        }
    }
    for role in [Server, Client] {
        refuse(&[0xF0, 0], V31, role, MALFORMED);
        refuse(&[0xF0, 0], V311, role, MALFORMED);
    }
}

#[test]
fn packets_from_the_wrong_side() {
    use PacketType::*;
    for (ty, version) in all() {
        let (bytes, role) = valid(ty, version);
        assert!(read(&bytes, version, role).is_ok(), "{ty:?} {version:?}");
        let both = matches!(ty, Publish | Puback | Pubrec | Pubrel | Pubcomp)
            || ty == Disconnect && version == V5;
        let other = if role == Server { Client } else { Server };
        if both {
            assert!(read(&bytes, version, other).is_ok(), "{ty:?} {version:?}");
        } else {
            refuse(&bytes, version, other, PROTOCOL);
        }
    }
}

#[test]
fn bytes_left_over() {
    for (ty, version) in all() {
        // A longer PUBLISH is one with a longer payload, a longer SUBACK has more codes, and so
        // on; what is left is the packets of fixed shape.
        let (mut bytes, role) = valid(ty, version);
        let open_end = match ty {
            PacketType::Publish | PacketType::Suback => true,
            PacketType::Subscribe | PacketType::Unsubscribe => false,
            PacketType::Unsuback => version == V5,
            PacketType::Disconnect | PacketType::Auth => version == V5,
            PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
                version == V5
            }
            _ => false,
        };
        if !open_end {
            bytes.push(0);
            bytes[1] += 1;
            refuse(&bytes, version, role, MALFORMED);
        }
    }
    // The optional ends of v5, one byte longer.
    refuse(&[0x40, 5, 0, 1, 0, 0, 0], V5, Server, MALFORMED);
    refuse(&[0xE0, 3, 0, 0, 0], V5, Server, MALFORMED);
    refuse(&[0xF0, 3, 0x19, 0, 0], V5, Server, MALFORMED);
}

#[test]
fn remaining_lengths_longer_than_need_be() {
    let ping = [0xC0, 0x80, 0x00];
    assert_eq!(read(&ping, V311, Server), Ok(Packet::Pingreq));
    refuse_clause(&ping, V5, Server, "MQTT-1.5.5-1");
    refuse_clause(b"\x30\x84\x00\x00\x01t\x00", V5, Server, "MQTT-1.5.5-1");
    refuse_clause(
        b"\x10\x8D\x00\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00",
        V311,
        Server,
        "MQTT-1.5.5-1",
    );
}

#[test]
fn protocol_names_and_levels_not_served() {
    let cases: [&[u8]; 8] = [
        b"\x00\x04MQTT\x03",
        b"\x00\x04MQTT\x06",
        b"\x00\x04MQTT\x00",
        b"\x00\x04MQTT\x85",
        b"\x00\x06MQIsdp\x04",
        b"\x00\x06MQIsdp\x05",
        b"\x00\x04mqtt\x04",
        b"\x00\x00\x04",
    ];
    for start in cases {
        let bytes = frame(0x10, &[start, b"\x02\x00\x00\x00\x00\x00"].concat());
        refuse(&bytes, V5, Server, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
    }
}

#[test]
fn connect_flags_in_all_combinations() {
    for version in [V311, V5] {
        for flags in 0..=u8::MAX {
            let [reserved, will, retain, password, username] =
                [0, 2, 5, 6, 7].map(|bit| flags >> bit & 1 == 1);
            let qos = flags >> 3 & 3;
            let mut body = b"\x00\x04MQTT".to_vec();
            body.extend_from_slice(&[version as u8, flags, 0, 0]);
            let properties: &[u8] = if version == V5 { &[0] } else { &[] };
            body.extend_from_slice(properties);
            body.extend_from_slice(&[0, 1, b'c']);
            if will {
                body.extend_from_slice(properties);
                body.extend_from_slice(&[0, 1, b'w', 0, 0]);
            }
            let fields = usize::from(password) + usize::from(username);
            body.extend_from_slice(&[0, 0, 0, 0][..2 * fields]);
            let allowed = !reserved
                && qos < 3
                && (will || qos == 0 && !retain)
                && (version == V5 || username || !password);
            let bytes = frame(0x10, &body);
            match read(&bytes, V311, Server) {
                Ok(Packet::Connect(connect)) => {
                    assert!(allowed, "{version:?} {flags:08b}");
                    assert_eq!(connect.clean_start, flags & 2 != 0);
                    assert_eq!(connect.will.map(|will| will.qos as u8), will.then_some(qos));
                    assert_eq!(connect.username.is_some(), username);
                    assert_eq!(connect.password.is_some(), password);
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert!(!allowed, "{version:?} {flags:08b}: {error}");
                    assert_eq!(error.reason, MALFORMED);
                }
            }
        }
    }
}

#[test]
fn will_topics() {
    let connect = |topic: &[u8]| {
        let start = b"\x00\x04MQTT\x04\x04\x00\x00\x00\x01c\x00";
        frame(0x10, &[start, &[topic.len() as u8][..], topic, &[0, 0]].concat())
    };
    assert!(read(&connect(b"w"), V311, Server).is_ok());
    for topic in [&b""[..], b"w/#", b"+"] {
        refuse(&connect(topic), V311, Server, ReasonCode::TOPIC_NAME_INVALID);
    }
    refuse(&connect(b"w\0"), V311, Server, MALFORMED);
}

#[test]
fn topic_names_of_publish() {
    refuse(b"\x30\x05\x00\x03a/+", V311, Server, ReasonCode::TOPIC_NAME_INVALID);
    refuse(b"\x30\x06\x00\x03#/a\x00", V5, Client, ReasonCode::TOPIC_NAME_INVALID);
    refuse(b"\x30\x04\x00\x02a\0", V311, Server, MALFORMED);
    refuse(b"\x30\x04\x00\x02a\xFF", V311, Server, MALFORMED);
    refuse(b"\x30\x02\x00\x00", V311, Server, PROTOCOL);
    refuse(b"\x30\x03\x00\x00\x00", V5, Server, PROTOCOL);
    refuse(b"\x30\x06\x00\x00\x03\x23\x00\x00", V5, Server, ReasonCode::TOPIC_ALIAS_INVALID);
    let deep = [&b"\x30\xCA\x01\x00\xC8"[..], &[b'/'; 200]].concat();
    refuse(&deep, V311, Server, ReasonCode::TOPIC_NAME_INVALID);
}

#[test]
fn packet_identifier_zero_or_missing() {
    refuse(b"\x32\x05\x00\x01t\x00\x00", V311, Server, PROTOCOL);
    refuse(b"\x34\x06\x00\x01t\x00\x00\x00", V5, Server, PROTOCOL);
    refuse(b"\x32\x03\x00\x01t", V311, Server, MALFORMED);
    refuse(b"\x32\x04\x00\x01t\x01", V5, Server, MALFORMED);
    for first in [0x40, 0x50, 0x62, 0x70, 0x82, 0xA2] {
        refuse(&frame(first, &[0, 0]), V311, Server, PROTOCOL);
        refuse(&frame(first, &[0, 0, 0, 0]), V5, Server, PROTOCOL);
        refuse(&frame(first, &[1]), V5, Server, MALFORMED);
        refuse(&frame(first, &[]), V311, Server, MALFORMED);
    }
    for first in [0x90, 0xB0] {
        refuse(&frame(first, &[0, 0, 0, 0]), V5, Client, PROTOCOL);
    }
}

#[test]
fn properties_that_publish_may_not_carry() {
    let publish = |properties: &[u8]| {
        frame(0x30, &[b"\x00\x01t", &[properties.len() as u8][..], properties].concat())
    };
    let foreign: [&[u8]; 4] =
        [&[0x1C, 0, 1, b's'], &[0x18, 0, 0, 0, 1], &[0x11, 0, 0, 0, 1], &[0x1F, 0, 0]];
    for properties in foreign {
        refuse(&publish(properties), V5, Server, PROTOCOL);
        refuse(&publish(properties), V5, Client, PROTOCOL);
    }
    refuse_clause(&publish(&[0x0B, 1]), V5, Server, "MQTT-3.3.4-6");
    refuse(&publish(&[0x0B, 0]), V5, Client, PROTOCOL);
    refuse(&publish(&[0x01, 2]), V5, Server, PROTOCOL);
    refuse(&publish(&[0x01, 1, 0x01, 1]), V5, Server, PROTOCOL);
    refuse(&publish(&[0x08, 0, 1, b'#']), V5, Server, PROTOCOL);
    refuse(&publish(&[0x03, 0, 1, 0xFF]), V5, Server, MALFORMED);
    refuse(&publish(&[0x26, 0, 1, b'k', 0, 1, 0]), V5, Server, MALFORMED);
    // A property that reaches out of its section into the payload.
    refuse(&frame(0x30, b"\x00\x01t\x03\x03\x00\x05hello"), V5, Server, MALFORMED);
}

#[test]
fn subscriptions() {
    refuse(&[0x82, 2, 0, 1], V311, Server, PROTOCOL);
    refuse(&[0x82, 3, 0, 1, 0], V5, Server, PROTOCOL);
    refuse(&[0xA2, 2, 0, 1], V311, Server, PROTOCOL);
    refuse(&[0xA2, 3, 0, 1, 0], V5, Server, PROTOCOL);
    refuse(b"\x82\x05\x00\x01\x00\x01t", V311, Server, MALFORMED);
    for options in 0..=u8::MAX {
        let v3 = frame(0x82, &[0, 1, 0, 1, b't', options]);
        assert_eq!(read(&v3, V311, Server).is_ok(), options < 3, "{options:08b}");
        let v5 = frame(0x82, &[0, 1, 0, 0, 1, b't', options]);
        let allowed = options & 0xC0 == 0 && options & 3 != 3 && options >> 4 & 3 != 3;
        match read(&v5, V5, Server) {
            Ok(Packet::Subscribe(subscribe)) => {
                assert!(allowed, "{options:08b}");
                let (filter, read) = subscribe.filters.iter().next().unwrap();
                assert_eq!((filter, read.to_u8()), ("t", options));
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => assert!(!allowed, "{options:08b}"),
        }
    }
}

#[test]
fn wildcards_in_filters_are_left_to_the_caller() {
    let bytes = b"\x82\x07\x00\x01\x00\x02a#\x00";
    let Ok(Packet::Subscribe(subscribe)) = read(bytes, V311, Server) else { panic!("SUBSCRIBE") };
    assert!(subscribe.filters.iter().all(|(filter, _)| check_topic_filter(filter).is_err()));
}

#[test]
fn reason_codes_of_other_packets() {
    for code in (0..=u8::MAX).map(ReasonCode) {
        for ty in [PacketType::Puback, PacketType::Pubrel, PacketType::Disconnect] {
            let body: &[u8] =
                if ty == PacketType::Disconnect { &[code.0] } else { &[0, 1, code.0] };
            let bytes = frame(ty.first_byte(), body);
            let result = read(&bytes, V5, Server);
            assert_eq!(result.is_ok(), code.valid_in(ty), "{ty:?} {code}");
        }
        let allowed = code.valid_in(PacketType::Suback);
        assert_eq!(read(&frame(0x90, &[0, 1, 0, code.0]), V5, Client).is_ok(), allowed, "{code}");
        let v3 = matches!(code.0, 0..=2 | 0x80);
        assert_eq!(read(&frame(0x90, &[0, 1, code.0]), V311, Client).is_ok(), v3, "{code}");
        let connack = read(&frame(0x20, &[0, code.0]), V311, Client).is_ok();
        assert_eq!(connack, code.0 <= 5, "{code}");
    }
}

#[test]
fn each_side_has_its_own_words_in_auth() {
    refuse(&[0xF0, 0], V5, Server, PROTOCOL);
    refuse(&[0xF0, 1, 0x19], V5, Client, PROTOCOL);
    assert!(read(&[0xF0, 1, 0x18], V5, Server).is_ok());
    assert!(read(&[0xF0, 1, 0x18], V5, Client).is_ok());
}

#[test]
fn authentication_data_without_a_method() {
    refuse(&frame(0xF0, &[0x18, 4, 0x16, 0, 1, 7]), V5, Server, PROTOCOL);
    let connect = frame(0x10, b"\x00\x04MQTT\x05\x00\x00\x00\x03\x16\x00\x00\x00\x00");
    refuse(&connect, V5, Server, PROTOCOL);
}

#[test]
fn what_only_one_side_may_put_into_connack_and_disconnect() {
    refuse_clause(&frame(0xE0, &[0, 5, 0x11, 0, 0, 0, 1]), V5, Client, "MQTT-3.14.2-2");
    refuse_clause(&frame(0x20, &[1, 5]), V311, Client, "MQTT-3.2.2-6");
    refuse_clause(&frame(0x20, &[2, 0]), V311, Client, "MQTT-3.2.2-1");
}

#[test]
fn tens_of_thousands_of_user_properties_are_counted() {
    let count = 50_000_usize;
    let section = [0x26, 0, 1, b'k', 0, 0].repeat(count);
    let mut body = b"\x00\x04MQTT\x05\x02\x00\x00".to_vec();
    wire::put::varint(&mut body, section.len() as u32);
    body.extend_from_slice(&section);
    body.extend_from_slice(&[0, 0]);
    let mut bytes = vec![0x10];
    wire::put::varint(&mut bytes, body.len() as u32);
    bytes.extend_from_slice(&body);
    let Ok(Packet::Connect(connect)) = read(&bytes, V5, Server) else { panic!("CONNECT") };
    assert_eq!(connect.properties.user_properties.len(), count);
    assert_eq!(connect.properties.user_properties.iter().count(), count);
}

//! Packets written by hand, decoded and encoded.

use super::*;
use Role::{Client, Server};
use Version::{V5, V31, V311};

/// Asserts that the bytes mean the packet, and that the packet is written as these bytes.
#[track_caller]
fn same(bytes: &[u8], version: Version, role: Role, packet: Packet<'_>) {
    assert_eq!(read(bytes, version, role).as_ref(), Ok(&packet), "decode {version:?}");
    let mut out = Vec::new();
    encode(&packet, version, &mut out);
    assert_eq!(out, bytes, "encode {version:?}");
}

/// Asserts that the bytes mean the packet, though it would be written shorter.
#[track_caller]
fn means(bytes: &[u8], version: Version, role: Role, packet: Packet<'_>) {
    assert_eq!(read(bytes, version, role), Ok(packet), "{version:?}");
}

fn plain_connect(version: Version, client_id: &str) -> Connect<'_> {
    Connect {
        version,
        bridge: false,
        clean_start: false,
        keep_alive: 0,
        client_id,
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    }
}

fn connect(connect: Connect<'_>) -> Packet<'_> {
    Packet::Connect(Box::new(connect))
}

#[test]
fn connect_of_each_version() {
    let bytes = b"\x10\x0F\x00\x06MQIsdp\x03\x02\x00\x3C\x00\x01c";
    let expected = Connect { clean_start: true, keep_alive: 60, ..plain_connect(V31, "c") };
    // The version given is not the packet's, and does not matter.
    same(bytes, V5, Server, connect(expected));

    let bytes = b"\x10\x0C\x00\x04MQTT\x04\x00\x00\x00\x00\x00";
    same(bytes, V5, Server, connect(plain_connect(V311, "")));

    let bytes = b"\x10\x0D\x00\x04MQTT\x05\x00\x00\x00\x00\x00\x00";
    same(bytes, V311, Server, connect(plain_connect(V5, "")));
}

#[test]
fn connect_of_a_bridge() {
    let bytes = b"\x10\x0D\x00\x04MQTT\x84\x00\x00\x00\x00\x01b";
    same(bytes, V311, Server, connect(Connect { bridge: true, ..plain_connect(V311, "b") }));
    let bytes = b"\x10\x0F\x00\x06MQIsdp\x83\x00\x00\x00\x00\x01b";
    same(bytes, V311, Server, connect(Connect { bridge: true, ..plain_connect(V31, "b") }));
}

#[test]
fn connect_v311_with_everything() {
    let head = b"\x10\x1C\x00\x04MQTT\x04\xF6\xFF\xFF";
    let bytes = &[&head[..], b"\x00\x02id\x00\x02wt\x00\x01\xFF\x00\x01u\x00\x02\x00\x01"].concat();
    let will = Will {
        qos: QoS::ExactlyOnce,
        retain: true,
        topic: "wt",
        payload: b"\xFF",
        ..Will::default()
    };
    let expected = Connect {
        clean_start: true,
        keep_alive: 65_535,
        username: Some("u"),
        password: Some(&[0, 1]),
        will: Some(will),
        ..plain_connect(V311, "id")
    };
    same(bytes, V311, Server, connect(expected));
}

#[test]
fn connect_v5_with_everything() {
    #[rustfmt::skip]
    let properties = [
        0x11, 0, 0, 0, 5, 0x21, 0, 6, 0x27, 0, 0, 1, 0, 0x22, 0, 7, 0x19, 1, 0x17, 0,
        0x15, 0, 1, b'm', 0x16, 0, 2, 9, 8, 0x26, 0, 2, b'k', b'1', 0, 2, b'v', b'1',
    ];
    let mut body = b"\x00\x04MQTT\x05\xCC\x00\x0A".to_vec();
    body.push(properties.len() as u8);
    body.extend_from_slice(&properties);
    body.extend_from_slice(&[0, 1, b'c']);
    body.extend_from_slice(&[16, 0x18, 0, 0, 0, 3, 0x02, 0, 0, 0, 4, 0x03, 0, 1, b't', 0x01, 1]);
    body.extend_from_slice(&[0, 1, b'w', 0, 0, 0, 1, b'u', 0, 1, b'p']);
    let bytes = frame(0x10, &body);

    let forward = [0x03, 0, 1, b't', 0x01, 1];
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "w",
        payload: b"",
        delay_s: 3,
        message_expiry: Some(4),
        forward: ForwardProperties::from_slice(&forward),
    };
    let properties = ConnectProperties {
        session_expiry: 5,
        receive_maximum: 6,
        maximum_packet_size: 256,
        topic_alias_maximum: 7,
        request_response_information: true,
        request_problem_information: false,
        authentication_method: Some("m"),
        authentication_data: Some(&[9, 8]),
        user_properties: UserProperties::from_pairs(&[("k1", "v1")]),
    };
    let expected = Connect {
        keep_alive: 10,
        username: Some("u"),
        password: Some(b"p"),
        will: Some(will),
        properties,
        ..plain_connect(V5, "c")
    };
    same(&bytes, V5, Server, connect(expected));
}

#[test]
fn v5_allows_a_password_alone() {
    let bytes = b"\x10\x10\x00\x04MQTT\x05\x40\x00\x00\x00\x00\x00\x00\x01p";
    let expected = Connect { password: Some(b"p"), ..plain_connect(V5, "") };
    same(bytes, V5, Server, connect(expected));
}

#[test]
fn in_v31_the_end_of_the_packet_outweighs_the_flags() {
    let bytes = b"\x10\x0F\x00\x06MQIsdp\x03\xC0\x00\x00\x00\x01c";
    means(bytes, V31, Server, connect(plain_connect(V31, "c")));
}

#[test]
fn connack_of_each_version() {
    let refused = Connack { reason: ReasonCode(5), ..Connack::default() };
    same(&[0x20, 2, 0, 5], V31, Client, Packet::Connack(refused));
    same(&[0x20, 2, 0, 5], V311, Client, Packet::Connack(refused));
    let present = Connack { session_present: true, ..Connack::default() };
    same(&[0x20, 2, 1, 0], V311, Client, Packet::Connack(present));
    same(&[0x20, 3, 1, 0, 0], V5, Client, Packet::Connack(present));
    means(&[0x20, 2, 0xFF, 0], V31, Client, Packet::Connack(Connack::default()));
}

#[test]
fn connack_reasons_are_translated_for_v3() {
    let connack = Connack { reason: ReasonCode::NOT_AUTHORIZED, ..Connack::default() };
    for version in [V31, V311] {
        let mut out = Vec::new();
        encode(&Packet::Connack(connack), version, &mut out);
        assert_eq!(out, [0x20, 2, 0, 5]);
    }
}

#[test]
fn connack_v5_with_everything() {
    #[rustfmt::skip]
    let properties = [
        0x11, 0, 0, 0, 1, 0x21, 0, 2, 0x24, 1, 0x25, 0, 0x27, 0, 0, 0, 3,
        0x12, 0, 1, b'a', 0x22, 0, 4, 0x1F, 0, 1, b'r', 0x26, 0, 1, b'k', 0, 1, b'v',
        0x28, 1, 0x29, 0, 0x2A, 1, 0x13, 0, 5, 0x1A, 0, 1, b'i', 0x1C, 0, 1, b's',
        0x15, 0, 1, b'm', 0x16, 0, 1, 0xFF,
    ];
    let mut body = vec![0, 0x87, properties.len() as u8];
    body.extend_from_slice(&properties);
    let expected = ConnackProperties {
        session_expiry: Some(1),
        receive_maximum: Some(2),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: Some(3),
        assigned_client_id: Some("a"),
        topic_alias_maximum: Some(4),
        reason_string: Some("r"),
        user_properties: UserProperties::from_pairs(&[("k", "v")]),
        wildcard_available: Some(true),
        subscription_ids_available: Some(false),
        shared_available: Some(true),
        server_keep_alive: Some(5),
        response_information: Some("i"),
        server_reference: Some("s"),
        authentication_method: Some("m"),
        authentication_data: Some(&[0xFF]),
    };
    let connack = Connack {
        session_present: false,
        reason: ReasonCode::NOT_AUTHORIZED,
        properties: expected,
    };
    same(&frame(0x20, &body), V5, Client, Packet::Connack(connack));
}

#[test]
fn publish_without_properties() {
    let qos0 = Publish { topic: "a/b", payload: b"hi", ..Publish::default() };
    let qos1 = Publish {
        dup: true,
        qos: QoS::AtLeastOnce,
        packet_id: 0x0102,
        retain: true,
        ..qos0.clone()
    };
    let qos2 = Publish { qos: QoS::ExactlyOnce, packet_id: 0xFFFF, payload: b"", ..qos0.clone() };
    for role in [Server, Client] {
        for version in [V31, V311] {
            same(b"\x30\x07\x00\x03a/bhi", version, role, Packet::Publish(qos0.clone()));
            same(b"\x3B\x09\x00\x03a/b\x01\x02hi", version, role, Packet::Publish(qos1.clone()));
            same(b"\x34\x07\x00\x03a/b\xFF\xFF", version, role, Packet::Publish(qos2.clone()));
        }
        same(b"\x30\x08\x00\x03a/b\x00hi", V5, role, Packet::Publish(qos0.clone()));
        same(b"\x3B\x0A\x00\x03a/b\x01\x02\x00hi", V5, role, Packet::Publish(qos1.clone()));
        same(b"\x34\x08\x00\x03a/b\xFF\xFF\x00", V5, role, Packet::Publish(qos2.clone()));
    }
}

#[test]
fn publish_v5_with_everything() {
    #[rustfmt::skip]
    let forward = [
        0x01, 1, 0x03, 0, 1, b'c', 0x08, 0, 1, b'r', 0x09, 0, 1, 0,
        0x26, 0, 1, b'k', 0, 1, b'1', 0x26, 0, 1, b'k', 0, 1, b'2',
    ];
    let mut body = vec![0, 1, b't', 0, 9, 8 + forward.len() as u8];
    body.extend_from_slice(&[0x02, 0, 0, 0, 60, 0x23, 0, 2]);
    body.extend_from_slice(&forward);
    body.extend_from_slice(b"payload");
    let publish = Publish {
        qos: QoS::AtLeastOnce,
        topic: "t",
        packet_id: 9,
        topic_alias: Some(2),
        message_expiry: Some(60),
        forward: ForwardProperties::from_slice(&forward),
        payload: b"payload",
        ..Publish::default()
    };
    same(&frame(0x32, &body), V5, Server, Packet::Publish(publish));
}

#[test]
fn publish_by_alias_and_with_subscription_identifiers() {
    let bytes = [0x30, 13, 0, 0, 8, 0x23, 0, 1, 0x0B, 5, 0x0B, 0x80, 0x01, b'x', b'y'];
    let publish = Publish {
        topic_alias: Some(1),
        subscription_ids: [5, 128].into_iter().collect(),
        payload: b"xy",
        ..Publish::default()
    };
    same(&bytes, V5, Client, Packet::Publish(publish));
}

#[test]
fn forwarded_properties_keep_their_order_whatever_stands_between() {
    #[rustfmt::skip]
    let bytes = [
        0x30, 29, 0, 1, b't', 25,
        0x26, 0, 1, b'a', 0, 0, 0x23, 0, 1, 0x26, 0, 1, b'b', 0, 0, 0x02, 0, 0, 0, 1, 0x01, 0,
        0x09, 0, 0,
    ];
    let Ok(Packet::Publish(publish)) = read(&bytes, V5, Server) else { panic!("a PUBLISH") };
    let mut out = Vec::new();
    publish.forward.write_to(&mut out);
    let expected = [0x26, 0, 1, b'a', 0, 0, 0x26, 0, 1, b'b', 0, 0, 0x01, 0, 0x09, 0, 0];
    assert_eq!(out, expected);
    assert_eq!((publish.topic_alias, publish.message_expiry), (Some(1), Some(1)));
}

#[test]
fn acknowledgements_of_each_kind() {
    type Wrap = fn(Ack<'_>) -> Packet<'_>;
    let kinds: [(u8, Wrap); 4] = [
        (0x40, |ack| Packet::Puback(ack)),
        (0x50, |ack| Packet::Pubrec(ack)),
        (0x62, |ack| Packet::Pubrel(ack)),
        (0x70, |ack| Packet::Pubcomp(ack)),
    ];
    for (first, wrap) in kinds {
        let success = Ack { packet_id: 0x1234, ..Ack::default() };
        for role in [Server, Client] {
            for version in [V31, V311, V5] {
                same(&[first, 2, 0x12, 0x34], version, role, wrap(success));
            }
            means(&[first, 3, 0x12, 0x34, 0], V5, role, wrap(success));
            means(&[first, 4, 0x12, 0x34, 0, 0], V5, role, wrap(success));

            let failure = if first < 0x60 { 0x80 } else { 0x92 };
            let failed = Ack { reason: ReasonCode(failure), ..success };
            same(&[first, 3, 0x12, 0x34, failure], V5, role, wrap(failed));

            let pairs = [("k", "")];
            let explained = Ack {
                reason_string: Some("r"),
                user_properties: UserProperties::from_pairs(&pairs),
                ..failed
            };
            let tail = [10, 0x1F, 0, 1, b'r', 0x26, 0, 1, b'k', 0, 0];
            let bytes = frame(first, &[&[0x12, 0x34, failure][..], &tail].concat());
            same(&bytes, V5, role, wrap(explained));
        }
    }
}

#[test]
fn subscribe_of_each_version() {
    let filters = [
        ("a/+", SubscribeOptions::at(QoS::AtLeastOnce)),
        ("#", SubscribeOptions::at(QoS::ExactlyOnce)),
    ];
    let subscribe = Subscribe {
        packet_id: 10,
        subscription_id: None,
        user_properties: UserProperties::default(),
        filters: SubscribeFilters::from_slice(&filters),
    };
    for version in [V31, V311] {
        let bytes = b"\x82\x0C\x00\x0A\x00\x03a/+\x01\x00\x01#\x02";
        same(bytes, version, Server, Packet::Subscribe(subscribe));
    }
    let bytes = b"\x82\x0D\x00\x0A\x00\x00\x03a/+\x01\x00\x01#\x02";
    same(bytes, V5, Server, Packet::Subscribe(subscribe));
}

#[test]
fn subscribe_v5_with_everything() {
    let options = SubscribeOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: 2,
    };
    let filters = [("f", options)];
    let subscribe = Subscribe {
        packet_id: 1,
        subscription_id: Some(268_435_455),
        user_properties: UserProperties::from_pairs(&[("", "v")]),
        filters: SubscribeFilters::from_slice(&filters),
    };
    let bytes = b"\x82\x12\x00\x01\x0B\x0B\xFF\xFF\xFF\x7F\x26\x00\x00\x00\x01v\x00\x01f\x2E";
    same(bytes, V5, Server, Packet::Subscribe(subscribe));
}

#[test]
fn unsubscribe_of_each_version() {
    let filters = ["a", "b/#"];
    let unsubscribe = Unsubscribe {
        packet_id: 2,
        user_properties: UserProperties::default(),
        filters: UnsubscribeFilters::from_slice(&filters),
    };
    for version in [V31, V311] {
        let bytes = b"\xA2\x0A\x00\x02\x00\x01a\x00\x03b/#";
        same(bytes, version, Server, Packet::Unsubscribe(unsubscribe));
    }
    let bytes = b"\xA2\x0B\x00\x02\x00\x00\x01a\x00\x03b/#";
    same(bytes, V5, Server, Packet::Unsubscribe(unsubscribe));
}

#[test]
fn suback_and_unsuback_of_each_version() {
    let suback = Suback { packet_id: 3, codes: &[0, 1, 2, 0x80], ..Suback::default() };
    for version in [V31, V311] {
        same(b"\x90\x06\x00\x03\x00\x01\x02\x80", version, Client, Packet::Suback(suback));
        let unsuback = Suback { packet_id: 3, ..Suback::default() };
        same(b"\xB0\x02\x00\x03", version, Client, Packet::Unsuback(unsuback));
    }
    same(b"\x90\x07\x00\x03\x00\x00\x01\x02\x80", V5, Client, Packet::Suback(suback));
    let unsuback =
        Suback { packet_id: 3, reason_string: Some("r"), codes: &[0, 0x11], ..Suback::default() };
    same(b"\xB0\x09\x00\x03\x04\x1F\x00\x01r\x00\x11", V5, Client, Packet::Unsuback(unsuback));
}

#[test]
fn suback_failures_become_one_code_in_v3() {
    let suback = Suback { packet_id: 3, codes: &[1, 0x8F, 0x87], ..Suback::default() };
    let mut out = Vec::new();
    encode(&Packet::Suback(suback), V311, &mut out);
    assert_eq!(out, b"\x90\x05\x00\x03\x01\x80\x80");
}

#[test]
fn pings_of_each_version() {
    for version in [V31, V311, V5] {
        same(&[0xC0, 0], version, Server, Packet::Pingreq);
        same(&[0xD0, 0], version, Client, Packet::Pingresp);
    }
}

#[test]
fn disconnect_of_each_version() {
    let normal = Disconnect::default();
    for version in [V31, V311, V5] {
        same(&[0xE0, 0], version, Server, Packet::Disconnect(normal));
    }
    means(&[0xE0, 1, 0], V5, Server, Packet::Disconnect(normal));
    means(&[0xE0, 2, 0, 0], V5, Client, Packet::Disconnect(normal));

    let taken = Disconnect { reason: ReasonCode::SESSION_TAKEN_OVER, ..normal };
    same(&[0xE0, 1, 0x8E], V5, Client, Packet::Disconnect(taken));

    let moved = Disconnect {
        reason: ReasonCode::SERVER_MOVED,
        reason_string: Some("r"),
        server_reference: Some("s"),
        user_properties: UserProperties::from_pairs(&[("a", "b")]),
        ..normal
    };
    let bytes = b"\xE0\x11\x9D\x0F\x1F\x00\x01r\x1C\x00\x01s\x26\x00\x01a\x00\x01b";
    same(bytes, V5, Client, Packet::Disconnect(moved));

    let leaving = Disconnect {
        reason: ReasonCode::DISCONNECT_WITH_WILL,
        session_expiry: Some(0x01020304),
        ..normal
    };
    let bytes = b"\xE0\x07\x04\x05\x11\x01\x02\x03\x04";
    same(bytes, V5, Server, Packet::Disconnect(leaving));
}

#[test]
fn auth_of_both_sides() {
    same(&[0xF0, 0], V5, Client, Packet::Auth(Auth::default()));
    means(&[0xF0, 1, 0], V5, Client, Packet::Auth(Auth::default()));
    let auth = Auth {
        reason: ReasonCode::CONTINUE_AUTHENTICATION,
        method: Some("m"),
        data: Some(&[0, 255]),
        reason_string: Some("r"),
        user_properties: UserProperties::from_pairs(&[("a", "b")]),
    };
    let bytes =
        b"\xF0\x16\x18\x14\x15\x00\x01m\x16\x00\x02\x00\xFF\x1F\x00\x01r\x26\x00\x01a\x00\x01b";
    same(bytes, V5, Server, Packet::Auth(auth));
    same(bytes, V5, Client, Packet::Auth(auth));
}

#[test]
fn a_publish_head_tells_where_its_packet_identifier_stands() {
    let head = PublishHead {
        version: V5,
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        packet_id: 0x0A0B,
        topic: "t",
        alias: None,
        message_expiry: None,
        subscription_ids: &[1, 200],
        forward: ForwardProperties::default(),
        payload_len: 3,
    };
    let mut out = vec![0xEE];
    let at = head.encode(&mut out).unwrap();
    assert_eq!(out, [0xEE, 0x33, 14, 0, 1, b't', 0x0A, 0x0B, 5, 0x0B, 1, 0x0B, 0xC8, 0x01]);
    assert_eq!(&out[at..at + 2], [0x0A, 0x0B]);
    assert_eq!(head.encoded_len(), out.len() - 1 + 3);

    let qos0 = PublishHead { qos: QoS::AtMostOnce, version: V311, payload_len: 200, ..head };
    out.clear();
    assert_eq!(qos0.encode(&mut out), None);
    assert_eq!(out, [0x31, 0xCB, 0x01, 0, 1, b't']);
    assert_eq!(qos0.encoded_len(), 206);
}

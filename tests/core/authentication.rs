//! AUTH with a pluggable method: one that asks for an echo.

use std::sync::Arc;

use pondhawk::auth::{Method, Methods, Request, Step};
use pondhawk::protocol::ReasonCode;
use pondhawk::shard::memory::{Memory, Wire};

use crate::client::{config, connect5, packet, packets, string};

struct Echo;

impl Method for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn start(&self, request: Request<'_>, state: &mut Vec<u8>) -> Step {
        match request.data {
            b"at once" => Step::Success(Some(b"welcome".to_vec())),
            b"never" => Step::Fail(ReasonCode::NOT_AUTHORIZED),
            _ => {
                state.extend_from_slice(b"ping");
                Step::Continue(b"ping".to_vec())
            }
        }
    }

    fn proceed(&self, data: &[u8], state: &mut Vec<u8>) -> Step {
        let wrong = ReasonCode::BAD_USER_NAME_OR_PASSWORD;
        if data == state { Step::Success(None) } else { Step::Fail(wrong) }
    }
}

fn broker(shards: usize) -> Memory {
    let mut methods = Methods::default();
    methods.add(Arc::new(Echo));
    Memory::new(shards, config(|_| {}), methods)
}

fn binary(id: u8, text: &str) -> Vec<u8> {
    [&[id][..], &string(text)].concat()
}

fn method(data: &str) -> Vec<u8> {
    [binary(0x15, "echo"), binary(0x16, data)].concat()
}

fn auth(reason: u8, properties: &[u8]) -> Vec<u8> {
    packet(0xF0, &[&[reason, properties.len() as u8], properties])
}

fn first_packet(broker: &mut Memory, wire: Wire) -> (u8, Vec<u8>) {
    broker.settle();
    packets(&broker.receive(wire)).swap_remove(0)
}

/// Shows 5.0 [MQTT-3.14.2-1], [MQTT-3.15.2-1], [MQTT-4.12.0-2], [MQTT-4.12.0-5],
/// [MQTT-4.12.1-1], [MQTT-4.12.1-2].
#[test]
fn an_exchange_leads_to_connack_and_can_be_repeated() {
    let mut broker = broker(1);
    let wire = broker.connect(0);
    broker.send(wire, &connect5("c", true, &method("hello")));
    let (first, body) = first_packet(&mut broker, wire);
    assert_eq!((first, body[0]), (0xF0, 0x18));
    assert!(body.ends_with(&method("ping")));
    broker.send(wire, &auth(0x18, &method("ping")));
    let (first, body) = first_packet(&mut broker, wire);
    assert_eq!((first, body[1]), (0x20, 0));
    // Re-authentication on the running connection.
    broker.send(wire, &auth(0x19, &method("hello again")));
    let (first, body) = first_packet(&mut broker, wire);
    assert_eq!((first, body[0]), (0xF0, 0x18));
    broker.send(wire, &auth(0x18, &method("ping")));
    let (first, body) = first_packet(&mut broker, wire);
    assert_eq!((first, body[0]), (0xF0, 0));
    broker.send(wire, &auth(0x19, &method("hello")));
    broker.send(wire, &auth(0x18, &method("wrong")));
    broker.settle();
    let all = packets(&broker.receive(wire));
    let (first, body) = all.last().expect("a goodbye");
    // DISCONNECT has no word for the method's reason.
    assert_eq!((*first, body[0]), (0xE0, 0x87));
    assert!(!broker.is_open(wire));
}

/// Shows 5.0 [MQTT-4.12.0-4].
#[test]
fn success_and_failure_may_come_at_once() {
    let mut broker = broker(1);
    let wire = broker.connect(0);
    broker.send(wire, &connect5("c", true, &method("at once")));
    let (first, body) = first_packet(&mut broker, wire);
    assert_eq!((first, body[1]), (0x20, 0));
    assert!(body.windows(7).any(|window| window == b"welcome"));
    let wire = broker.connect(0);
    broker.send(wire, &connect5("d", true, &method("never")));
    let (first, body) = first_packet(&mut broker, wire);
    assert_eq!((first, body[1]), (0x20, 0x87));
    assert!(!broker.is_open(wire));
    let wire = broker.connect(0);
    broker.send(wire, &connect5("e", true, &method("hello")));
    first_packet(&mut broker, wire);
    broker.send(wire, &auth(0x18, &method("wrong")));
    let (first, body) = first_packet(&mut broker, wire);
    assert_eq!((first, body[1]), (0x20, 0x86));
    assert!(!broker.is_open(wire));
}

#[test]
fn the_session_may_live_on_another_shard() {
    let mut broker = broker(2);
    let first = broker.connect(0);
    broker.send(first, &connect5("roamer", false, &[0x11, 0, 0, 1, 0]));
    broker.settle();
    let second = broker.connect(1);
    let properties = [&[0x11, 0, 0, 1, 0][..], &method("hello")].concat();
    broker.send(second, &connect5("roamer", false, &properties));
    let (packet, body) = first_packet(&mut broker, second);
    assert_eq!((packet, body[0]), (0xF0, 0x18));
    // The answer and a PINGREQ in one piece: both have to survive the move.
    broker.send(second, &[auth(0x18, &method("ping")), vec![0xC0, 0]].concat());
    broker.settle();
    let all = packets(&broker.receive(second));
    assert_eq!((all[0].0, all[0].1[0]), (0x20, 1), "session present");
    assert_eq!(all[1].0, 0xD0);
    assert_eq!(broker.shard_of(second), 0);
}

/// Shows 5.0 [MQTT-4.12.0-5], [MQTT-4.12.0-7].
#[test]
fn auth_where_it_does_not_belong_is_a_protocol_error() {
    let mut broker = broker(1);
    let plain = broker.connect(0);
    broker.send(plain, &connect5("plain", true, &[]));
    broker.send(plain, &auth(0x19, &method("hello")));
    broker.settle();
    let all = packets(&broker.receive(plain));
    assert_eq!((all[1].0, all[1].1[0]), (0xE0, 0x82));
    let changed = broker.connect(0);
    broker.send(changed, &connect5("changed", true, &method("hello")));
    broker.settle();
    broker.receive(changed);
    broker.send(changed, &auth(0x18, &[binary(0x15, "other"), binary(0x16, "ping")].concat()));
    let (first, body) = first_packet(&mut broker, changed);
    assert_eq!((first, body[1]), (0x20, 0x82));
}

/// Goal: the method's data goes out only if the Client takes so large a packet.
///
/// Shows 5.0 [MQTT-3.15.2-2], [MQTT-3.15.2-3].
#[test]
fn auth_keeps_to_the_clients_maximum_packet_size() {
    for shards in [1, 4] {
        for (limit, sent) in [(18u8, true), (17, false)] {
            let mut broker = broker(shards);
            let wire = broker.connect(0);
            let properties = [method("hello"), vec![0x27, 0, 0, 0, limit]].concat();
            broker.send(wire, &connect5("c", true, &properties));
            let (first, body) = first_packet(&mut broker, wire);
            if sent {
                assert_eq!((first, body[0], 2 + body.len()), (0xF0, 0x18, 18));
            } else {
                // 0x95 without words, which would be too much as well.
                assert_eq!((first, body), (0x20, vec![0, 0x95, 0]));
                assert!(!broker.is_open(wire));
            }
        }
    }
}

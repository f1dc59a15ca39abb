//! A broker in memory and clients that write their packets byte by byte.

use pondhawk::auth::Methods;
use pondhawk::config::table::Listener;
use pondhawk::config::{Config, Runtime};
use pondhawk::shard::memory::{Memory, Wire};

/// Options as in a configuration file, everybody let in.
pub fn config(change: impl FnOnce(&mut Runtime)) -> Runtime {
    let mut config = Config { listeners: vec![Listener::default()], ..Config::default() };
    config.security.allow_anonymous = Some(true);
    let mut runtime = config.compile(1);
    change(&mut runtime);
    runtime
}

pub fn broker(shards: usize) -> Memory {
    Memory::new(shards, config(|_| {}), Methods::default())
}

pub fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

pub fn packet(first: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(&body);
    bytes
}

/// CONNECT of version 5 with these properties (without their length).
pub fn connect5(client_id: &str, clean: bool, properties: &[u8]) -> Vec<u8> {
    let flags = [if clean { 2 } else { 0 }, 0, 0];
    let length = [properties.len() as u8];
    packet(0x10, &[b"\x00\x04MQTT\x05", &flags, &length, properties, &string(client_id)])
}

pub fn connect3(client_id: &str, clean: bool) -> Vec<u8> {
    let flags = [if clean { 2 } else { 0 }, 0, 0];
    packet(0x10, &[b"\x00\x04MQTT\x04", &flags, &string(client_id)])
}

/// SUBSCRIBE of version 3.1.1.
pub fn subscribe3(filter: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 9], &string(filter), &[qos]])
}

pub fn publish3(topic: &str, qos: u8, retain: bool, id: u16, payload: &[u8]) -> Vec<u8> {
    let first = 0x30 | qos << 1 | u8::from(retain);
    let id = id.to_be_bytes();
    packet(first, &[&string(topic), if qos > 0 { &id } else { &[] }, payload])
}

/// Cuts what was received into packets: first byte and body.
pub fn packets(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (mut length, mut at, mut shift) = (0usize, 1, 0);
        loop {
            let byte = bytes[at];
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        all.push((bytes[0], bytes[at..at + length].to_vec()));
        bytes = &bytes[at + length..];
    }
    all
}

/// Payloads of the PUBLISH packets of a version 3 client, with topic.
pub fn publishes3(bytes: &[u8]) -> Vec<(String, String)> {
    let publish = |(first, body): (u8, Vec<u8>)| {
        if first >> 4 != 3 {
            return None;
        }
        let topic_len = usize::from(body[0]) << 8 | usize::from(body[1]);
        let topic = String::from_utf8_lossy(&body[2..2 + topic_len]).into_owned();
        let skip = 2 + topic_len + if first & 6 != 0 { 2 } else { 0 };
        Some((topic, String::from_utf8_lossy(&body[skip..]).into_owned()))
    };
    packets(bytes).into_iter().filter_map(publish).collect()
}

/// A connected version 3.1.1 client on `shard`.
pub fn client3(broker: &mut Memory, shard: u16, client_id: &str) -> Wire {
    let wire = broker.connect(shard);
    broker.send(wire, &connect3(client_id, true));
    broker.settle();
    assert_eq!(broker.receive(wire), [0x20, 2, 0, 0], "{client_id} is connected");
    wire
}

/// Subscribes and sees the SUBACK.
pub fn subscribed3(broker: &mut Memory, wire: Wire, filter: &str, qos: u8) {
    broker.send(wire, &subscribe3(filter, qos));
    broker.turn(broker.shard_of(wire));
    let received = broker.receive(wire);
    assert_eq!(&received[..5], [0x90, 3, 0, 9, qos], "SUBACK for {filter}");
}

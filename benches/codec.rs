//! The codec's hot paths: decoding and encoding small packets.
//!
//! `cargo bench --bench codec`. Topic Name of 25 bytes, payload of 16.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pondhawk::protocol::{
    Message, MessageInit, Packet, Publish, PublishHead, QoS, Role, Subscribe, SubscribeFilters,
    SubscribeOptions, UserProperties, Version, decode, encode, split,
};

const TOPIC: &str = "plant/7/line/3/sensor/042";
const PAYLOAD: [u8; 16] = [0x5A; 16];

fn encoded(packet: &Packet<'_>, version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(packet, version, &mut bytes);
    bytes
}

fn publish(qos: QoS) -> Packet<'static> {
    let packet_id = if qos == QoS::AtMostOnce { 0 } else { 7 };
    Packet::Publish(Publish {
        qos,
        packet_id,
        topic: TOPIC,
        payload: &PAYLOAD,
        ..Default::default()
    })
}

fn subscribe(filters: &[(&'static str, SubscribeOptions)]) -> Vec<u8> {
    let subscribe = Subscribe {
        packet_id: 1,
        subscription_id: Some(300),
        user_properties: UserProperties::default(),
        filters: SubscribeFilters::from_slice(filters),
    };
    encoded(&Packet::Subscribe(subscribe), Version::V5)
}

/// Cuts and decodes every packet of a stream, as a connection does with a full read buffer.
fn drain(mut stream: &[u8], version: Version) -> usize {
    let mut sum = 0;
    while let Ok(Some(frame)) = split(stream, u32::MAX) {
        match decode(frame, version, Role::Server) {
            Ok(Packet::Publish(publish)) => sum += publish.topic.len() + publish.payload.len(),
            Ok(Packet::Subscribe(subscribe)) => sum += subscribe.filters.len(),
            other => panic!("{other:?}"),
        }
        stream = &stream[frame.size..];
    }
    sum
}

fn decoding(c: &mut Criterion) {
    const PACKETS: usize = 64;
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for version in [Version::V311, Version::V5] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let stream = encoded(&publish(qos), version).repeat(PACKETS);
            let name = format!("publish qos {} v{}", qos as u8, version.name());
            group.bench_function(name, |b| b.iter(|| drain(black_box(&stream), version)));
        }
    }
    let options = SubscribeOptions::at(QoS::AtLeastOnce);
    let stream = subscribe(&[("plant/+/line/#", options), (TOPIC, options)]).repeat(PACKETS);
    group.bench_function("subscribe v5.0", |b| {
        b.iter(|| drain(black_box(&stream), Version::V5));
    });
    group.finish();
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    for (version, qos) in [(Version::V311, QoS::AtMostOnce), (Version::V5, QoS::AtLeastOnce)] {
        let head = PublishHead {
            version,
            dup: false,
            qos,
            retain: false,
            packet_id: 7,
            topic: TOPIC,
            alias: None,
            message_expiry: None,
            subscription_ids: &[],
            forward: Default::default(),
            payload_len: PAYLOAD.len(),
        };
        let mut out = Vec::with_capacity(256);
        let name = format!("publish qos {} v{}", qos as u8, version.name());
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                black_box(black_box(&head).encode(&mut out));
                out.extend_from_slice(&PAYLOAD);
                black_box(out.len())
            });
        });
    }
    group.finish();
}

fn message(c: &mut Criterion) {
    let init = MessageInit { topic: TOPIC, payload: &PAYLOAD, ..Default::default() };
    c.bench_function("message new", |b| b.iter(|| Message::new(black_box(init))));
}

criterion_group!(benches, decoding, encoding, message);
criterion_main!(benches);

//! A million sessions, connected and subscribed, in one process, on the in-memory transport:
//! bytes for each, and the cost of a message to one of them. `POND_SESSIONS` sets the number.
//!
//! User memory only: a real connection adds the kernel's socket (about 4 kB).
#![allow(clippy::print_stdout)] // It measures bytes and prints its own report.

use std::hint::black_box;
use std::time::Instant;

use pondhawk::auth::Methods;
use pondhawk::config::Config;
use pondhawk::config::table::Listener;
use pondhawk::shard::memory::{Memory, Wire};

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap_or(0) * 1024
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 128, "one length byte is enough here");
    let mut bytes = vec![first, body.len() as u8];
    bytes.extend_from_slice(body);
    bytes
}

fn connect(client_id: &str) -> Vec<u8> {
    let mut body = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
    body.extend(string(client_id));
    packet(0x10, &body)
}

fn subscribe(filter: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(string(filter));
    body.push(0);
    packet(0x82, &body)
}

fn publish(topic: &str) -> Vec<u8> {
    let mut body = string(topic);
    body.extend_from_slice(b"sixteen byte pay");
    packet(0x30, &body)
}

fn main() {
    let sessions: usize =
        std::env::var("POND_SESSIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let mut config = Config { listeners: vec![Listener::default()], ..Config::default() };
    config.security.allow_anonymous = Some(true);
    let mut broker = Memory::new(2, config.compile(2), Methods::default());
    let before = resident_bytes();
    let wires: Vec<Wire> = (0..sessions)
        .map(|n| {
            let wire = broker.connect((n % 2) as u16);
            broker.send(wire, &connect(&format!("client-{n:07}")));
            if n % 1000 == 0 {
                broker.settle();
                broker.forget_received();
            }
            wire
        })
        .collect();
    broker.settle();
    broker.forget_received();
    let connected = resident_bytes();
    for (n, wire) in wires.iter().enumerate() {
        broker.send(*wire, &subscribe(&format!("device/{n:07}/command")));
        if n % 1000 == 0 {
            broker.settle();
            broker.forget_received();
        }
    }
    broker.settle();
    broker.forget_received();
    let subscribed = resident_bytes();
    println!(
        "{sessions} sessions: {} bytes each connected, {} more with a subscription of its own",
        (connected - before) / sessions,
        (subscribed - connected) / sessions
    );
    message_cost(&mut broker, &wires);
}

fn message_cost(broker: &mut Memory, wires: &[Wire]) {
    let publisher = broker.connect(0);
    broker.send(publisher, &connect("publisher"));
    broker.settle();
    let count = wires.len().min(100_000);
    // A step that is prime to any round number, so that the topics come in no order.
    let topic = |n: usize| publish(&format!("device/{:07}/command", n * 7_919 % wires.len()));
    let messages: Vec<Vec<u8>> = (0..count).map(topic).collect();
    for round in ["first (cold)", "second"] {
        broker.forget_received();
        let started = Instant::now();
        for chunk in messages.chunks(64) {
            for message in chunk {
                broker.send(publisher, message);
            }
            broker.settle();
        }
        let each = started.elapsed().as_nanos() / count as u128;
        println!("{round} message to each of {count}: {each} ns, delivery to memory included");
    }
    black_box(&broker);
}

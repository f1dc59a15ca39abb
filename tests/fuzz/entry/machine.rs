//! The broker's shards in memory, under any sequence of operations: what it writes is well formed,
//! it never panics, and when everybody has gone nothing is left.

use pondhawk::auth::Methods;
use pondhawk::config::Config;
use pondhawk::config::table::Listener;
use pondhawk::protocol::{Packet, Role, Version, decode, split};
use pondhawk::shard::memory::{Memory, Wire};

/// A client's end, and what has come so far without being a whole packet.
struct Client {
    wire: Wire,
    version: Version,
    input: Vec<u8>,
    /// DISCONNECT has come: nothing may follow.
    ended: bool,
}

/// A cursor over the fuzzer's bytes; zeros when they are used up.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    fn some(&mut self) -> &'a [u8] {
        let (head, rest) = self.0.split_at((self.byte() as usize).min(self.0.len()));
        self.0 = rest;
        head
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    // Two bytes of length are enough for everything here, and legal before version 5 only when
    // they are needed.
    let mut bytes = vec![first];
    let mut length = body.len();
    while length > 127 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(body);
    bytes
}

const IDS: [&str; 4] = ["a", "b", "c", "d"];
const TOPICS: [&str; 6] = ["t", "t/u", "t/u/v", "$x", "u", "t/"];
const FILTERS: [&str; 10] =
    ["t", "t/u", "t/+", "#", "+/u", "t/#", "$share/g/t/#", "$share/g/+", "$share/h/t", "$x"];

fn connect(version: Version, bytes: &mut Bytes<'_>) -> Vec<u8> {
    let (flags, id) = (bytes.byte(), IDS[bytes.byte() as usize % 4]);
    let will = flags & 4 != 0;
    let keep = flags & 0x06;
    let qos = if will { flags & 0x08 } else { 0 };
    let retain = if will { flags & 0x20 } else { 0 };
    let name: &[u8] = match version {
        Version::V31 => b"\x00\x06MQIsdp\x03",
        Version::V311 => b"\x00\x04MQTT\x04",
        Version::V5 => b"\x00\x04MQTT\x05",
    };
    let mut body = [name, &[keep | qos | retain, 0, bytes.byte()]].concat();
    if version == Version::V5 {
        let expiry = bytes.byte() % 8;
        let window = bytes.byte() % 4 + 1;
        let properties = [0x11, 0, 0, 0, expiry, 0x21, 0, window, 0x22, 0, bytes.byte() % 3];
        body.push(properties.len() as u8);
        body.extend(properties);
    }
    body.extend(string(id));
    if will {
        if version == Version::V5 {
            body.extend([5, 0x18, 0, 0, 0, bytes.byte() % 4]);
        }
        body.extend(string(TOPICS[bytes.byte() as usize % 6]));
        body.extend(string("will"));
    }
    packet(0x10, &body)
}

fn publish(version: Version, bytes: &mut Bytes<'_>) -> Vec<u8> {
    let flags = bytes.byte() & 0x0D;
    let qos = (bytes.byte() % 3) << 1;
    let dup = if qos == 0 { 0 } else { flags & 8 };
    let mut body = string(TOPICS[bytes.byte() as usize % 6]);
    if qos > 0 {
        body.extend([0, bytes.byte() % 8 + 1]);
    }
    if version == Version::V5 {
        match bytes.byte() % 3 {
            0 => body.push(0),
            1 => body.extend([5, 0x02, 0, 0, 0, bytes.byte() % 4]),
            _ => body.extend([3, 0x23, 0, bytes.byte() % 3 + 1]),
        }
    }
    body.extend(std::iter::repeat_n(b'x', bytes.byte().into()));
    packet(0x30 | dup | qos | flags & 1, &body)
}

fn subscribe(version: Version, bytes: &mut Bytes<'_>, first: u8) -> Vec<u8> {
    let mut body = vec![0, 9];
    if version == Version::V5 {
        body.push(0);
    }
    for _ in 0..bytes.byte() % 3 + 1 {
        body.extend(string(FILTERS[bytes.byte() as usize % 10]));
        if first == 0x82 {
            let options = if version == Version::V5 { bytes.byte() & 0x2C } else { 0 };
            body.push(options | (bytes.byte() % 3));
        }
    }
    packet(first, &body)
}

/// A packet that is sound most of the time, or the fuzzer's own bytes.
fn message(version: Version, bytes: &mut Bytes<'_>) -> Vec<u8> {
    match bytes.byte() % 32 {
        0 => connect(version, bytes),
        1..=16 => publish(version, bytes),
        17..=22 => subscribe(version, bytes, 0x82),
        23 => subscribe(version, bytes, 0xA2),
        kind @ 24..=27 => {
            let first = [0x40, 0x50, 0x62, 0x70][kind as usize - 24];
            vec![first, 2, 0, bytes.byte() % 32]
        }
        28 | 29 => vec![0xC0, 0],
        30 => vec![0xE0, 0],
        _ => bytes.some().to_vec(),
    }
}

struct Run {
    broker: Memory,
    clients: Vec<Client>,
}

impl Run {
    fn connect(&mut self, bytes: &mut Bytes<'_>) {
        let shards = self.broker.shards().len() as u16;
        let wire = self.broker.connect(u16::from(bytes.byte()) % shards);
        let version = [Version::V31, Version::V311, Version::V5][bytes.byte() as usize % 3];
        self.clients.push(Client { wire, version, input: Vec::new(), ended: false });
        let connect = connect(version, bytes);
        self.broker.send(wire, &connect);
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let kind = bytes.byte();
        let count = self.clients.len();
        if count == 0 || kind.is_multiple_of(16) && count < 6 {
            return self.connect(bytes);
        }
        let at = bytes.byte() as usize % count;
        if !self.broker.is_open(self.clients[at].wire) {
            self.read(at);
            self.clients.remove(at);
            return self.connect(bytes);
        }
        let (wire, version) = (self.clients[at].wire, self.clients[at].version);
        match kind % 16 {
            1 => self.broker.cut(wire),
            2 => self.broker.advance(u64::from(bytes.byte()) * 100),
            3 => self.broker.turn(u16::from(bytes.byte()) % self.broker.shards().len() as u16),
            4 => self.broker.settle(),
            5 => self.acknowledge_all(at),
            6 => {
                // In two pieces, with something else in between.
                let message = message(version, bytes);
                let (head, tail) = message.split_at(message.len().min(bytes.byte() as usize));
                self.broker.send(wire, head);
                self.broker.turn(0);
                self.broker.send(wire, tail);
            }
            _ => {
                let message = message(version, bytes);
                self.broker.send(wire, &message);
            }
        }
        self.read_all();
    }

    /// Reads what came; every packet must be one that a server may send.
    fn read(&mut self, at: usize) -> Vec<(u8, u16)> {
        let client = &mut self.clients[at];
        client.input.extend(self.broker.receive(client.wire));
        let (mut used, mut open) = (0, Vec::new());
        while let Some(frame) = split(&client.input[used..], u32::MAX).expect("a sound frame") {
            assert!(!client.ended, "something after DISCONNECT");
            let (size, first) = (frame.size, frame.first);
            let packet = decode(frame, client.version, Role::Client)
                .unwrap_or_else(|error| panic!("{error:?} in what the broker wrote: {first:#x}"));
            match packet {
                Packet::Publish(publish) => open.push((publish.qos as u8, publish.packet_id)),
                Packet::Pubrel(pubrel) => open.push((3, pubrel.packet_id)),
                Packet::Disconnect(_) => client.ended = true,
                _ => {}
            }
            used += size;
        }
        client.input.drain(..used);
        open
    }

    fn read_all(&mut self) {
        for at in 0..self.clients.len() {
            self.read(at);
        }
    }

    fn acknowledge_all(&mut self, at: usize) {
        for (qos, id) in self.read(at) {
            let first = match qos {
                1 => 0x40,
                2 => 0x50,
                3 => 0x70,
                _ => continue,
            };
            let id = id.to_be_bytes();
            self.broker.send(self.clients[at].wire, &[first, 2, id[0], id[1]]);
        }
    }

    /// Everybody goes, and the longest Session's time passes.
    fn end(mut self) {
        for at in 0..self.clients.len() {
            self.broker.cut(self.clients[at].wire);
        }
        self.broker.settle();
        self.read_all();
        // A clean start of each name ends what has no expiry of its own (3.x).
        for id in IDS {
            let wire = self.broker.connect(0);
            let body = [b"\x00\x04MQTT\x04\x02\x00\x00".as_slice(), &string(id)].concat();
            self.broker.send(wire, &packet(0x10, &body));
            self.broker.settle();
            self.broker.cut(wire);
            self.broker.settle();
        }
        for _ in 0..8 {
            self.broker.advance(40_000);
            self.broker.settle();
        }
        let shared = self.broker.shared();
        assert_eq!(shared.directory.len(), 0, "Sessions are left");
        assert_eq!(shared.router.filter_count(), 0, "Topic Filters are left");
        for metrics in shared.metrics.iter() {
            assert_eq!(metrics.sessions.get(), 0, "the count of Sessions");
            assert_eq!(metrics.queued_messages.get(), 0, "the count of queued messages");
            assert_eq!(metrics.queued_bytes.get(), 0, "the bytes of queued messages");
        }
    }
}

/// The first byte chooses the number of shards and a small window, the rest is operations.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let choice = bytes.byte();
    let mut config = Config { listeners: vec![Listener::default()], ..Config::default() };
    config.security.allow_anonymous = Some(true);
    let mut config = config.compile(1);
    config.session.inflight_messages = u16::from(choice / 4 % 4) + 1;
    let mut run = Run {
        broker: Memory::new(1 + choice as usize % 4, config, Methods::default()),
        clients: Vec::new(),
    };
    while !bytes.0.is_empty() {
        run.step(&mut bytes);
    }
    run.end();
}

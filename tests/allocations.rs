//! Heap allocations of a message on its way through a shard, counted.
//!
//! Method: the shard's own code on the in-memory transport, with an allocator that counts. What
//! is counted is the work from the publisher's bytes to the subscribers' output buffers; writing
//! those to sockets is the driver's, and the transport here, unlike sockets, keeps them on the
//! heap. One test only, because the count is the process's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use pondhawk::auth::Methods;
use pondhawk::config::Config;
use pondhawk::config::table::Listener;
use pondhawk::shard::memory::{Memory, Wire};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first, body.len() as u8], body].concat()
}

fn client(broker: &mut Memory, shard: u16, id: &str) -> Wire {
    let wire = broker.connect(shard);
    let connect = [b"\x00\x04MQTT\x04\x02\x00\x00".as_slice(), &string(id)].concat();
    broker.send(wire, &packet(0x10, &connect));
    broker.settle();
    broker.receive(wire);
    wire
}

fn subscriber(broker: &mut Memory, shard: u16, id: &str, qos: u8) -> Wire {
    let wire = client(broker, shard, id);
    let body = [&[0, 1], string("room/+/light").as_slice(), &[qos]].concat();
    broker.send(wire, &packet(0x82, &body));
    broker.settle();
    broker.receive(wire);
    wire
}

const MESSAGES: usize = 10_000;

/// Allocations for each message sent by a publisher to `subscribers` at `qos`.
fn measure(shards: usize, subscribers: usize, qos: u8) -> f64 {
    let mut config = Config { listeners: vec![Listener::default()], ..Config::default() };
    config.security.allow_anonymous = Some(true);
    let mut broker = Memory::new(shards, config.compile(1), Methods::default());
    let last = shards as u16 - 1;
    let wires: Vec<Wire> =
        (0..subscribers).map(|n| subscriber(&mut broker, last, &format!("s{n}"), qos)).collect();
    let publisher = client(&mut broker, 0, "publisher");
    let id: &[u8] = if qos > 0 { &[0, 7] } else { &[] };
    let body = [&string("room/kitchen/light"), id, b"sixteen byte pay"].concat();
    let message = packet(0x30 | qos << 1, &body);
    let mut counted = 0;
    for n in 0..MESSAGES + 100 {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        broker.send(publisher, &message);
        if n >= 100 {
            counted += ALLOCATIONS.load(Ordering::Relaxed) - before;
        }
        broker.settle();
        broker.forget_received();
        for wire in &wires {
            let id = (n as u16 % 65_535 + 1).to_be_bytes();
            if qos == 1 {
                broker.send(*wire, &[0x40, 2, id[0], id[1]]);
            }
        }
    }
    counted as f64 / MESSAGES as f64
}

#[test]
fn qos_0_within_a_shard_allocates_nothing_and_the_rest_one_message() {
    assert_eq!(measure(1, 1, 0), 0.0, "QoS 0, one subscriber");
    assert_eq!(measure(1, 50, 0), 0.0, "QoS 0, fifty subscribers");
    let one = measure(1, 1, 1);
    assert!((1.0..1.01).contains(&one), "QoS 1, one subscriber: {one}");
    let many = measure(1, 50, 1);
    assert!((1.0..1.01).contains(&many), "QoS 1, fifty subscribers: {many}");
    // To another shard: the message, and the batch it travels in when it travels alone.
    let other = measure(2, 1, 0);
    assert!(other <= 2.0, "QoS 0, to another shard: {other}");
}

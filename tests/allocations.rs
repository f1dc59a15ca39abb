//! Heap allocations of a message on its way through a shard, counted.
//!
//! Method: the shard's own code on the in-memory transport, with an allocator that counts. What
//! is counted is the work from the publisher's bytes to the subscribers' output buffers; writing
//! those to sockets is the driver's, and the transport here, unlike sockets, keeps them on the
//! heap. Each thread's allocations are counted apart: the harness has threads of its own, which
//! allocate when they get to it, and on a busy machine that is any time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pondhawk::auth::Methods;
use pondhawk::config::Config;
use pondhawk::config::table::Listener;
use pondhawk::shard::memory::{Memory, Wire};

struct Counting;

thread_local! {
    // Neither made nor dropped by code, so that the allocator may use it at any time.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call is passed on to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
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
        let before = ALLOCATIONS.get();
        broker.send(publisher, &message);
        if n >= 100 {
            counted += ALLOCATIONS.get() - before;
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

/// Allocates on another thread while `work` runs, as a harness does that is late.
fn beside_another_thread(work: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                drop(black_box(Box::new(0_u8)));
                thread::yield_now();
            }
        });
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        worked.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn qos_0_within_a_shard_allocates_nothing_and_the_rest_one_message() {
    beside_another_thread(every_way);
}

fn every_way() {
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

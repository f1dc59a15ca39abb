//! A crowd that means harm beside others that work: nobody of these notices.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd;
use crate::ledger::Holding;
use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::bytes::{Connect, Publish, prop, subscribe};
use crate::support::client::{Bystanders, Client};

/// How long the good ones may take to exchange a message each; a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kinds of harm.
const KINDS: usize = 10;

/// One of them; what is returned is left open.
fn harm(broker: &Broker, number: usize) -> Client {
    let mut client = Client::over(Box::new(crowd::begin(broker, number)), V5);
    let connect = Connect::new(V5, &format!("harm-{number}")).bytes();
    match number % KINDS {
        // Nothing at all, half a CONNECT, and one that is longer than anything may be.
        0 => {}
        1 => client.send(&connect[..connect.len() / 2]),
        2 => client.send([0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, b'M']),
        // No MQTT.
        3 => client.send(b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n"),
        4 => client.send(noise(number, 2000)),
        // Known first, then noise, a packet of which only the length comes, much work.
        5 => client.send([connect, noise(number, 4000)].concat()),
        6 => client.send([&connect, [0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4].as_slice()].concat()),
        7 => {
            let mut stuffed = Publish::new(V5, "harm/stuffed", "x").qos(1, 1);
            stuffed.properties = vec![prop::user("", ""); 2000];
            client.send([connect, stuffed.bytes()].concat());
        }
        8 => {
            let filters: Vec<String> =
                (0..200).map(|at| format!("{}{number}/{at}", "+/".repeat(at % 30))).collect();
            let list: Vec<(&str, u8)> = filters.iter().map(|filter| (filter.as_str(), 2)).collect();
            client.send([connect, subscribe(V5, 1, &list)].concat());
        }
        // Publishes without ever reading its acknowledgements.
        _ => {
            let publish = Publish::new(V5, "harm/flood", vec![0; 64]).qos(1, 7).bytes();
            client.send([connect, publish.repeat(200)].concat());
        }
    }
    client
}

fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut state = seed as u64 * 2 + 0x9E37_79B9_7F4A_7C15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Exchanges messages, one at a time, until told to stop; another order, a loss or an end fails.
fn work(pairs: &mut [Bystanders], stop: &AtomicBool, messages: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        pairs.iter_mut().for_each(Bystanders::exchange);
        messages.fetch_add(pairs.len(), Ordering::Relaxed);
    }
}

/// Ends the others' work when the scenario is over, also when it failed.
struct Until<'a>(&'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn scenario(broker: &Broker, hostile: usize, good: usize, rounds: usize) {
    const THREADS: usize = 4;
    let mut after = Client::connect(broker, V311, "after");
    let mut pairs: Vec<Bystanders> = (0..good / 2).map(|_| Bystanders::new(broker)).collect();
    // Twice, so that they have the windows and the routes that they keep.
    (0..2).for_each(|_| pairs.iter_mut().for_each(Bystanders::exchange));
    let before = Holding::before(broker);
    let mut peak = before;
    let (stop, messages) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _until = Until(&stop);
        for pairs in pairs.chunks_mut(good / 2 / THREADS) {
            scope.spawn(|| work(pairs, &stop, &messages));
        }
        for round in 0..=rounds {
            let first = round * hostile;
            let crowd = crowd::share(hostile, |list| {
                list.into_iter().map(|number| harm(broker, first + number)).collect()
            });
            // All are open at once, and the others get on.
            let (began, then) = (Instant::now(), messages.load(Ordering::Relaxed));
            while messages.load(Ordering::Relaxed) < then + good {
                assert!(began.elapsed() < PATIENCE, "the good ones stand still");
                thread::yield_now();
            }
            let now = Holding::now(broker);
            peak = if now.memory > peak.memory { now } else { peak };
            crowd.into_iter().for_each(Client::cut);
        }
    });
    println!("{} messages of {good} good clients", messages.load(Ordering::Relaxed));
    after.ping();
    before.is_back(broker, &format!("{rounds} times {hostile} hostile connections"), peak);
}

#[test]
fn a_hostile_crowd_disturbs_no_good_client() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &Options::default()), 100, 16, 1);
    }
}

#[test]
#[ignore = "long; it is run for its figures"]
fn hostile_crowd() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &Options::default()), 1000, 104, 20);
    }
}

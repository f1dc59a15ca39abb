//! Mixed load with churn for as long as one likes: all versions and QoS, Wills, Retained Messages,
//! subscriptions and sessions that come and go. Memory keeps its level, no descriptor and no Packet
//! Identifier is lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::guest;
use crate::ledger::{ALLOWANCE, Holding};
use crate::slope;
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::bytes::{Publish, pubrel};
use crate::support::client::Client;
use crate::support::{ALL, Version, fresh, let_pass};

/// Pairs that stay, and clients that come and go.
const PAIRS: usize = 6;
const GUESTS: usize = 4;

/// Messages that a pair has under way at once, and its pause after them: a soak lasts, and leaves
/// the machine some of its processors.
const BURST: u16 = 10;
const PAUSE_MS: u64 = 5;

/// Packet Identifiers that a session has.
const IDENTIFIERS: u64 = 65_535;

/// The default of `max_inflight_messages`, the window of a subscriber.
const WINDOW: u16 = 20;

/// Time between two samples of memory, and between two lines about it.
const SAMPLE_MS: u64 = 100;
const LINE: Duration = Duration::from_secs(60);

/// What has happened so far.
#[derive(Default)]
pub struct Counts {
    stop: AtomicBool,
    /// Messages published.
    pub messages: AtomicU64,
    /// Connections of guests.
    pub connections: AtomicU64,
    /// How many of these took over another one.
    pub takeovers: AtomicU64,
}

impl Counts {
    /// Whether the load goes on.
    pub fn go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn text(&self) -> String {
        format!(
            "{} messages, {} connections, {} takeovers",
            self.messages.load(Ordering::Relaxed),
            self.connections.load(Ordering::Relaxed),
            self.takeovers.load(Ordering::Relaxed)
        )
    }
}

/// A pair that stays, with how many messages it has exchanged.
struct Pair {
    publisher: Client,
    subscriber: Client,
    topic: String,
    qos: u8,
    sent: u64,
}

impl Pair {
    fn new(broker: &Broker, number: usize) -> Pair {
        let (version, qos) = (ALL[number % 3], 1 + (number % 2) as u8);
        let topic = format!("stays/{number}");
        let mut subscriber = Client::connect(broker, version, &fresh("stay-s"));
        assert_eq!(subscriber.subscribe(&topic, qos), qos);
        let publisher = Client::connect(broker, Version::V5, &fresh("stay-p"));
        Pair { publisher, subscriber, topic, qos, sent: 0 }
    }

    /// That many messages at once, then all their answers; the next ones in order, each once.
    /// Gives the Packet Identifiers under which the subscriber had them all unacknowledged.
    fn exchange(&mut self, count: u16) -> Vec<u16> {
        let numbers = self.sent..self.sent + u64::from(count);
        let publications = (1..).zip(numbers.clone()).flat_map(|(id, number)| {
            let publish = Publish::new(Version::V5, &self.topic, number.to_string());
            publish.qos(self.qos, id).bytes()
        });
        self.publisher.send(publications.collect::<Vec<u8>>());
        self.answered(if self.qos == 1 { 0x40 } else { 0x50 }, count);
        if self.qos == 2 {
            self.publisher.send((1..=count).flat_map(pubrel).collect::<Vec<u8>>());
            self.answered(0x70, count);
        }
        let held: Vec<_> = numbers.map(|number| (number, self.subscriber.delivery())).collect();
        for (number, delivery) in &held {
            assert_eq!((&delivery.topic, delivery.qos), (&self.topic, self.qos));
            assert_eq!(delivery.text(), number.to_string(), "another one was next");
            self.subscriber.acknowledge(delivery);
        }
        self.sent += u64::from(count);
        held.iter().map(|(_, delivery)| delivery.id).collect()
    }

    fn answered(&mut self, first: u8, count: u16) {
        for id in 1..=count {
            let answer = self.publisher.answer(first);
            assert_eq!((answer.id, answer.codes.first().copied().unwrap_or(0)), (id, 0));
        }
    }

    /// The subscriber's whole window can still be filled and emptied: no identifier was lost.
    fn has_its_window(&mut self) {
        let mut ids = self.exchange(WINDOW);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), usize::from(WINDOW), "identifiers used twice");
        self.subscriber.ping();
    }
}

fn stay(broker: &Broker, number: usize, counts: &Counts) -> Pair {
    let mut pair = Pair::new(broker, number);
    while counts.go_on() {
        pair.exchange(BURST);
        counts.messages.fetch_add(u64::from(BURST), Ordering::Relaxed);
        let_pass(PAUSE_MS);
    }
    pair
}

/// Samples memory until the time is over, and says now and then how it stands.
fn sample(broker: &Broker, length: Duration, counts: &Counts) -> Vec<(f64, f64)> {
    let begin = Instant::now();
    let mut samples = Vec::new();
    let mut line = LINE;
    while begin.elapsed() < length {
        samples.push((begin.elapsed().as_secs_f64(), broker.memory() as f64));
        if begin.elapsed() >= line {
            let held = Holding::now(broker);
            println!(
                "{:>5} s: memory {} kB, {} descriptors; {}",
                line.as_secs(),
                held.memory / 1024,
                held.descriptors,
                counts.text()
            );
            line += LINE;
        }
        let_pass(SAMPLE_MS);
    }
    samples
}

/// Runs the load for that long. Gives what the broker held at its end, still under load.
fn load(broker: &Broker, length: Duration, judge: impl Fn(&[(f64, f64)], &Counts)) -> Holding {
    let counts = Counts::default();
    let (samples, peak) = thread::scope(|scope| {
        let counts = &counts;
        let pairs: Vec<_> =
            (0..PAIRS).map(|number| scope.spawn(move || stay(broker, number, counts))).collect();
        for guest in 0..GUESTS {
            scope.spawn(move || guest::come_and_go(broker, guest, counts));
        }
        let samples = sample(broker, length, counts);
        let peak = Holding::now(broker);
        counts.stop.store(true, Ordering::Relaxed);
        for (number, joined) in pairs.into_iter().enumerate() {
            let mut pair = joined.join().expect("a pair");
            pair.has_its_window();
            println!(
                "pair {number}: {} messages, {:.1} times round the Packet Identifiers",
                pair.sent,
                pair.sent as f64 / IDENTIFIERS as f64
            );
        }
        (samples, peak)
    });
    judge(&samples, &counts);
    peak
}

/// How long a soak is.
struct Form {
    /// Load before it is measured: Retained Messages are all there, all of the guests' names were
    /// used.
    warm_up: Duration,
    length: Duration,
    /// Without load before and after, in which free memory goes back to the system.
    rest_ms: u64,
    /// What memory may grow by before its slope is looked at, in bytes.
    allowance: u64,
}

/// The load twice: what the first has left, Retained Messages and tables, is the measure.
fn scenario(broker: &Broker, form: &Form) {
    load(broker, form.warm_up, |_, _| ());
    let_pass(form.rest_ms);
    let before = Holding::now(broker);
    let peak = load(broker, form.length, |samples, counts| report(samples, counts, form.allowance));
    let_pass(form.rest_ms);
    before.is_back(broker, "soak, at rest", peak);
}

/// Prints the figures, and wants memory to keep its level.
///
/// Under load the allocator gives nothing back, so that what is resident is the most that there was
/// so far. Of a load that comes and goes at random that rises for ever, ever more slowly: the
/// quarters' slopes show it, and only the second half is judged.
fn report(samples: &[(f64, f64)], counts: &Counts, allowance: u64) {
    const HOURS: f64 = 3600.0 / 1024.0;
    println!("{}", counts.text());
    for (number, quarter) in (1..).zip(samples.chunks(samples.len().div_ceil(4))) {
        let slope = slope::of(quarter);
        let (value, error) = (slope.value * HOURS, slope.error * HOURS);
        println!("memory in quarter {number}: {value:+.0} kB an hour, standard error {error:.0}");
    }
    let steady = &samples[samples.len() / 2..];
    let slope = slope::of(steady);
    let length = steady.last().unwrap().0 - steady[0].0;
    // Three standard errors are exceeded by chance once in 700 runs.
    let rises = slope.value > 3.0 * slope.error;
    println!(
        "memory over the last {length:.0} s: {:+.0} kB an hour, standard error {:.0}: {}",
        slope.value * HOURS,
        slope.error * HOURS,
        if rises { "it rises" } else { "zero within three of them" }
    );
    let grown = slope.value * length;
    assert!(!rises || grown < allowance as f64, "memory grows by {grown:.0} bytes: {slope:?}");
}

fn number(name: &str) -> Option<u32> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

#[test]
fn mixed_load_with_churn_leaves_nothing_behind() {
    let length = Duration::from_secs(2);
    let form = Form { warm_up: length, length, rest_ms: 0, allowance: ALLOWANCE };
    for shards in SHARDS {
        scenario(&Broker::start(shards, &Options::default()), &form);
    }
}

#[test]
#[ignore = "half an hour, or POND_SOAK_SECONDS; it is run for its figures"]
fn soak() {
    let form = Form {
        warm_up: Duration::from_secs(60),
        length: Duration::from_secs(number("POND_SOAK_SECONDS").unwrap_or(1800).into()),
        rest_ms: 60_000,
        // glibc takes that much from the system at once: its M_TOP_PAD.
        allowance: 128 << 10,
    };
    let shards = number("POND_SOAK_SHARDS").map_or(SHARDS.to_vec(), |shards| vec![shards]);
    for shards in shards {
        println!("{shards} shard(s)");
        scenario(&Broker::start(shards, &Options::default()), &form);
    }
}

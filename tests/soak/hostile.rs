//! A crowd that means harm beside others that work: nobody of these notices. Who breaks the
//! protocol is ended for it, and who does not is served.

use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd;
use crate::ledger::Holding;
use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::bytes::{Connect, PINGREQ, Publish, packet, prop, subscribe};
use crate::support::client::{Bystanders, Client};

/// How long the good ones may take to exchange a message each; a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// Kinds of harm.
#[derive(Clone, Copy)]
enum Kind {
    /// Says nothing at all.
    Silent,
    /// Sends half of a CONNECT.
    HalfConnect,
    /// Begins a CONNECT that is longer than any may be.
    LongConnect,
    /// Speaks HTTP.
    Http,
    /// Sends noise.
    Noise,
    /// Connects, and sends noise as a packet of type 0, which there is not.
    NoType,
    /// Connects, and sends of the longest packet there can be only its length.
    OnlyLength,
    /// Connects, and publishes with more User Properties than the broker allows.
    Stuffed,
    /// Connects, and subscribes to filters that are much work.
    Filters,
    /// Connects, and publishes without reading its acknowledgements.
    Flood,
}

const KINDS: [Kind; 10] = [
    Kind::Silent,
    Kind::HalfConnect,
    Kind::LongConnect,
    Kind::Http,
    Kind::Noise,
    Kind::NoType,
    Kind::OnlyLength,
    Kind::Stuffed,
    Kind::Filters,
    Kind::Flood,
];

/// Topic Filters in one SUBSCRIBE.
const FILTERS: usize = 200;

/// Messages in one write.
const FLOOD: usize = 200;

/// One of the crowd, its connection open.
struct Hostile {
    kind: Kind,
    connect: Vec<u8>,
    client: Client,
}

impl Hostile {
    fn begin(broker: &Broker, number: usize) -> Hostile {
        let mut client = Client::over(Box::new(crowd::begin(broker, number)), V5);
        let connect = Connect::new(V5, &format!("harm-{number}")).bytes();
        let kind = KINDS[number % KINDS.len()];
        client.send(match kind {
            Kind::Silent => Vec::new(),
            Kind::HalfConnect => connect[..connect.len() / 2].to_vec(),
            Kind::LongConnect => vec![0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, b'M'],
            Kind::Http => b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n".to_vec(),
            // Any but the first byte of a CONNECT.
            Kind::Noise => [&[0x80 | number as u8], noise(number, 2000).as_slice()].concat(),
            Kind::NoType => {
                [connect.as_slice(), &packet(0x00, &[&noise(number, 4000)]), &PINGREQ].concat()
            }
            Kind::OnlyLength => {
                [&connect, [0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4].as_slice()].concat()
            }
            Kind::Stuffed => {
                let mut stuffed = Publish::new(V5, "harm/stuffed", "x").qos(1, 1);
                stuffed.properties = vec![prop::user("", ""); 2000];
                [connect.as_slice(), &stuffed.bytes(), &PINGREQ].concat()
            }
            Kind::Filters => [connect.as_slice(), &filters(number)].concat(),
            Kind::Flood => {
                let publish = Publish::new(V5, "harm/flood", vec![0; 64]).qos(1, 7).bytes();
                [connect.as_slice(), &publish.repeat(FLOOD)].concat()
            }
        });
        Hostile { kind, connect, client }
    }

    /// Wants the connection to have ended for what was wrong, and one on which nothing was wrong to
    /// be served still. Leaves.
    fn judge(mut self) {
        let client = &mut self.client;
        match self.kind {
            // It is in time still.
            Kind::Silent => client.send(&self.connect),
            Kind::HalfConnect => client.send(&self.connect[self.connect.len() / 2..]),
            // Nobody can tell what version would be answered.
            Kind::LongConnect | Kind::Http | Kind::Noise => return client.closed(),
            _ => {}
        }
        assert_eq!(client.connack().code, 0);
        match self.kind {
            Kind::NoType => return client.closed_for(0x81),
            Kind::Stuffed => return client.closed_for(0x97),
            Kind::OnlyLength => {
                // It may be that long. Had the broker ended it, a DISCONNECT would say why.
                client.sender().shutdown(Shutdown::Write).expect("an open connection");
                return client.closed();
            }
            Kind::Filters => assert_eq!(client.answer(0x90).codes, [2; FILTERS]),
            Kind::Flood => (0..FLOOD).for_each(|_| assert_eq!(client.answer(0x40).codes, [0x10])),
            _ => {}
        }
        client.ping();
        self.client.cut();
    }
}

fn filters(number: usize) -> Vec<u8> {
    let filters: Vec<String> =
        (0..FILTERS).map(|at| format!("{}{number}/{at}", "+/".repeat(at % 30))).collect();
    let list: Vec<(&str, u8)> = filters.iter().map(|filter| (filter.as_str(), 2)).collect();
    subscribe(V5, 1, &list)
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

/// So long that nobody is late with a CONNECT, however busy the machine.
fn options() -> Options {
    Options::default().set("connect_timeout", 3600)
}

fn scenario(broker: &Broker, hostile: usize, good: usize, rounds: usize) {
    const THREADS: usize = 4;
    let empty = Holding::before(broker);
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
                list.into_iter().map(|number| Hostile::begin(broker, first + number)).collect()
            });
            // All are open at once, and the others get on.
            let (began, then) = (Instant::now(), messages.load(Ordering::Relaxed));
            while messages.load(Ordering::Relaxed) < then + good {
                assert!(began.elapsed() < PATIENCE, "the good ones stand still");
                thread::yield_now();
            }
            let now = Holding::now(broker);
            peak = if now.memory > peak.memory { now } else { peak };
            crowd.into_iter().for_each(Hostile::judge);
        }
    });
    println!("{} messages of {good} good clients", messages.load(Ordering::Relaxed));
    after.ping();
    before.is_back(broker, &format!("{rounds} times {hostile} hostile connections"), peak);
    // What stays of the crowd is only what lies between what the good ones hold.
    pairs.into_iter().for_each(Bystanders::leave);
    after.leave();
    empty.is_back(broker, "without the good ones, too", peak);
}

#[test]
fn a_hostile_crowd_disturbs_no_good_client() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &options()), 100, 16, 1);
    }
}

#[test]
#[ignore = "long; it is run for its figures"]
fn hostile_crowd() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &options()), 1000, 104, 20);
    }
}

//! A reload storm: SIGHUP ten times a second with changed and with broken files, while clients
//! exchange messages at QoS 1 and 2. Nothing is lost, nobody is dropped, nothing grows.
//!
//! Five seconds of it belong to the checks. The long form, with its figures printed:
//!
//! ```sh
//! POND_STORM_SECONDS=60 cargo test --test reload_storm -- --nocapture
//! ```
#![cfg(feature = "broker")]
// The long form is run for its figures.
#![allow(clippy::print_stdout)]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::Version::{V5, V311};
use support::broker::{Broker, Options, SHARDS};
use support::client::Client;
use support::{is_sanitized, let_pass};

/// Pause between two signals.
const PAUSE_MS: u64 = 100;

/// Pairs of a publisher and a subscriber; half of them at QoS 2.
const PAIRS: usize = 8;

/// Memory that may come and go with reloads and with the allocator's arenas.
const SLACK: u64 = 6 << 20;

fn seconds() -> u64 {
    std::env::var("POND_STORM_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// Puts a text in place of a file in one step, as an editor does.
fn replace(file: &Path, text: &str) {
    let fresh = file.with_extension("fresh");
    fs::write(&fresh, text).expect("write the file");
    fs::rename(&fresh, file).expect("put it in place");
}

/// The file for the `n`-th signal; every second one is broken, each time in another way.
fn variant(n: u64, plain: &str, directory: &Path) -> String {
    let users = directory.join("users");
    let users = users.display();
    match n % 10 {
        1 => format!("max_queued_messages = \"many\"\n{plain}"),
        3 => format!("this is no option at all\n{plain}"),
        5 => format!("password_file = \"{users}.missing\"\n{plain}"),
        7 => format!("log_dest = \"file {users}.no/such/directory\"\n{plain}"),
        9 => format!("{plain}[[listener]]\nport = 0\nmax_qos = 9\n"),
        2 => format!("password_file = \"{users}\"\nmax_queued_messages = {}\n{plain}", 1000 + n),
        4 => format!("log_type = \"all\"\nmax_inflight_messages = {}\n{plain}", 10 + n % 50),
        6 => format!("sys_interval = 1\nmax_keepalive = {}\n{plain}", 600 + n % 100),
        _ => format!("max_queued_messages = {}\n{plain}", 1000 + n),
    }
}

/// Publishes and receives, one message at a time, until told to stop; returns how many.
fn exchange(broker: &Broker, pair: usize, stop: &AtomicBool) -> u64 {
    let version = if pair % 4 < 2 { V311 } else { V5 };
    let qos = 1 + (pair % 2) as u8;
    let topic = format!("pair/{pair}");
    let mut subscriber = Client::connect(broker, version, &format!("sub-{pair}"));
    subscriber.subscribe(&topic, qos);
    let mut publisher = Client::connect(broker, version, &format!("pub-{pair}"));
    let mut count = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let text = count.to_string();
        publisher.publish(&topic, &text, qos);
        // In order, nothing lost, nothing twice; a connection that ended would fail here.
        subscriber.receive_this(&topic, &text, qos);
        count += 1;
    }
    subscriber.ping();
    publisher.ping();
    count
}

fn storm(broker: &Broker) {
    let directory = broker.directory();
    let file = directory.join("pondhawk.toml");
    let plain = fs::read_to_string(&file).expect("the configuration");
    fs::write(directory.join("users"), "").expect("write the users");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let stop = &stop;
        let pairs: Vec<_> =
            (0..PAIRS).map(|pair| scope.spawn(move || exchange(broker, pair, stop))).collect();
        let until = Instant::now() + Duration::from_secs(seconds());
        let (mut signals, mut before) = (0, 0);
        while Instant::now() < until {
            replace(&file, &variant(signals, &plain, directory));
            broker.signal(Signal::SIGHUP);
            let_pass(PAUSE_MS);
            signals += 1;
            if signals == 20 {
                // By now every kind of file has been read twice.
                before = broker.memory();
            }
        }
        replace(&file, &format!("max_queued_messages = 77\n{plain}"));
        broker.signal(Signal::SIGHUP);
        broker.wait_log("max_queued_messages");
        let after = broker.memory();
        stop.store(true, Ordering::Relaxed);
        let counts = pairs.into_iter().map(|pair| pair.join().expect("a pair was harmed"));
        let messages: u64 = counts.sum();
        assert!(messages > 0);
        println!(
            "{signals} signals, {messages} messages, memory {} kB before, {} kB after",
            before / 1024,
            after / 1024
        );
        let kept = after < before + SLACK || is_sanitized();
        assert!(kept, "memory grew from {before} to {after} bytes");
    });
    broker.wait_log("The configuration was not reloaded; the old one stays in force.");
    broker.wait_log("Configuration reloaded; applied: ");
}

#[test]
fn a_storm_of_reloads_loses_no_message_and_drops_no_client() {
    for shards in SHARDS {
        storm(&Broker::start(shards, &Options::default()));
    }
}

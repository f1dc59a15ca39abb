//! Two subscribers to `#` that never read, beside the load of others: what it costs them. At QoS 0
//! it is the socket that is full, and the output buffer; at QoS 1 the window, and the queue.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::ledger::Holding;
use crate::support::Version::V311;
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::bytes::Connect;
use crate::support::client::{Bystanders, Client};

/// What the log says of the messages that a stalled subscriber does not get, by its QoS.
const DROPPED: [&str; 2] = [
    "QoS 0 for a client that does not read fast enough",
    "The session's queue had reached its limit of messages",
];

/// Bytes of payload in a load, if the messages would be too small otherwise.
const VOLUME: u32 = 32 << 20;

/// What the others do: pairs at QoS 1, each write of a publisher with four messages.
///
/// A subscriber of version 3.1.1 has 20 messages unacknowledged at most, so a pair gets through 20
/// in the time that an answer takes; more of them wait in its queue, and what does not fit is lost.
/// On a busy machine an answer takes 10 ms and more. So there are pairs enough that each has few
/// messages a second, and a queue has room for all that one of them has, but not for those of all.
struct Load {
    pairs: u32,
    /// Messages a second over all pairs.
    rate: u32,
    seconds: u32,
    /// Bytes of a payload.
    size: u32,
}

impl Load {
    /// With room for all that a pair has in a load, its warm-up of a second included.
    fn broker(&self, shards: u32) -> Broker {
        let room = self.rate * (self.seconds + 2) / self.pairs;
        Broker::start(shards, &Options::default().set("max_queued_messages", room))
    }

    /// The load generator checks the flows; says how it went.
    fn run(&self, broker: &Broker) -> Value {
        let program = Path::new(env!("CARGO_BIN_EXE_pondhawk")).with_file_name("loadgen");
        assert!(program.exists(), "build the load generator first: cargo build --workspace");
        let file = broker.directory().join("result.json");
        // One that ends before there is a result must not leave us that of the last one.
        let _ = std::fs::remove_file(&file);
        let output = Command::new(program)
            .args(["p2p", "--target", &broker.address.to_string(), "--qos", "1", "--batch", "4"])
            .args(["--pairs", &self.pairs.to_string(), "--size", &self.size.to_string()])
            .args(["--rate", &self.rate.to_string()])
            .args(["--duration", &format!("{}s", self.seconds)])
            .args(["--broker-pid", &broker.pid().to_string()])
            .args(["--quiet", "--no-calibrate", "--allow-generator-bound", "--out"])
            .arg(&file)
            .output()
            .expect("the load generator runs");
        let text = std::fs::read_to_string(&file);
        let text = text.unwrap_or_else(|error| panic!("no result: {error}; {output:?}"));
        let result: Value = serde_json::from_str(&text).expect("JSON");
        let mut log = broker.log_lines();
        log.retain(|line| line.contains("are being dropped"));
        assert!(output.status.success(), "{}\n{}", told(&result), log.join("\n"));
        result
    }
}

/// Why a load failed: what is missing, and who was late.
fn told(result: &Value) -> String {
    format!(
        "broken {}, complaints {}; the generator: {}; acknowledged after at most {} us, \
         end to end {} us; flows {}",
        result["broken"],
        result["complaints"],
        result["generator_bound"],
        result["latency"]["puback"]["max_us"],
        result["latency"]["end_to_end"]["max_us"],
        result["broken_flows"]
    )
}

/// The figures of some loads in the same situation.
#[derive(Default)]
struct Figures {
    /// Microseconds.
    p99: Vec<f64>,
    /// Processor time of the broker for each delivery to the others, in microseconds. A busy
    /// machine changes it less than the time on the clock.
    processor: Vec<f64>,
}

impl Figures {
    /// Prints a line about a load: what it took is a figure and nothing that is asserted.
    fn add(&mut self, what: &str, result: &Value) {
        let figure = |pointer: &str| {
            let value = result.pointer(pointer).and_then(Value::as_f64);
            value.unwrap_or_else(|| panic!("no {pointer} in {result}"))
        };
        let p99 = figure("/latency/end_to_end/p99_us");
        let processor = figure("/rates/broker_cpu_us");
        println!(
            "{what}: {:.0} deliveries a second to the others, p99 {p99:.0} us, {processor:.2} us \
             of processor time each{}",
            figure("/rates/delivered_per_s"),
            match result["generator_bound"].as_array().map(Vec::len) {
                Some(1..) => " (the generator was late, too)",
                _ => "",
            }
        );
        self.p99.push(p99);
        self.processor.push(processor);
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Connects a subscriber to everything that will not read any more.
fn stall(broker: &Broker, qos: u8, turn: usize) -> Client {
    let mut stalled = Client::open_narrow(broker, V311, 4096);
    stalled.send(Connect::new(V311, &format!("stalled-{qos}-{turn}")).keep_alive(0).bytes());
    assert_eq!(stalled.connack().code, 0);
    assert_eq!(stalled.subscribe("#", qos), qos);
    stalled
}

/// The load beside the stalled ones, who are gone afterwards. Gives what was held with them.
fn beside(broker: &Broker, load: &Load, turn: usize, figures: &mut Figures) -> Holding {
    let stalled = [0, 1].map(|qos| stall(broker, qos, turn));
    figures.add("beside stalled #", &load.run(broker));
    let held = Holding::now(broker);
    for (qos, why) in DROPPED.iter().enumerate() {
        broker.wait_log(&format!("Client stalled-{qos}-{turn}: {why}"));
    }
    stalled.into_iter().for_each(Client::cut);
    held
}

/// Alone and beside the stalled ones in turns; which of the two is first alternates, too.
fn scenario(broker: &Broker, load: &Load, turns: usize) {
    let mut others = Bystanders::new(broker);
    others.exchange();
    let before = Holding::now(broker);
    // The first load is slower than the later ones: all memory is new to it.
    load.run(broker);
    let (mut alone, mut with) = (Figures::default(), Figures::default());
    let mut peak = before;
    for turn in 0..turns {
        if turn % 2 == 0 {
            alone.add("alone", &load.run(broker));
        }
        let held = beside(broker, load, turn, &mut with);
        others.exchange();
        peak = if held.memory > peak.memory { held } else { peak };
        if turn % 2 == 1 {
            alone.add("alone", &load.run(broker));
        }
    }
    println!(
        "{} messages a second of {} pairs, medians of {turns} turns: p99 {:.0} us alone, {:.0} us \
         beside stalled #; processor time {:.2} us and {:.2} us",
        load.rate,
        load.pairs,
        median(&alone.p99),
        median(&with.p99),
        median(&alone.processor),
        median(&with.processor)
    );
    before.is_back(broker, "stalled #", peak);
}

#[test]
fn one_that_stalls_on_everything_harms_no_flow() {
    // A second of it has to fill a socket.
    let load = Load { pairs: 50, rate: 2000, seconds: 1, size: 4096 };
    for shards in SHARDS {
        scenario(&load.broker(shards), &load, 1);
    }
}

#[test]
#[ignore = "long; it is run for its figures"]
fn stalled_subscriber() {
    // About what two cores take; a machine with more of them may be asked for more.
    let rate =
        std::env::var("POND_SOAK_RATE").map_or(100_000, |text| text.parse().expect("a rate"));
    let seconds = 10;
    // At any rate enough to fill a socket, whose buffers take 2.5 MiB over loopback.
    let size = (VOLUME / (rate * seconds)).max(16);
    let load = Load { pairs: 200, rate, seconds, size };
    for shards in SHARDS {
        println!("{shards} shard(s)");
        scenario(&load.broker(shards), &load, 5);
    }
}

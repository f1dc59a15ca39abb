//! A subscriber to `#` that never reads, beside the load of others: what it costs them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::ledger::Holding;
use crate::support::Version::V311;
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::bytes::Connect;
use crate::support::client::{Bystanders, Client};

/// What the load generator says of pairs at this rate for that many seconds. It checks the flows.
fn load(broker: &Broker, rate: u32, seconds: u32) -> Value {
    let program = Path::new(env!("CARGO_BIN_EXE_pondhawk")).with_file_name("loadgen");
    assert!(program.exists(), "build the load generator first: cargo build --workspace");
    let result = broker.directory().join("result.json");
    let output = Command::new(program)
        .args(["p2p", "--target", &broker.address.to_string(), "--pairs", "50", "--batch", "4"])
        .args(["--rate", &rate.to_string(), "--duration", &format!("{seconds}s"), "--qos", "1"])
        .args(["--quiet", "--no-calibrate", "--allow-generator-bound", "--out"])
        .arg(&result)
        .output()
        .expect("the load generator runs");
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(&result).expect("a result");
    serde_json::from_str(&text).expect("JSON")
}

/// One line about a load: its p99 is a figure and nothing that is asserted.
fn show(what: &str, result: &Value) {
    println!(
        "{what}: {:.0} deliveries a second, p99 of the others {} us{}",
        result["rates"]["delivered_per_s"].as_f64().expect("a rate"),
        result["latency"]["end_to_end"]["p99_us"],
        match result["generator_bound"].as_array().map(Vec::len) {
            Some(1..) => " (the generator was late, too)",
            _ => "",
        }
    );
}

fn scenario(broker: &Broker, rate: u32, seconds: u32) {
    let mut others = Bystanders::new(broker);
    others.exchange();
    // The first load allocates once what every later one uses again.
    show("alone", &load(broker, rate, seconds));
    let before = Holding::now(broker);
    let mut stalled = Client::open_narrow(broker, V311, 4096);
    stalled.send(Connect::new(V311, "stalled").keep_alive(0).bytes());
    assert_eq!(stalled.connack().code, 0);
    assert_eq!(stalled.subscribe("#", 1), 1);
    show("beside a stalled #", &load(broker, rate, seconds));
    let peak = Holding::now(broker);
    others.exchange();
    stalled.cut();
    before.is_back(broker, "stalled #", peak);
}

#[test]
fn one_that_stalls_on_everything_harms_no_flow() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &Options::default()), 2000, 1);
    }
}

#[test]
#[ignore = "long; it is run for its figures"]
fn stalled_subscriber() {
    for shards in SHARDS {
        // About what two cores take; a machine with more of them may be asked for more.
        let rate = std::env::var("POND_SOAK_RATE").ok().map(|text| text.parse().expect("a rate"));
        scenario(&Broker::start(shards, &Options::default()), rate.unwrap_or(100_000), 10);
    }
}

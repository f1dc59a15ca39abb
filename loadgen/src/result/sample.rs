//! A result with every field filled, for tests.

use std::collections::BTreeMap;

use serde_json::json;

use crate::measure::{CpuDelta, Memory, ThreadCpu};

use super::counts::{BrokenFlow, Counts, QosCounts};
use super::latencies::{Latencies, LatencyKind};
use super::run::RunResult;
use super::samples::{BrokerSample, Generator, MemoryFit};
use super::scenario::{Loop, Scenario, Source};
use super::series::Slice;
use super::verdict::Verdict;
use super::window::Window;

/// Every field has a value, and each histogram one.
pub fn full() -> RunResult {
    let scenario = Scenario {
        name: "p2p".to_owned(),
        source: Source::CommandLine,
        text: Some("# a scenario\n".to_owned()),
        pacing: Loop::Open,
        parameters: BTreeMap::from([("qos".to_owned(), json!(1))]),
    };
    let mut result = RunResult::begin(scenario, "127.0.0.1:1883".to_owned());
    result.labels.insert("broker".to_owned(), "pondhawk 0.1.0".to_owned());
    result.verdict = Verdict::Broken;
    result.broken.push("1 messages lost".to_owned());
    result.generator_bound.push("2000 µs late at p99".to_owned());
    result.interrupted = Some("Ctrl-C".to_owned());
    result.counts = Counts { sent: 10, expected: 10, delivered: 9, lost: 1, ..Counts::default() };
    result.by_qos =
        vec![QosCounts { qos: 1, expected: 10, delivered: 9, lost: 1, ..QosCounts::default() }];
    result.broken_flows.push(broken_flow());
    result.notes.insert("takeovers".to_owned(), "3".to_owned());
    result.complaints.push("CONNECT refused: 0x87".to_owned());
    let thread = ThreadCpu { tid: 7, name: "shard-0".to_owned(), cpu_ns: 5_000 };
    let cpu = CpuDelta {
        cpu_ns: 5_000,
        voluntary_switches: 3,
        involuntary_switches: 1,
        threads: vec![thread.clone()],
    };
    result.window = Some(Window {
        seconds: 2.0,
        sent: 10,
        delivered: 9,
        acknowledged: 10,
        broker: Some(cpu.clone()),
        generator: cpu,
    });
    result.latency = latencies();
    result.series = vec![Slice::new(0, 1.0, "warm-up"), Slice::new(1, 1.0, "run")];
    result.series[1].latency = latencies();
    result.broker_samples.push(broker_sample());
    result.memory_fits.push(MemoryFit {
        each: "connection".to_owned(),
        memory: "rss".to_owned(),
        bytes: 562.0,
        error_bytes: Some(3.0),
        r_squared: 0.999,
        points: vec![(10, 5_620)],
    });
    result.generators.push(Generator {
        host: "here".to_owned(),
        pid: 99,
        clients: 2,
        threads: vec![thread],
        ceiling_per_s: Some(1e6),
    });
    result
}

fn latencies() -> Latencies {
    let mut latencies = Latencies::default();
    for (step, kind) in (1..).zip(LatencyKind::ALL) {
        latencies.record_ns(kind, step * 100_000);
    }
    latencies
}

fn broken_flow() -> BrokenFlow {
    BrokenFlow {
        publisher: "lg-pub-0".to_owned(),
        subscriber: "lg-sub-0".to_owned(),
        topic: "lg/p2p/0000".to_owned(),
        qos: 1,
        expected: 10,
        lost: 1,
        duplicated: 0,
        reordered: 0,
        corrupted: 0,
        missing: vec![(3, 3)],
    }
}

fn broker_sample() -> BrokerSample {
    BrokerSample {
        at_s: 0.5,
        cpu_ns: 5_000,
        memory: Memory { rss: 3 << 20, rss_anon: 1 << 20, pss: 2 << 20 },
        threads: 4,
        voluntary_switches: 3,
        involuntary_switches: 1,
    }
}

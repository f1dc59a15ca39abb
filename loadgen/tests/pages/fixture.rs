//! Results made up for the tests. The histograms are written with their own library, not with the
//! generator's code.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde_json::{Value, json};

/// A generator of numbers that gives the same ones for the same seed.
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number, 0 to 1.
    pub fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }

    /// Latencies in µs with a long tail, around `middle`.
    pub fn latencies(&mut self, count: usize, middle: f64) -> Vec<u64> {
        (0..count).map(|_| (middle * (0.7 - 0.5 * self.next().ln())) as u64).collect()
    }
}

/// A histogram as it stands in a result.
pub fn histogram(values: &[u64]) -> Value {
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    values.iter().for_each(|value| histogram.record(*value).unwrap());
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
    json!({ "histogram": STANDARD.encode(bytes) })
}

/// A result of a run of ten seconds with these end-to-end latencies, and a broker that used
/// `cpu_us` for each delivery.
pub fn result(values: &[u64], cpu_us: f64) -> Value {
    let slices = values.chunks(values.len().div_ceil(10)).zip(0..).map(|(part, index)| {
        json!({
            "index": index, "at_s": index, "seconds": 1.0, "phase": "run",
            "connected": 128.min(index * 30), "sent": part.len(), "delivered": part.len(),
            "acknowledged": part.len(), "errors": 0,
            "latency": { "end_to_end": histogram(part) },
        })
    });
    let delivered = values.len() as u64;
    let broker_ns = (delivered as f64 * cpu_us * 1000.0) as u64;
    let samples = (0..11).map(|at| {
        json!({
            "at_s": at, "cpu_ns": broker_ns / 10 * at, "threads": 4,
            "memory": { "rss": (8 << 20) + at * 300_000, "rss_anon": (3 << 20) + at * 200_000,
                        "pss": (6 << 20) + at * 250_000 },
            "voluntary_switches": at * 100, "involuntary_switches": at,
        })
    });
    let cpu = |cpu_ns: u64| {
        json!({ "cpu_ns": cpu_ns, "voluntary_switches": 9, "involuntary_switches": 1, "threads": [
            { "tid": 7, "name": "shard-0", "cpu_ns": cpu_ns }] })
    };
    let mut result = json!({
        "format": "loadgen-result", "schema": 1, "target": "127.0.0.1:1883",
        "scenario": { "name": "p2p", "source": "command_line", "text": null, "loop": "open",
            "parameters": { "publishers": 64, "qos": 1, "rate_per_s": 10_000,
                "payload_bytes": 16 } },
        "labels": { "broker": "pondhawk 0.1.0 <script>alert(1)</script>" },
        "started_at": "2026-11-26T08:30:00Z",
        "environment": { "loadgen": "0.1.0", "loadgen_commit": "0123456789ab",
            "command": ["loadgen", "p2p", "--pairs", "64"], "kernel": "6.18.44",
            "cpu": "Intel(R) Xeon(R) Processor @ 2.80GHz", "cpus": 2,
            "memory_bytes": 25_000_000_000_u64, "open_files_soft": 20_000,
            "open_files_hard": 20_000, "load_average": 0.2,
            "sysctls": { "net.ipv4.tcp_rmem": "4096 131072 6291456" } },
        "verdict": "kept", "broken": [], "generator_bound": [], "interrupted": null,
        "by_qos": [], "broken_flows": [], "complaints": [],
        "window": { "seconds": 10.0, "sent": delivered, "delivered": delivered,
            "acknowledged": delivered, "broker": cpu(broker_ns), "generator": cpu(broker_ns / 2) },
        "latency": { "end_to_end": histogram(values), "puback": histogram(values),
            "connack": histogram(&values[..values.len() / 10]) },
        "memory_fits": [], "generators": [],
    });
    let counts = [
        "expected",
        "lost",
        "duplicated",
        "reordered",
        "corrupted",
        "foreign",
        "unacknowledged",
        "refused",
        "stalls",
        "connects",
        "connected",
        "connections_lost",
        "subscribed",
    ];
    result["counts"] =
        json!({ "sent": delivered, "delivered": delivered, "acknowledged": delivered });
    counts.iter().for_each(|name| result["counts"][name] = 0.into());
    result["series"] = slices.collect::<Vec<_>>().into();
    result["broker_samples"] = samples.collect::<Vec<_>>().into();
    result
}

/// Writes a result below `folder`.
pub fn write(folder: &Path, name: &str, result: &Value) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, result.to_string()).unwrap();
    path
}

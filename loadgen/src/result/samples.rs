//! What was seen of the broker's process and of the generator's own.

use serde::{Deserialize, Serialize};

use crate::measure::{Memory, ThreadCpu};

/// The broker's process at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrokerSample {
    /// Since the run began, s.
    pub at_s: f64,
    /// CPU time of all threads since the first sample, ns.
    pub cpu_ns: u64,
    /// Memory.
    pub memory: Memory,
    /// Threads.
    pub threads: u32,
    /// Times a thread gave the CPU up, since the first sample.
    pub voluntary_switches: u64,
    /// Times a thread lost the CPU, since the first sample.
    pub involuntary_switches: u64,
}

/// One process of the generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Name of the machine.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Clients that it drove.
    pub clients: u64,
    /// CPU time of each thread in the measurement window.
    pub threads: Vec<ThreadCpu>,
    /// Deliveries a second that this generator reached against its own null broker on the same
    /// machine, if that was measured: no broker can show more.
    pub ceiling_per_s: Option<f64>,
}

/// What one connection or subscription more costs the broker: the slope of a line through its
/// memory as they grow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryFit {
    /// What grew: `connection`, `subscription`, `retained message`, ...
    pub each: String,
    /// Which memory: `rss`, `rss_anon` or `pss`.
    pub memory: String,
    /// Bytes for each.
    pub bytes: f64,
    /// Standard error of `bytes`; none with fewer than three points.
    pub error_bytes: Option<f64>,
    /// Share of the variance that the line explains, 0 to 1.
    pub r_squared: f64,
    /// Count and memory in bytes of each point.
    pub points: Vec<(u64, u64)>,
}

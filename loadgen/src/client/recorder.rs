//! What one thread measures.

use crate::result::{Counts, Latencies, LatencyKind};

use super::board::Totals;
use super::seen::Seen;

/// Most complaints kept per thread.
const MAX_COMPLAINTS: usize = 8;

/// Histograms and counts of one thread, merged when the run is over.
#[derive(Debug, Default)]
pub struct Recorder {
    /// What belongs to the measurement window.
    pub latencies: Latencies,
    /// Everything since the current interval began.
    pub interval: Latencies,
    /// Counts published to other threads.
    pub totals: Totals,
    /// Counts only of interest at the end.
    pub counts: Counts,
    /// What members of shared subscriptions received.
    pub seen: Seen,
    /// Will Messages received.
    pub wills: u64,
    /// Connections that another one with the same ClientId took over.
    pub takeovers: u64,
    /// Connections from each source address and to each target, by their numbers.
    pub by_source: Vec<u64>,
    /// The first few reasons for which connections ended.
    pub complaints: Vec<String>,
}

impl Recorder {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a latency for the interval, and for the whole if it belongs to the window.
    #[inline]
    pub fn record(&mut self, kind: LatencyKind, latency_ns: u64, in_window: bool) {
        self.interval.record_ns(kind, latency_ns);
        if in_window {
            self.latencies.record_ns(kind, latency_ns);
        }
    }

    /// Counts a connection that ended, and why.
    pub fn connection_lost(&mut self, why: String) {
        self.totals.ended += 1;
        self.counts.connections_lost += 1;
        self.complain(why);
    }

    /// Keeps a reason, if it is among the first few and new.
    pub fn complain(&mut self, why: String) {
        if self.complaints.len() < MAX_COMPLAINTS && !self.complaints.contains(&why) {
            self.complaints.push(why);
        }
    }
}

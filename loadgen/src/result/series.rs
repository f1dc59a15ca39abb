//! The run cut into slices of time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latencies::Latencies;
use super::merge::Merge;

/// What happened in one slice. All processes of a run cut at the same times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Number of the slice, from 0 when the run began.
    pub index: u32,
    /// When it began, s since the run began.
    pub at_s: f64,
    /// Its length, s.
    pub seconds: f64,
    /// What the run was doing at its end: `connect`, `warm-up`, `run`, `drain`, ...
    pub phase: String,
    /// Clients connected at its end.
    pub connected: u64,
    /// Application Messages sent.
    pub sent: u64,
    /// Application Messages delivered, repetitions not counted.
    pub delivered: u64,
    /// QoS 1 and 2 exchanges completed.
    pub acknowledged: u64,
    /// Connections refused or lost, and publications refused.
    pub errors: u64,
    /// Histograms of what was recorded in it.
    #[serde(default)]
    pub latency: Latencies,
}

impl Slice {
    /// An empty slice, `seconds` long.
    pub fn new(index: u32, seconds: f64, phase: &str) -> Self {
        let at_s = f64::from(index) * seconds;
        Self { index, at_s, seconds, phase: phase.to_owned(), ..Self::default() }
    }
}

impl Merge for Slice {
    /// The other process's part of the same slice.
    fn merge(&mut self, other: Self) {
        if self.phase.is_empty() {
            self.phase = other.phase;
        }
        self.connected += other.connected;
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.acknowledged += other.acknowledged;
        self.errors += other.errors;
        self.latency.merge(other.latency);
    }
}

/// Adds slices to those of the same number.
pub fn add_slices(mine: &mut Vec<Slice>, theirs: Vec<Slice>) {
    let mut by_index: BTreeMap<u32, Slice> =
        std::mem::take(mine).into_iter().map(|slice| (slice.index, slice)).collect();
    for slice in theirs {
        match by_index.get_mut(&slice.index) {
            Some(present) => present.merge(slice),
            None => drop(by_index.insert(slice.index, slice)),
        }
    }
    *mine = by_index.into_values().collect();
}

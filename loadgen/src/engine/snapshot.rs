//! Progress and CPU time at one moment, and what happened between two.

use std::io;

use serde::Serialize;

use crate::client::Totals;
use crate::clock::now_ns;
use crate::measure::{CpuDelta, ProcessSample};

use super::fleet::Fleet;

/// Counters read as close together as possible.
#[derive(Clone, Debug)]
pub struct Snapshot {
    at_ns: u64,
    totals: Totals,
    broker: Option<ProcessSample>,
    own: ProcessSample,
}

impl Snapshot {
    /// Reads the fleet's progress, the broker's CPU time and the generator's own.
    ///
    /// # Errors
    /// If the broker's process is gone.
    pub fn take(fleet: &Fleet, broker_pid: Option<u32>) -> io::Result<Self> {
        let totals = fleet.totals();
        let at_ns = now_ns();
        let broker = broker_pid.map(ProcessSample::take).transpose()?;
        let own = ProcessSample::take(std::process::id())?;
        Ok(Self { at_ns, totals, broker, own })
    }
}

/// What happened between two snapshots.
#[derive(Clone, Debug, Serialize)]
pub struct Interval {
    /// Wall time, s.
    pub seconds: f64,
    /// Application Messages sent.
    pub sent: u64,
    /// Application Messages delivered.
    pub delivered: u64,
    /// QoS 1 and 2 publications completed.
    pub acknowledged: u64,
    /// CPU of the broker, if its process is known.
    pub broker: Option<CpuDelta>,
    /// CPU of the generator.
    pub generator: CpuDelta,
}

impl Interval {
    /// From one snapshot to a later one.
    pub fn between(from: &Snapshot, to: &Snapshot) -> Self {
        let broker = from.broker.as_ref().zip(to.broker.as_ref());
        Self {
            seconds: to.at_ns.saturating_sub(from.at_ns) as f64 / 1e9,
            sent: to.totals.sent - from.totals.sent,
            delivered: to.totals.delivered - from.totals.delivered,
            acknowledged: to.totals.acked - from.totals.acked,
            broker: broker.map(|(before, after)| after.since(before)),
            generator: to.own.since(&from.own),
        }
    }

    /// Deliveries per second.
    pub fn delivery_rate(&self) -> f64 {
        self.delivered as f64 / self.seconds
    }

    /// CPU µs for each delivery.
    pub fn us_per_delivery(&self, cpu: &CpuDelta) -> Option<f64> {
        (self.delivered > 0).then(|| cpu.cpu_ns as f64 / 1000.0 / self.delivered as f64)
    }
}

//! Progress and CPU time at one moment, and what happened between two.

use std::io;

use crate::client::Totals;
use crate::clock::now_ns;
use crate::measure::ProcessSample;
use crate::result::Window;

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

    /// What happened since `earlier`.
    pub fn since(&self, earlier: &Self) -> Window {
        let broker = earlier.broker.as_ref().zip(self.broker.as_ref());
        Window {
            seconds: self.at_ns.saturating_sub(earlier.at_ns) as f64 / 1e9,
            sent: self.totals.sent - earlier.totals.sent,
            delivered: self.totals.delivered - earlier.totals.delivered,
            acknowledged: self.totals.acked - earlier.totals.acked,
            broker: broker.map(|(before, after)| after.since(before)),
            generator: self.own.since(&earlier.own),
        }
    }
}

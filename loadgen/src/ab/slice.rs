//! One broker's part in a comparison.

use std::thread;
use std::time::Duration;

use crate::clock::now_ns;
use crate::engine::{Fleet, Outcome, Plan, Snapshot};
use crate::failure::Failure;
use crate::measure::Memory;
use crate::result::Window;
use crate::run::prepare;

use super::broker::BrokerProcess;

/// How long to wait for stragglers after a slice.
const PATIENCE: Duration = Duration::from_secs(2);

/// A broker with its clients, which are silent between slices.
pub struct Contender {
    process: BrokerProcess,
    fleet: Fleet,
    slices: Vec<Window>,
}

/// What became of a broker.
pub struct Finished {
    /// Name in the report.
    pub name: String,
    /// Its slices, by round.
    pub slices: Vec<Window>,
    /// Memory after the last slice.
    pub memory: Memory,
    /// All messages of all slices.
    pub outcome: Outcome,
}

impl Contender {
    /// Connects the clients of a plan.
    ///
    /// # Errors
    /// If the broker refuses them.
    pub fn connect(process: BrokerProcess, plan: &Plan) -> Result<Self, Failure> {
        let fleet = prepare(plan, process.address, &[])?;
        let connected = fleet.connect(0, plan.subscriptions());
        let fleet =
            fleet.if_connected(connected).map_err(|error| Failure::of(&process.name, error))?;
        Ok(Self { process, fleet, slices: Vec::new() })
    }

    /// Loads the broker for `warmup` and `length`, and measures the latter.
    ///
    /// # Errors
    /// If the broker is gone.
    pub fn slice(&mut self, warmup: Duration, length: Duration) -> Result<(), Failure> {
        let gone = |error| Failure::of(&self.process.name, error);
        let pid = Some(self.process.pid());
        let start = now_ns();
        let from = start + warmup.as_nanos() as u64;
        self.fleet.record_between(from, from + length.as_nanos() as u64);
        self.fleet.resume(start);
        thread::sleep(warmup);
        let before = Snapshot::take(&self.fleet, pid).map_err(gone)?;
        thread::sleep(length);
        let after = Snapshot::take(&self.fleet, pid).map_err(gone)?;
        self.fleet.pause();
        self.fleet.settle(PATIENCE);
        self.slices.push(after.since(&before));
        Ok(())
    }

    /// Disconnects and ends the broker.
    ///
    /// # Errors
    /// If the broker is gone or a generator thread failed.
    pub fn finish(self) -> Result<Finished, Failure> {
        let name = self.process.name.clone();
        let memory = Memory::of(self.process.pid()).map_err(|error| Failure::of(&name, error))?;
        Ok(Finished { name, slices: self.slices, memory, outcome: self.fleet.finish()? })
    }
}

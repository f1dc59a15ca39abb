//! One broker's part in a comparison.

use std::thread;
use std::time::Duration;

use crate::args::AbArgs;
use crate::client::Totals;
use crate::clock::now_ns;
use crate::crew::{Crew, Job, Parts};
use crate::engine::Outcome;
use crate::failure::Failure;
use crate::measure::{Memory, ProcessSample};
use crate::net::{Endpoint, Sources};
use crate::plan::Plan;
use crate::result::Window;
use crate::run::Conduct;
use crate::scenario::Start;

use super::broker::BrokerProcess;

/// A broker with its clients, which are silent between slices.
pub struct Contender<'a> {
    process: BrokerProcess,
    conduct: Conduct<'a>,
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

impl<'a> Contender<'a> {
    /// Connects the clients of a plan.
    ///
    /// # Errors
    /// If the broker refuses them.
    pub fn connect(process: BrokerProcess, plan: &'a Plan, args: &AbArgs) -> Result<Self, Failure> {
        let of = |error: String| Failure::of(&process.name, error);
        let plain: Endpoint = process.address.to_string().parse().map_err(of)?;
        let target = args.layers.over(&plain);
        let clients = plan.clients(Start::First) as u64;
        let sources = Sources::plan(target.address, 1, &[], None, clients).map_err(of)?;
        let epoch_ns = now_ns();
        let mut job = Job::new(&plan.scenario, vec![target], sources);
        (job.epoch_ns, job.tls) = (epoch_ns, args.layers.settings());
        let crew = Crew::launch(&job, &Parts::Here, |_| clients).map_err(of)?;
        let mut conduct = Conduct::new(crew, plan, epoch_ns);
        if let Err(why) = conduct.connect(Start::First) {
            let complaints = conduct.crew.finish().map(|finished| finished.0.complaints);
            let complaints = complaints.unwrap_or_default().into_iter();
            return Err(of(complaints.fold(why, |text, why| text + "; " + &why)));
        }
        Ok(Self { process, conduct, slices: Vec::new() })
    }

    /// Loads the broker for `warmup` and `length`, and measures the latter.
    ///
    /// # Errors
    /// If the broker is gone.
    pub fn slice(&mut self, warmup: Duration, length: Duration) -> Result<(), Failure> {
        let name = self.process.name.clone();
        let gone = |error: String| Failure::of(&name, error);
        let start = now_ns();
        let from = start + warmup.as_nanos() as u64;
        let crew = &mut self.conduct.crew;
        crew.record_between(from, from + length.as_nanos() as u64).map_err(gone)?;
        crew.run(start, u64::MAX / 2).map_err(gone)?;
        thread::sleep(warmup);
        let before = self.sample()?;
        thread::sleep(length);
        let after = self.sample()?;
        self.conduct.crew.hold().map_err(gone)?;
        self.conduct.settle().map_err(gone)?;
        self.slices.push(before.until(&after));
        Ok(())
    }

    /// Counters and CPU times, read as close together as possible.
    fn sample(&mut self) -> Result<Moment, Failure> {
        let totals = self.conduct.crew.totals();
        let at_ns = now_ns();
        let gone = |error| Failure::of(&self.process.name, error);
        let broker = ProcessSample::take(self.process.pid()).map_err(gone)?;
        Ok(Moment { at_ns, totals, broker, own: ProcessSample::take(std::process::id())? })
    }

    /// Disconnects and ends the broker.
    ///
    /// # Errors
    /// If the broker is gone or a generator thread failed.
    pub fn finish(self) -> Result<Finished, Failure> {
        let name = self.process.name.clone();
        let memory = Memory::of(self.process.pid()).map_err(|error| Failure::of(&name, error))?;
        let (outcome, _, _) = self.conduct.crew.finish()?;
        Ok(Finished { name, slices: self.slices, memory, outcome })
    }
}

/// Progress and CPU time at one moment.
struct Moment {
    at_ns: u64,
    totals: Totals,
    broker: ProcessSample,
    own: ProcessSample,
}

impl Moment {
    fn until(&self, later: &Self) -> Window {
        Window {
            seconds: later.at_ns.saturating_sub(self.at_ns) as f64 / 1e9,
            sent: later.totals.sent - self.totals.sent,
            delivered: later.totals.delivered - self.totals.delivered,
            acknowledged: later.totals.acked - self.totals.acked,
            broker: Some(later.broker.since(&self.broker)),
            generator: later.own.since(&self.own),
        }
    }
}

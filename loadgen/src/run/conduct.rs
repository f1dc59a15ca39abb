//! The phases of a run: ramp, load, drain.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Totals;
use crate::clock::now_ns;
use crate::crew::{Crew, Measured};
use crate::engine::Outcome;
use crate::plan::Plan;
use crate::result::{Merge, Slice, Window};
use crate::scenario::Start;

use super::growth::Growth;
use super::signals::Signals;
use super::watch::Watch;

/// How often progress is looked at while waiting for it.
const LOOK: Duration = Duration::from_millis(5);

/// How long connecting may make no progress.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);

/// Points of the line of memory by clients.
const STEPS: u64 = 10;

/// Rest at each point if memory is what is measured, so that the broker has done what it does
/// after a handshake.
const REST: Duration = Duration::from_millis(200);

/// Time between the order to publish and the first message, so that every process has it.
const LEAD_NS: u64 = 20_000_000;
/// The same for other machines.
const FAR_LEAD_NS: u64 = 500_000_000;

/// Steps of connections or subscriptions, with the memory in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Rest at each point.
    pub memory: bool,
    /// Subscribe behind all connections, in steps too.
    pub subscribe: bool,
}

/// A run under way.
pub struct Conduct<'a> {
    /// Those who do it.
    pub crew: Crew,
    /// The whole plan.
    pub plan: &'a Plan,
    /// What may end it.
    pub signals: Option<&'a Signals>,
    /// The broker's process.
    pub watch: Option<Watch>,
    /// Connections per second; 0 for no limit.
    pub connect_rate: f64,
    /// What is measured while connecting.
    pub measure: Measure,
    /// When interval 0 began.
    pub epoch_ns: u64,
    /// Shows how it goes.
    pub show: Box<dyn FnMut(&Sight<'_>) + 'a>,
    /// What there is so far.
    pub so_far: SoFar,
}

/// What there is so far.
#[derive(Default)]
pub struct SoFar {
    series: Vec<Slice>,
    /// When each phase began, s.
    phases: Vec<(f64, &'static str)>,
    growth: Vec<Growth>,
    window: Option<Window>,
    interrupted: Option<String>,
    stuck: bool,
}

/// What the one at the terminal may see.
pub struct Sight<'a> {
    /// The phase.
    pub phase: &'static str,
    /// Time since it began, s.
    pub elapsed_s: f64,
    /// Clients planned.
    pub clients: u64,
    /// Progress.
    pub totals: Totals,
    /// The last interval that is over.
    pub slice: Option<&'a Slice>,
}

/// What a run brought to light.
pub struct Finished {
    /// What all parts measured together.
    pub outcome: Outcome,
    /// The parts.
    pub measured: Vec<Measured>,
    /// The broker's process.
    pub watch: Option<Watch>,
    /// The measurement window, without CPU times.
    pub window: Option<Window>,
    /// Intervals.
    pub series: Vec<Slice>,
    /// Memory while connecting.
    pub growth: Vec<Growth>,
    /// Why it ended early.
    pub interrupted: Option<String>,
    /// It ended early because the broker did not answer.
    pub stuck: bool,
    /// Processes have different clocks.
    pub foreign_clocks: bool,
}

impl<'a> Conduct<'a> {
    /// A plain run of a crew, with nothing to watch or to show.
    pub fn new(crew: Crew, plan: &'a Plan, epoch_ns: u64) -> Self {
        Self {
            crew,
            plan,
            signals: None,
            watch: None,
            connect_rate: 0.0,
            measure: Measure::default(),
            epoch_ns,
            show: Box::new(|_| {}),
            so_far: SoFar::default(),
        }
    }

    /// Goes through the phases. Whatever ends the run early, what was measured is kept.
    ///
    /// # Errors
    /// If a process of the crew cannot say what it measured.
    pub fn run(mut self) -> Result<Finished, String> {
        if let Err(why) = self.phases() {
            self.so_far.interrupted = Some(why);
        }
        self.enter("end");
        // A worker that is gone says so again when it is asked for its outcome.
        let _ = self.crew.hold();
        self.take_slices();
        let foreign_clocks = self.crew.has_foreign_clocks();
        let (outcome, measured, rest) = self.crew.finish()?;
        let SoFar { mut series, phases, growth, window, interrupted, stuck } = self.so_far;
        crate::result::add_slices(&mut series, rest);
        for slice in &mut series {
            let end = slice.at_s + slice.seconds;
            let phase = phases.iter().rev().find(|(begin, _)| *begin < end);
            slice.phase = phase.map_or("connect", |(_, name)| name).to_owned();
        }
        let watch = self.watch;
        Ok(Finished {
            outcome,
            measured,
            watch,
            window,
            series,
            growth,
            interrupted,
            stuck,
            foreign_clocks,
        })
    }

    /// The phases; the error says why the run ended early.
    fn phases(&mut self) -> Result<(), String> {
        self.enter("connect");
        self.connect(Start::First)?;
        let groups = &self.plan.scenario.groups;
        let publishes = groups.iter().any(|group| group.publish.is_some());
        self.load(publishes)?;
        if publishes {
            self.enter("drain");
            self.drain()?;
        }
        if groups.iter().any(|group| group.start == Start::Last) {
            self.enter("late");
            self.connect(Start::Last)?;
            self.settle()?;
        }
        Ok(())
    }

    fn enter(&mut self, phase: &'static str) {
        let at_s = now_ns().saturating_sub(self.epoch_ns) as f64 / 1e9;
        self.so_far.phases.push((at_s, phase));
    }

    /// Opens the connections of the first or of the last groups, and waits for their subscriptions.
    ///
    /// # Errors
    /// If a client is refused or nothing moves for long.
    pub fn connect(&mut self, start: Start) -> Result<(), String> {
        let first = self.plan.clients(Start::First) as u64;
        let (from, clients) = match start {
            Start::First => (0, first),
            Start::Last => (first, first + self.plan.clients(Start::Last) as u64),
        };
        let mut growth = Growth::of("connection");
        let steps = if start == Start::First { STEPS.min(clients.max(1)) } else { 1 };
        growth.begin(self.crew.memory_before());
        let mut pace = (Instant::now(), from);
        for step in 1..=steps {
            let to = from + (clients - from) * step / steps;
            self.connect_to(pace, to)?;
            if self.measure.memory {
                pace = (Instant::now(), to);
            }
            self.note_memory(&mut growth, to);
        }
        let subscriptions = match start {
            Start::First => self.plan.subscriptions(Start::First),
            Start::Last => {
                self.plan.subscriptions(Start::First) + self.plan.subscriptions(Start::Last)
            }
        };
        if start == Start::First {
            self.so_far.growth.push(growth);
        }
        match self.measure {
            Measure { subscribe: true, .. } => self.subscribe(clients),
            // Clients whose memory is measured wait for an order to subscribe.
            Measure { memory: true, .. } => Ok(()),
            _ => self.wait_for(move |totals| totals.subscribed >= subscriptions),
        }
    }

    /// Lets connections grow to `to`, at the rate that began at a time with some of them, and waits
    /// for them.
    fn connect_to(&mut self, (begin, from): (Instant, u64), to: u64) -> Result<(), String> {
        let all = self.all_clients();
        loop {
            let paced = from + (begin.elapsed().as_secs_f64() * self.connect_rate) as u64;
            let allowed = if self.connect_rate > 0.0 { paced.min(to) } else { to };
            self.crew.connect(allowed, all)?;
            if allowed == to {
                break;
            }
            self.look()?;
        }
        self.wait_for(|totals| totals.connected >= to)
    }

    fn all_clients(&self) -> u64 {
        (self.plan.clients(Start::First) + self.plan.clients(Start::Last)) as u64
    }

    /// Lets idle clients subscribe in steps.
    fn subscribe(&mut self, clients: u64) -> Result<(), String> {
        let mut growth = Growth::of("subscription");
        self.note_memory(&mut growth, 0);
        for step in 1..=STEPS {
            let to = clients * step / STEPS;
            self.crew.subscribe(to, self.all_clients())?;
            self.wait_for(|totals| totals.subscribed >= to)?;
            self.note_memory(&mut growth, to);
        }
        self.so_far.growth.push(growth);
        Ok(())
    }

    fn note_memory(&mut self, growth: &mut Growth, count: u64) {
        if self.measure.memory {
            thread::sleep(REST);
        }
        let broker = self.watch.as_ref().filter(|_| self.measure.memory).and_then(Watch::memory);
        growth.add(count, broker, self.crew.memory());
    }

    /// Waits until `done`; connections that are refused or lost end the run.
    fn wait_for(&mut self, done: impl Fn(&Totals) -> bool) -> Result<(), String> {
        let mut last = Totals::default();
        let mut moved = Instant::now();
        loop {
            let totals = self.look()?;
            let Totals { ended, connected, subscribed, .. } = totals;
            if ended > 0 {
                return Err(format!("{ended} connections refused or lost, {connected} connected"));
            }
            if done(&totals) {
                return Ok(());
            }
            let patience = CONNECT_PATIENCE + self.plan.scenario.run.retry_delay;
            if totals != last {
                (last, moved) = (totals, Instant::now());
            } else if moved.elapsed() > patience {
                self.so_far.stuck = true;
                return Err(format!("stuck with {connected} connected, {subscribed} subscribed"));
            }
        }
    }

    /// A short rest, then progress. The error is why the run has to end.
    fn look(&mut self) -> Result<Totals, String> {
        thread::sleep(LOOK);
        self.take_slices();
        if let Some(watch) = &mut self.watch {
            watch.look(now_ns());
            if watch.is_gone() {
                return Err("the broker's process has ended".to_owned());
            }
        }
        let totals = self.crew.totals();
        self.show(&totals);
        match self.signals.and_then(Signals::caught) {
            Some(signal) => Err(signal.to_owned()),
            None => Ok(totals),
        }
    }

    fn show(&mut self, totals: &Totals) {
        let (begin, phase) = self.so_far.phases.last().copied().unwrap_or((0.0, "connect"));
        let elapsed_s = now_ns().saturating_sub(self.epoch_ns) as f64 / 1e9 - begin;
        // The last one may lack the slices of slower threads.
        let whole = self.so_far.series.len().checked_sub(2);
        let slice = whole.and_then(|index| self.so_far.series.get(index));
        let clients = self.all_clients();
        (self.show)(&Sight { phase, elapsed_s, clients, totals: *totals, slice });
    }

    fn take_slices(&mut self) {
        for slice in self.crew.slices() {
            // Slices of all threads arrive about in order: the place is near the end.
            let series = &mut self.so_far.series;
            match series.iter_mut().rev().find(|present| present.index == slice.index) {
                Some(present) => {
                    let seconds = present.seconds.max(slice.seconds);
                    present.merge(slice);
                    present.seconds = seconds;
                }
                None => {
                    let at = series.partition_point(|present| present.index < slice.index);
                    series.insert(at, slice);
                }
            }
        }
    }

    /// Publishes for warm-up and measurement, and measures.
    fn load(&mut self, publishes: bool) -> Result<(), String> {
        let run = &self.plan.scenario.run;
        let lead = if self.crew.has_foreign_clocks() { FAR_LEAD_NS } else { LEAD_NS };
        let start = now_ns() + lead;
        let warmup = if publishes { run.warmup } else { Duration::ZERO };
        let from = start + warmup.as_nanos() as u64;
        let until = from + run.duration.as_nanos() as u64;
        self.crew.record_between(from, until)?;
        self.crew.run(start, until - start)?;
        if !warmup.is_zero() {
            self.enter("warm-up");
            self.load_until(from, |_| false)?;
        }
        self.enter(if publishes { "run" } else { "hold" });
        thread::sleep(Duration::from_nanos(from.saturating_sub(now_ns())));
        let before = self.crew.totals();
        if let Some(watch) = &mut self.watch {
            watch.open_window();
        }
        let messages = run.messages.unwrap_or(u64::MAX);
        let outcome = self.load_until(until, |totals| totals.sent >= messages);
        if let Some(watch) = &mut self.watch {
            watch.close_window();
        }
        let now = now_ns();
        if self.plan.scenario.run.messages.is_some() && now < until {
            self.crew.record_between(from, now)?;
        }
        let after = self.crew.totals();
        self.so_far.window = Some(Window {
            seconds: now.saturating_sub(from.min(now)) as f64 / 1e9,
            sent: after.sent - before.sent,
            delivered: after.delivered - before.delivered,
            acknowledged: after.acked - before.acked,
            ..Window::default()
        });
        outcome
    }

    /// Waits until `at_ns`, or `done`, or nobody is connected any more.
    fn load_until(&mut self, at_ns: u64, done: impl Fn(&Totals) -> bool) -> Result<(), String> {
        loop {
            let left = Duration::from_nanos(at_ns.saturating_sub(now_ns()));
            thread::sleep(left.saturating_sub(LOOK).min(LOOK));
            let totals = self.look()?;
            if totals.open == 0 && totals.ended > 0 {
                return Err("all connections were lost".to_owned());
            }
            if now_ns() + LOOK.as_nanos() as u64 >= at_ns {
                thread::sleep(Duration::from_nanos(at_ns.saturating_sub(now_ns())));
                return Ok(());
            }
            if done(&totals) {
                return Ok(());
            }
        }
    }

    /// Lets publishers send what was due, and waits for what was sent.
    fn drain(&mut self) -> Result<(), String> {
        self.patiently(|conduct, totals| {
            conduct.plan.scenario.is_closed_loop() || totals.written >= totals.due
        })?;
        self.crew.hold()?;
        self.settle()
    }

    /// Waits until everything sent was delivered and acknowledged, or nothing came for a while.
    ///
    /// # Errors
    /// If the run has to end.
    pub fn settle(&mut self) -> Result<(), String> {
        let groups = &self.plan.scenario.groups;
        let acknowledged = groups.iter().any(|group| {
            group.publish.is_some() && group.publish_qos != pondhawk::protocol::QoS::AtMostOnce
        });
        let copies = self.plan.uniform_copies();
        self.patiently(move |conduct, totals| {
            // A thread may still be in a turn that began before the order. Once none is, what was
            // sent is final.
            let complete = copies.is_some_and(|copies| totals.delivered >= totals.sent * copies);
            conduct.crew.has_followed()
                && complete
                && (!acknowledged || totals.acked >= totals.sent)
        })
    }

    /// Waits until `done`, or nothing has moved for the scenario's patience.
    fn patiently(&mut self, done: impl Fn(&Self, &Totals) -> bool) -> Result<(), String> {
        let patience = self.plan.scenario.run.drain;
        let mut last = Totals::default();
        let mut moved = Instant::now();
        loop {
            let totals = self.look()?;
            if done(self, &totals) {
                return Ok(());
            }
            if totals != last {
                (last, moved) = (totals, Instant::now());
            } else if moved.elapsed() > patience {
                return Ok(());
            }
        }
    }
}

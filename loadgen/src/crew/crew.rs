//! All processes of a run.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::client::Totals;
use crate::clock::now_ns;
use crate::engine::{Fleet, Outcome};
use crate::measure::{CpuDelta, Memory};
use crate::plan::Share;
use crate::result::Slice;

use super::job::Job;
use super::message::{Machine, Order};
use super::remote::Remote;
use super::worker::Gauge;

/// How a run is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts {
    /// In this process.
    Here,
    /// In so many worker processes on this machine.
    Workers(u32),
    /// In so many workers of each of these agents.
    Agents(Vec<SocketAddr>, u32),
}

/// All processes of a run.
pub struct Crew {
    parts: Vec<Part>,
    slices: Receiver<Slice>,
    gauge: Gauge,
    /// Clients of each part.
    clients: Vec<u64>,
    /// Memory before any client was made, bytes.
    before: Option<u64>,
}

enum Part {
    Here(Box<Fleet>),
    There(Box<Remote>),
}

/// What a process measured, and where it ran.
pub struct Measured {
    /// Where.
    pub machine: Machine,
    /// Its clients.
    pub clients: u64,
    /// CPU time in the measurement window.
    pub cpu: CpuDelta,
}

impl Crew {
    /// Starts all processes and their threads; nothing is connected yet. `clients` says how many
    /// clients a share has.
    ///
    /// # Errors
    /// If one cannot be started.
    pub fn launch(
        job: &Job,
        parts: &Parts,
        clients: impl Fn(Share) -> u64,
    ) -> Result<Self, String> {
        let (sender, slices) = channel();
        let remotes = remotes(parts, &sender)?;
        let before = match remotes.is_empty() {
            true => memory_of(&Machine::here()),
            false => remotes.iter().map(|remote| memory_of(&remote.machine)).sum(),
        };
        let gauge = Gauge::default();
        let mut crew = Self { parts: Vec::new(), slices, gauge, clients: Vec::new(), before };
        if remotes.is_empty() {
            crew.clients.push(clients(Share::WHOLE));
            crew.parts.push(Part::Here(Box::new(job.launch(sender)?)));
            return Ok(crew);
        }
        let ours = Machine::here().boot;
        let foreign_clocks = remotes.iter().any(|remote| remote.machine.boot != ours);
        let (count, mut offset) = (remotes.len() as u32, 0);
        for (part, mut remote) in (0..).zip(remotes) {
            let share = Share { part, parts: count };
            remote.launch(Job { share, offset, foreign_clocks, ..job.clone() })?;
            crew.clients.push(clients(share));
            offset += clients(share);
            crew.parts.push(Part::There(Box::new(remote)));
        }
        Ok(crew)
    }

    /// Whether processes have different clocks.
    pub fn has_foreign_clocks(&self) -> bool {
        let ours = Machine::here().boot;
        self.parts.iter().any(|part| match part {
            Part::Here(_) => false,
            Part::There(remote) => remote.machine.boot != ours,
        })
    }

    /// Processes.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Lets `limit` of `total` clients be connected, over all processes.
    ///
    /// # Errors
    /// If a worker is gone.
    pub fn connect(&mut self, limit: u64, total: u64) -> Result<(), String> {
        self.spread(limit, total, |fleet, limit| fleet.allow_connections(limit), Order::Connect)
    }

    /// Lets `limit` of `total` idle clients subscribe, over all processes.
    ///
    /// # Errors
    /// If a worker is gone.
    pub fn subscribe(&mut self, limit: u64, total: u64) -> Result<(), String> {
        self.spread(limit, total, |fleet, limit| fleet.allow_subscriptions(limit), Order::Subscribe)
    }

    fn spread(
        &mut self,
        limit: u64,
        total: u64,
        here: impl Fn(&Fleet, u64),
        there: impl Fn(u64) -> Order,
    ) -> Result<(), String> {
        for (part, clients) in self.parts.iter_mut().zip(&self.clients) {
            let share = (limit * clients).div_ceil(total.max(1)).min(*clients);
            match part {
                Part::Here(fleet) => here(fleet, share),
                Part::There(remote) => remote.order(&there(share))?,
            }
        }
        Ok(())
    }

    /// Records messages due between two times.
    ///
    /// # Errors
    /// If a worker is gone.
    pub fn record_between(&mut self, from: u64, until: u64) -> Result<(), String> {
        self.gauge.begin(from, until);
        self.each(
            |fleet| fleet.record_between(from, until),
            |remote| Order::Record(remote.time(from), remote.time(until)),
        )
    }

    /// Publishes from `start_ns` on for `length_ns`.
    ///
    /// # Errors
    /// If a worker is gone.
    pub fn run(&mut self, start_ns: u64, length_ns: u64) -> Result<(), String> {
        self.each(
            |fleet| fleet.run(start_ns, length_ns),
            |remote| Order::Run(remote.time(start_ns), length_ns),
        )
    }

    /// Stops publishing.
    ///
    /// # Errors
    /// If a worker is gone.
    pub fn hold(&mut self) -> Result<(), String> {
        self.each(Fleet::hold, |_| Order::Hold)
    }

    fn each(
        &mut self,
        here: impl Fn(&Fleet),
        there: impl Fn(&Remote) -> Order,
    ) -> Result<(), String> {
        for part in &mut self.parts {
            match part {
                Part::Here(fleet) => here(fleet),
                Part::There(remote) => {
                    let order = there(remote);
                    remote.order(&order)?;
                }
            }
        }
        Ok(())
    }

    /// Progress of all processes. Also looks at this one's CPU time when the window begins or ends.
    pub fn totals(&mut self) -> Totals {
        self.gauge.look(now_ns());
        let totals = self.parts.iter().map(|part| match part {
            Part::Here(fleet) => fleet.totals(),
            Part::There(remote) => remote.totals(),
        });
        totals.fold(Totals::default(), |sum, add| sum.plus(&add))
    }

    /// Whether every thread of every process has followed all orders, with its counts told.
    pub fn has_followed(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Here(fleet) => fleet.has_followed(),
            Part::There(remote) => remote.has_followed(),
        })
    }

    /// Intervals that are over.
    pub fn slices(&self) -> Vec<Slice> {
        self.slices.try_iter().collect()
    }

    /// Anonymous memory of the processes on this machine, bytes; `None` if some are elsewhere.
    pub fn memory(&self) -> Option<u64> {
        let bytes = self.parts.iter().map(|part| match part {
            Part::Here(_) => memory_of(&Machine::here()),
            Part::There(remote) => memory_of(&remote.machine),
        });
        bytes.sum()
    }

    /// The same before any client was made.
    pub fn memory_before(&self) -> Option<u64> {
        self.before
    }

    /// Disconnects, ends all processes, and adds up.
    ///
    /// # Errors
    /// If one cannot say what it measured.
    pub fn finish(self) -> Result<(Outcome, Vec<Measured>, Vec<Slice>), String> {
        let mut sum = Outcome::default();
        let mut measured = Vec::new();
        let mut gauge = Some(self.gauge);
        for (part, clients) in self.parts.into_iter().zip(self.clients) {
            let (machine, outcome, cpu) = match part {
                Part::Here(fleet) => {
                    let cpu = gauge.take().map_or_else(CpuDelta::default, Gauge::used);
                    (Machine::here(), fleet.finish().map_err(|e| e.to_string())?, cpu)
                }
                Part::There(remote) => {
                    let machine = remote.machine.clone();
                    let (outcome, cpu) = remote.finish()?;
                    (machine, outcome, cpu)
                }
            };
            sum.merge(outcome);
            measured.push(Measured { machine, clients, cpu });
        }
        Ok((sum, measured, self.slices.try_iter().collect()))
    }
}

/// Anonymous memory of a process, bytes, if it is on this machine.
fn memory_of(machine: &Machine) -> Option<u64> {
    let here = machine.boot == Machine::here().boot;
    let memory = if here { Memory::of(machine.pid).ok() } else { None };
    memory.map(|memory| memory.rss_anon)
}

fn remotes(parts: &Parts, slices: &Sender<Slice>) -> Result<Vec<Remote>, String> {
    match parts {
        Parts::Here => Ok(Vec::new()),
        Parts::Workers(count) => (0..*count).map(|_| Remote::start(slices.clone())).collect(),
        Parts::Agents(agents, each) => {
            let agents = agents.iter().flat_map(|agent| (0..*each).map(move |_| *agent));
            agents.map(|agent| Remote::at(agent, slices.clone())).collect()
        }
    }
}

//! The control plane's thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use actix::System;
use actix::clock::Instant;

use super::estate::Estate;
use super::inherited::Inherited;
use super::keeper::keep;
use super::lifecycle::Phase;
use super::log::LogHandle;
use super::metrics::MakeExporters;
use super::plane::DataPlane;
use super::prepare::Steps;
use super::remote::Remote;
use super::sockets::Fresh;
use super::supervisor::{Outcome, Supervisor};
use crate::config::{Config, Source};
use crate::shard::Settings;

/// What the control plane needs to begin.
pub struct Setup {
    /// The running shards.
    pub plane: Rc<dyn DataPlane>,
    /// Where the configuration came from.
    pub source: Source,
    /// The configuration.
    pub config: Config,
    /// What was made of it; the shards run on it.
    pub settings: Arc<Settings>,
    /// The steps that make it, taken again at each reload.
    pub steps: Steps,
    /// The name that the program goes by.
    pub program: &'static str,
    /// The listeners, open.
    pub fresh: Vec<Fresh>,
    /// The sockets that the service manager passed.
    pub inherited: Inherited,
    /// How many cores the process may use.
    pub cores: usize,
    /// The log's controls.
    pub log: LogHandle,
    /// Makes the exporters that get each reading of the counters; called again when the collector
    /// had to be restarted.
    pub exporters: MakeExporters,
    /// Where to publish.
    pub remote: Remote,
}

/// Runs the control plane on this thread until the broker has ended, and tells the shards to end.
pub fn run(setup: Setup) -> Outcome {
    let remote = setup.remote;
    let estate = Rc::new(Estate {
        plane: setup.plane,
        source: setup.source,
        config: RefCell::new(setup.config),
        settings: RefCell::new(setup.settings),
        steps: setup.steps,
        cores: setup.cores,
        program: setup.program,
        next_listener: Cell::new(setup.fresh.len() as u32),
        next_socket: Cell::new(0),
        fresh: RefCell::new(setup.fresh),
        lifecycle: remote.lifecycle.clone(),
        bound: remote.bound.clone(),
        held: RefCell::default(),
        inherited: setup.inherited,
        reading: remote.reading.clone(),
        reloads: remote.reloads.clone(),
        exporters: setup.exporters,
        started: Instant::now(),
        sys: RefCell::default(),
        announcer: RefCell::default(),
        log: setup.log,
        drain_until: Cell::new(None),
        outcome: RefCell::new(None),
    });
    let make = || Supervisor::new(Rc::clone(&estate));
    let publish = |address| remote.supervisor.change(|supervisor| *supervisor = Some(address));
    System::new().block_on(keep("supervisor", make, publish));
    estate.plane.stop();
    estate.lifecycle.advance(Phase::Stopped);
    let outcome = estate.outcome.borrow_mut().take();
    outcome.expect("the supervisor stops only with an outcome")
}

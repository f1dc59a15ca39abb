//! Reading the shards' counters and deciding how scarce memory is.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::estate::Estate;
use super::pressure::Pressure;
use super::trim::{Load, Trim};
use crate::metrics::Snapshot;

/// How often the counters are read.
const PERIOD: Duration = Duration::from_secs(1);

/// Takes each reading somewhere: a topic tree, an HTTP page.
pub trait Exporter {
    /// Takes a reading. Runs on the control plane's thread and must not wait.
    fn export(&mut self, reading: &Reading);
}

/// Makes the exporters; called again when the collector is restarted.
pub type MakeExporters = Rc<dyn Fn() -> Vec<Box<dyn Exporter>>>;

/// The counters at one time.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Counts readings from 1, restarts of the collector included.
    pub number: u64,
    /// The counters of all shards.
    pub snapshot: Snapshot,
    /// The memory pressure told to the shards, 0 to 3.
    pub pressure: u8,
}

/// The actor that reads.
pub struct Collector {
    estate: Rc<Estate>,
    exporters: Vec<Box<dyn Exporter>>,
    pressure: Pressure,
    trim: Trim,
    lost_lines: u64,
}

impl Collector {
    /// A collector that goes on from the estate's last reading.
    pub fn new(estate: Rc<Estate>) -> Self {
        let last = estate.reading.get().map_or(0, |reading| reading.pressure);
        let exporters = (estate.exporters)();
        let lost_lines = estate.log.lost_lines();
        Self { estate, exporters, pressure: Pressure::at(last), trim: Trim::new(), lost_lines }
    }

    fn collect(&mut self, _: &mut Context<Self>) {
        let estate = &self.estate;
        let snapshot = estate.plane.snapshot();
        let limit = estate.config.borrow().process.memory_limit.unsigned_abs();
        let held_bytes = held_bytes(&snapshot);
        self.trim.update(Load::now(held_bytes, calls(&snapshot)), Instant::now(), estate);
        let (before, level) = self.pressure.update(held_bytes, limit);
        if level != before {
            estate.plane.pressure(level);
            tracing::warn!("Memory pressure is now {level} (of 3); the limit is {limit} bytes.");
        }
        let number = estate.reading.get().map_or(1, |last| last.number + 1);
        let reading = Reading { number, snapshot, pressure: level };
        estate.reading.change(|published| *published = Some(reading.clone()));
        self.report_lost_lines();
        for exporter in &mut self.exporters {
            exporter.export(&reading);
        }
    }

    fn report_lost_lines(&mut self) {
        let lost = self.estate.log.lost_lines();
        if lost > self.lost_lines {
            let count = lost - self.lost_lines;
            self.lost_lines = lost;
            tracing::warn!("{count} log lines were lost: a log_dest was too slow or failed.");
        }
    }
}

/// What the gauges of bytes held add up to; their names end in `_bytes`.
pub(super) fn held_bytes(snapshot: &Snapshot) -> u64 {
    let held = snapshot.iter().filter(|sample| sample.name.ends_with("_bytes"));
    held.map(|sample| u64::try_from(sample.value).unwrap_or(0)).sum()
}

/// Calls on sockets, since the broker started.
fn calls(snapshot: &Snapshot) -> u64 {
    ["reads", "writes"].iter().filter_map(|name| snapshot.value(name)).map(i64::unsigned_abs).sum()
}

impl Actor for Collector {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.collect(context);
        context.run_interval(PERIOD, Self::collect);
    }
}

//! From an event to the queue.

use std::time::SystemTime;

use crossbeam::channel::Sender;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::kinds::kind;
use super::record::{Record, Said};
use crate::config::LogType;
use crate::sync::{Arc, AtomicU64, Ordering};

/// Lines that were not written.
#[derive(Clone, Default)]
pub(super) struct Lost(Arc<AtomicU64>);

impl Lost {
    pub(super) fn add(&self, lines: u64) {
        // Relaxed: a count for people.
        self.0.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Hands events to the writer thread; never waits for it.
pub(super) struct Queue {
    pub(super) lines: Sender<Record>,
    pub(super) lost: Lost,
}

impl<S: Subscriber> Layer<S> for Queue {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let kind = kind(event.metadata()).unwrap_or(LogType::Information);
        let record = Record { at: SystemTime::now(), kind, said };
        if self.lines.try_send(record).is_err() {
            self.lost.add(1);
        }
    }
}

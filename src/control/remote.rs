//! Speaking to the control plane from other threads.

use actix::Addr;

use super::lifecycle::Lifecycle;
use super::metrics::Reading;
use super::sockets::Bound;
use super::supervisor::{Reload, Reloads, Stop, Supervisor};
use super::watch::Watch;

/// A handle on a running control plane.
#[derive(Clone)]
pub struct Remote {
    pub(super) supervisor: Watch<Option<Addr<Supervisor>>>,
    pub(super) lifecycle: Lifecycle,
    pub(super) bound: Watch<Vec<Bound>>,
    pub(super) reading: Watch<Option<Reading>>,
    pub(super) reloads: Watch<Reloads>,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            supervisor: Watch::new(None),
            lifecycle: Lifecycle::default(),
            bound: Watch::new(Vec::new()),
            reading: Watch::new(None),
            reloads: Watch::new(Reloads::default()),
        }
    }
}

impl Remote {
    /// The published phase.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// The sockets listened on, with the ports the system picked.
    pub fn bound(&self) -> &Watch<Vec<Bound>> {
        &self.bound
    }

    /// The latest counters; `None` before the first reading.
    pub fn reading(&self) -> &Watch<Option<Reading>> {
        &self.reading
    }

    /// How the reloads so far have ended.
    pub fn reloads(&self) -> &Watch<Reloads> {
        &self.reloads
    }

    /// Asks for an orderly end, as SIGTERM does; asked twice, for one at once.
    pub fn stop(&self) {
        if let Some(supervisor) = self.supervisor.get() {
            supervisor.do_send(Stop);
        }
    }

    /// Asks for a reload, as SIGHUP does.
    pub fn reload(&self) {
        if let Some(supervisor) = self.supervisor.get() {
            supervisor.do_send(Reload);
        }
    }
}

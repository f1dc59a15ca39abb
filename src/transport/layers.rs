//! What stands between a listener's sockets and MQTT.

use std::net::IpAddr;
use std::path::Path;

use super::tls::{KeyLogFile, Tls};
use crate::config::{ListenerProtocol, ListenerRuntime, Mistake, Network};
use crate::sync::Arc;

/// Prepared for a listener by the control plane, which may read files and fail; then shared by
/// the listener's connections. A reload prepares anew: connections keep what they began with.
#[derive(Clone, Debug)]
pub struct Layers {
    listener: Arc<ListenerRuntime>,
    tls: Option<Arc<Tls>>,
}

/// Where TLS writes its secrets, for those who look at traffic.
#[derive(Clone, Default)]
pub struct KeyLog(pub(super) Option<Arc<dyn rustls::KeyLog>>);

impl KeyLog {
    /// Appends to a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self(Some(Arc::new(KeyLogFile::open(path)?))))
    }
}

impl std::fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyLog").field(&self.0.is_some()).finish()
    }
}

impl Layers {
    /// Reads what a listener names. `previous` are the layers that it has now; what has not
    /// changed is taken from them.
    ///
    /// # Errors
    /// What is wrong, with option and file; nothing has changed then.
    pub fn prepare(
        listener: &Arc<ListenerRuntime>,
        key_log: &KeyLog,
        previous: Option<&Self>,
    ) -> Result<Self, Mistake> {
        let previous = previous.and_then(|previous| previous.tls.as_ref());
        let tls =
            listener.tls.as_ref().map(|options| Tls::prepare(listener, options, key_log, previous));
        let tls = tls.transpose().map_err(|problem| Mistake {
            file: String::new(),
            line: 0,
            option: problem.option.into(),
            what: format!("listener on {}: {}", place(listener), problem.what),
            mend: problem.mend.into(),
        })?;
        Ok(Self { listener: Arc::clone(listener), tls })
    }

    /// Whether the sockets' bytes are MQTT's.
    pub fn is_plain(&self) -> bool {
        !self.has_proxy() && self.tls.is_none() && !self.has_websocket()
    }

    /// The listener they are for.
    pub fn listener(&self) -> &Arc<ListenerRuntime> {
        &self.listener
    }

    pub(super) fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    pub(super) fn has_proxy(&self) -> bool {
        self.listener.proxy_protocol.is_some()
    }

    /// Whether connections from that address are a proxy's, which tells the Client's own.
    pub fn is_behind_proxy(&self, address: IpAddr) -> bool {
        let forwards = || trusts(&self.listener.websocket.trusted_proxies, Some(address));
        self.has_proxy() || (self.has_websocket() && forwards())
    }

    pub(super) fn has_websocket(&self) -> bool {
        self.listener.protocol == ListenerProtocol::Websockets
    }

    /// Whether TLS accepts the same Clients as in `other`.
    pub fn same_trust(&self, other: &Self) -> bool {
        match (&self.tls, &other.tls) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

/// The layers of every listener.
#[derive(Clone, Debug, Default)]
pub struct Transports(Arc<[Arc<Layers>]>);

impl Transports {
    /// Those that were prepared.
    pub fn new(layers: impl IntoIterator<Item = Arc<Layers>>) -> Self {
        Self(layers.into_iter().collect())
    }

    /// Those of one listener. `None` if they were not prepared: nothing may be accepted then,
    /// since without TLS a Client's secrets would go over the wire in the clear.
    pub fn of(&self, listener: &Arc<ListenerRuntime>) -> Option<Arc<Layers>> {
        let prepared = self.find(listener.id).cloned();
        let bare = || Arc::new(Layers { listener: Arc::clone(listener), tls: None });
        prepared.or_else(|| listener.tls.is_none().then(bare))
    }

    /// What was prepared for a listener.
    pub fn find(&self, id: u32) -> Option<&Arc<Layers>> {
        self.0.iter().find(|layers| layers.listener.id == id)
    }
}

fn place(listener: &ListenerRuntime) -> String {
    use crate::config::Bind;
    match &listener.bind {
        Bind::Unix(path) => path.display().to_string(),
        Bind::Host(host) => format!("{host} port {}", listener.port),
        Bind::Any | Bind::Loopback => format!("port {}", listener.port),
    }
}

/// Whether one of the networks has the address.
pub(super) fn trusts(networks: &[Network], address: Option<IpAddr>) -> bool {
    address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
}

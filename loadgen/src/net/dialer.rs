//! Opens the connections of all clients.

use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;

use super::base::Base;
use super::endpoint::Endpoint;
use super::sources::Sources;
use super::stream::Stream;
use super::ws::Ws;

/// Opens connections: to each target in turn, from each source in turn.
#[derive(Clone, Debug)]
pub struct Dialer {
    targets: Arc<[Endpoint]>,
    sources: Sources,
    tls: Option<Arc<ClientConfig>>,
    /// Clients of the processes before this one: turns go on where theirs end.
    offset: usize,
}

/// A connection that was begun.
#[derive(Debug)]
pub struct Dialed {
    /// The stream.
    pub stream: Stream,
    /// Which source address it has; 0 if the system chose.
    pub source: usize,
}

impl Dialer {
    /// A dialer for `targets`, of which there is at least one.
    pub fn new(
        targets: Vec<Endpoint>,
        sources: Sources,
        tls: Option<Arc<ClientConfig>>,
        offset: usize,
    ) -> Self {
        Self { targets: targets.into(), sources, tls, offset }
    }

    /// Begins the connection of client `number`; `nonce` differs between its connections.
    ///
    /// # Errors
    /// If there is no descriptor or port left, or the host's name is of no use for TLS.
    pub fn dial(&self, number: usize, nonce: u64) -> io::Result<Dialed> {
        let turn = number + self.offset;
        let target = &self.targets[turn % self.targets.len()];
        // With several targets the same source port serves each of them.
        let place = turn / self.targets.len();
        let tcp = self.sources.open(place, target.address)?;
        let session = match (&self.tls, target.tls) {
            (Some(config), true) => Some(session(config, &target.host)?),
            _ => None,
        };
        let base = Base::new(tcp, session);
        let stream = match &target.websocket {
            None => Stream::Plain(base),
            Some(path) => {
                let host = format!("{}:{}", target.host, target.address.port());
                let seed = (turn as u64) << 20 ^ nonce;
                Stream::Ws(Box::new(Ws::new(base, &host, path, seed)))
            }
        };
        let source = if self.sources.count() > 0 { place % self.sources.count() } else { 0 };
        Ok(Dialed { stream, source })
    }
}

fn session(config: &Arc<ClientConfig>, host: &str) -> io::Result<ClientConnection> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
    let name = ServerName::try_from(host.to_owned()).map_err(|error| invalid(error.to_string()))?;
    ClientConnection::new(Arc::clone(config), name).map_err(|error| invalid(error.to_string()))
}

//! Accepting connections and giving each to a shard.

use std::net::SocketAddr;

use super::{Driver, DriverCommand};
use crate::config::ListenerRuntime;
use crate::connection::Peer;
use crate::shard::admission::Ticket;
use crate::shard::{Command, Settings, logging};
use crate::sync::Arc;
use crate::transport::{AcceptState, Acceptor, Layers, ListenSocket, NO_ADDRESS, Stream};
use crate::util::Now;

/// Connections accepted in one turn of one listener.
const ACCEPT_BUDGET: usize = 256;

/// A socket that this shard accepts on.
pub(super) struct Listener {
    pub(super) id: u32,
    pub(super) acceptor: Acceptor,
    pub(super) settings: Arc<ListenerRuntime>,
    /// When to accept next, monotonic ms: connections may be waiting, and edge-triggered
    /// readiness doesn't say so twice. `u64::MAX`: when readiness says so.
    pub(super) due_ms: u64,
}

impl Driver {
    pub(super) fn listen(&mut self, id: u32, socket: ListenSocket, settings: Arc<ListenerRuntime>) {
        let mut acceptor = Acceptor::new(socket);
        // Listener tokens begin at 1: 0 is the reactor's own.
        match acceptor.register(&self.registry, u64::from(id) + 1) {
            Ok(()) => self.listeners.push(Listener { id, acceptor, settings, due_ms: 0 }),
            Err(error) => tracing::error!(target: "error", "Listener {id}: {error}"),
        }
    }

    /// Closes the sockets that are `gone`. Other descriptors of theirs may stay open, the service
    /// manager's for one, so that closing alone would leave them in the poll.
    pub(super) fn unlisten(&mut self, gone: impl Fn(&Listener) -> bool) {
        let registry = &self.registry;
        for listener in self.listeners.extract_if(.., |listener| gone(listener)) {
            let Listener { id, mut acceptor, .. } = listener;
            if let Err(error) = acceptor.deregister(registry) {
                tracing::error!(target: "error", "Listener {id}: {error}");
            }
        }
    }

    /// What is accepted from now on is under the new settings.
    pub(super) fn apply_to_listeners(&mut self, settings: &Settings) {
        for listener in &mut self.listeners {
            if let Some(changed) = settings.runtime.listener(listener.settings.id) {
                listener.settings = Arc::clone(changed);
            }
        }
    }

    pub(super) fn fresh(
        &mut self,
        stream: Stream,
        peer: SocketAddr,
        settings: Arc<ListenerRuntime>,
        ticket: Ticket,
    ) {
        if self.shard.is_draining() {
            self.shared.add_load(self.shard.id(), -1);
            return;
        }
        let key = self.shard.accept(settings, peer);
        self.install(key, stream, ticket);
    }

    /// Accepts what waits on one listener and spreads it over the shards.
    pub(super) fn accept(&mut self, at: usize, now: Now) {
        let mut fresh = std::mem::take(&mut self.fresh);
        let listener = &mut self.listeners[at];
        let accepted = listener.acceptor.accept(now.mono_ms, ACCEPT_BUDGET, |stream, peer| {
            fresh.push((stream, peer));
        });
        listener.due_ms = match accepted.state {
            AcceptState::Drained => u64::MAX,
            AcceptState::More => 0,
            AcceptState::BackOff { retry_at_ms } => retry_at_ms,
            AcceptState::Failed(error) => {
                let id = listener.id;
                tracing::error!(target: "error", "Listener {id} accepts no more: {error}");
                u64::MAX
            }
        };
        let settings = Arc::clone(&listener.settings);
        let layers = self.shard.settings().transports.of(&settings);
        let metrics = self.shard.metrics();
        metrics.accept_errors.add(accepted.errors as u64);
        metrics.accepts_refused.add(accepted.refused as u64);
        if accepted.refused > 0 && now.mono_ms >= self.warn_again_ms {
            self.warn_again_ms = now.mono_ms + 10_000;
            tracing::warn!(
                target: "warning",
                "Out of file descriptors: new connections are refused until some close. \
                 Raise the limit (ulimit -n, or LimitNOFILE in the service) to take more."
            );
        }
        for (stream, peer) in fresh.drain(..) {
            // Without what it needs to be safe a listener accepts nobody.
            let Some(layers) = &layers else { continue };
            self.place(stream.with(layers), peer, layers);
        }
        self.fresh = fresh;
    }

    /// Whether the whole broker has all the connections that it may have. While several listeners
    /// accept at the same moment each may let in one more.
    fn is_full(&self) -> bool {
        let most = self.shard.config().connect.connections;
        most != u32::MAX && self.shared.connections() >= most as usize
    }

    fn place(&mut self, stream: Stream, peer: SocketAddr, layers: &Layers) {
        let settings = layers.listener();
        let per_address = match peer == NO_ADDRESS || layers.is_behind_proxy(peer.ip()) {
            // The Client's own address is told later, if it has one at all.
            true => u32::MAX,
            false => self.shard.config().connect.per_address,
        };
        let refused = self.shard.is_draining() || self.shared.pressure() >= 1 || self.is_full();
        let ticket = (!refused)
            .then(|| self.shared.admission.admit(settings, per_address, peer.ip()))
            .flatten();
        let Some(ticket) = ticket else {
            self.shard.metrics().connections_refused.increment();
            logging::denied(&Peer::new(peer, settings));
            return;
        };
        if self.shard.wants().connections {
            logging::accepted(&Peer::new(peer, settings), settings.port);
        }
        let settings = Arc::clone(settings);
        let to = self.shared.least_loaded(self.shard.id());
        self.shared.add_load(to, 1);
        if to == self.shard.id() {
            return self.fresh(stream, peer, settings, ticket);
        }
        let command = DriverCommand::Fresh { stream, peer, settings, ticket };
        self.shard.send(to, Command::Driver(Box::new(command)));
    }
}

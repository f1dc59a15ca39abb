//! What streams with layers need of a driver: time for handshakes, an introduction to the shard,
//! another look at certificates after a reload, files for plain HTTP requests.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::{Driver, DriverCommand};
use crate::auth::PeerIdentity;
use crate::protocol::ReasonCode;
use crate::shard::logging;
use crate::shard::pages::{Ask, Page};
use crate::sync::Arc;
use crate::transport::{Introduction, Need, Stream};
use crate::util::Key;

/// Time that one turn spends on TLS handshakes, after all that is established was served. A
/// handshake that is begun is not cut short: the longest step is a signature, from 0.1 ms (P-256)
/// to a few ms (RSA of 4096 bits). docs/decisions/0006 has the figures.
const HANDSHAKES: Duration = Duration::from_millis(1);

/// Certificates looked at again in one turn; each takes about 0.2 ms.
const RECHECKS: usize = 8;

impl Driver {
    /// Whether something waits that no event tells of.
    pub(super) fn has_work(&self) -> bool {
        !(self.run.is_empty() && self.handshakes.is_empty() && self.recheck.is_empty())
    }

    /// Puts off a read that has to do with a handshake until all others are done.
    pub(super) fn postpone(&mut self, key: Key) {
        if let Some(wire) = self.wire(key)
            && !wire.queued
        {
            wire.queued = true;
            self.handshakes.push_back(key);
        }
    }

    /// Goes on with handshakes, first come first served, for a part of the turn.
    pub(super) fn run_handshakes(&mut self) {
        if self.handshakes.is_empty() {
            return;
        }
        let until = Instant::now() + HANDSHAKES;
        while let Some(key) = self.handshakes.pop_front() {
            if self.shard.link(key).is_none() {
                continue;
            }
            if let Some(wire) = self.wire(key) {
                wire.queued = false;
                self.receive(key);
            }
            if Instant::now() >= until {
                break;
            }
        }
    }

    /// Counts the memory of a connection's layers.
    pub(super) fn count_layers(&mut self, key: Key) {
        let layered = self.wire(key).and_then(|wire| wire.stream.layered());
        let growth = layered.map_or(0, |layered| layered.growth());
        if growth != 0 {
            self.shard.metrics().transport_bytes.add(growth);
        }
    }

    /// Counts no more the memory of a stream that leaves the shard.
    pub(super) fn forget_layers(&self, stream: &mut Stream) {
        if let Some(layered) = stream.layered() {
            self.shard.metrics().transport_bytes.add(-layered.forget_growth());
        }
    }

    /// Sees to what a read has brought beside bytes. False when the connection is over.
    pub(super) fn heed_layers(&mut self, key: Key, error: Option<&io::Error>) -> bool {
        let Some(wire) = self.wires.get_mut(key.index) else {
            return false;
        };
        let introduction = wire.stream.introduction();
        let growth = wire.stream.layered().map_or(0, |layered| layered.growth());
        self.shard.metrics().transport_bytes.add(growth);
        let (need, backed_up) = (wire.stream.need(), wire.stream.is_backed_up());
        if backed_up && let Some(link) = self.shard.link(key) {
            link.blocked = true;
        }
        if let Some(error) = error.filter(|error| error.kind() == ErrorKind::InvalidData) {
            self.note_refusal(key, &error.to_string());
            self.shard.reported(key);
            return false;
        }
        if let Some(introduction) = introduction
            && !self.introduce(key, *introduction)
        {
            return false;
        }
        match need {
            Need::Nothing | Need::Handshake => {}
            Need::Page => self.ask_for_page(key),
            Need::Close => self.gone(key),
        }
        need != Need::Close
    }

    /// One line for each who does not speak what the listener expects; the log thins them out.
    fn note_refusal(&mut self, key: Key, what: &str) {
        self.shard.metrics().transport_refused.increment();
        if let Some(peer) = self.shard.peer(key) {
            logging::not_understood(&peer, what);
        }
    }

    /// Takes over what the layers have learnt of the peer. False when it may not stay.
    fn introduce(&mut self, key: Key, told: Introduction) -> bool {
        if let Some(peer) = told.peer {
            self.shard.set_peer(key, peer);
            let per_address = self.shard.config().connect.per_address;
            let shared = Arc::clone(&self.shared);
            let admitted = self.wire(key).is_none_or(|wire| {
                wire.ticket.count_under(&shared.admission, per_address, peer.ip())
            });
            if !admitted {
                self.shard.metrics().connections_refused.increment();
                self.gone(key);
                return false;
            }
        }
        let Introduction { common_name, subject, .. } = told;
        if common_name.is_some() || subject.is_some() {
            self.shard.identify(key, PeerIdentity { common_name, subject });
        }
        // Certificates may have been revoked since the handshake began.
        self.check_again(key);
        self.shard.link(key).is_some_and(|link| !link.closing)
    }

    /// After a reload: all whose certificates were accepted by other files are looked at again.
    pub(super) fn check_all_again(&mut self) {
        for key in self.shard.keys() {
            if self.is_outdated(key) {
                self.recheck.push_back(key);
            }
        }
    }

    pub(super) fn run_rechecks(&mut self) {
        for _ in 0..RECHECKS {
            let Some(key) = self.recheck.pop_front() else { return };
            if self.shard.link(key).is_some() {
                self.check_again(key);
            }
        }
    }

    fn is_outdated(&mut self, key: Key) -> bool {
        let transports = Arc::clone(self.shard.settings());
        let Some(layered) = self.wire(key).and_then(|wire| wire.stream.layered()) else {
            return false;
        };
        let current = transports.transports.find(layered.layers().listener().id);
        current.is_some_and(|current| !current.same_trust(layered.layers()))
    }

    /// Ends a connection whose certificate the present files do not accept.
    pub(super) fn check_again(&mut self, key: Key) {
        let settings = Arc::clone(self.shard.settings());
        let now_s = self.shard.now().wall_s;
        let Some(layered) = self.wire(key).and_then(|wire| wire.stream.layered()) else { return };
        let Some(current) = settings.transports.find(layered.layers().listener().id) else {
            return;
        };
        if !current.same_trust(layered.layers()) && !layered.still_accepted(current, now_s) {
            let what = "its certificate is no longer accepted";
            self.shard.dismiss(key, ReasonCode::NOT_AUTHORIZED, what);
        }
    }

    fn ask_for_page(&mut self, key: Key) {
        let shard = self.shard.id();
        let Some(layered) = self.wire(key).and_then(|wire| wire.stream.layered()) else { return };
        let Some(request) = layered.page() else { return };
        let Some(directory) = layered.layers().listener().websocket.http_dir.clone() else {
            return;
        };
        let ask = Ask { shard, connection: key, directory, request: *request };
        if let Err(ask) = self.shared.pages.ask(ask) {
            self.send_page(ask.busy());
        }
    }

    /// Sends what was asked for, if whoever asked is still there.
    pub(super) fn send_page(&mut self, page: Page) {
        let key = page.connection;
        if self.shard.link(key).is_none() {
            return;
        }
        let Self { wires, scratch, .. } = self;
        let wire = wires.get_mut(key.index);
        let Some(layered) = wire.and_then(|wire| wire.stream.layered()) else { return };
        let Page { status, path, body, head_only, .. } = page;
        let sent = layered.answer(status, &path, &body, head_only, scratch);
        if sent.is_err() {
            return self.gone(key);
        }
        self.heed_layers(key, None);
    }
}

impl From<Page> for DriverCommand {
    fn from(page: Page) -> Self {
        Self::Page(Box::new(page))
    }
}

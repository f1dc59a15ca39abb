//! The pure shard: what a driver calls.

use std::net::SocketAddr;

use super::core::{Core, Timer, UNFLUSHED_MAX};
use super::tidy::Tidy;
use super::{Command, Settings, Shared};
use crate::auth::PeerIdentity;
use crate::config::{ListenerRuntime, Runtime};
use crate::connection::{
    Close, Connection, Event, Link, Parked, Peer, Progress, Wants, write_disconnect,
};
use crate::protocol::ReasonCode;
use crate::sync::Arc;
use crate::util::{Key, Now, Sparse};

/// What a driver has to do after handing over bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// All input is used up.
    Idle,
    /// Input is left: call [`Shard::resume`] in the next turn. Read nothing more until then.
    Unfinished,
    /// A password is being checked: read nothing more, and call [`Shard::resume`] when
    /// [`Shard::command`] gives back [`Command::Checked`] for the connection.
    Waiting,
    /// The connection is over; flush it once more, then remove it.
    Closed,
    /// The connection's session lives on that shard: call [`Shard::park`].
    Moving(u16),
}

/// A connection's place in the shard.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) connection: Connection,
    /// The earliest timer that is set for it, monotonic ms.
    pub(super) armed_ms: u64,
    /// It has input that the shard has not got round to.
    pub(super) waiting: bool,
    /// Bytes of input it held when last counted.
    counted: usize,
}

/// See the module [`crate::shard`].
///
/// A driver calls, in a turn: [`begin_turn`](Self::begin_turn), [`command`](Self::command) for
/// each command of the mailbox, [`bytes`](Self::bytes), [`resume`](Self::resume) and
/// [`gone`](Self::gone) for its connections, [`timers`](Self::timers), then writes what
/// [`take_dirty`](Self::take_dirty) names, and ends with [`end_turn`](Self::end_turn).
pub struct Shard {
    /// One for each link, at the same index.
    pub(super) seats: Sparse<Seat>,
    pub(super) core: Core,
    pub(super) due: Vec<Timer>,
    pub(super) tidy: Tidy,
}

impl Shard {
    /// Shard number `id` of those that share `shared`.
    pub fn new(id: u16, shared: Arc<Shared>, settings: Arc<Settings>, now: Now) -> Self {
        Self {
            seats: Sparse::new(),
            core: Core::new(id, shared, settings, now),
            due: Vec::new(),
            tidy: Tidy::new(),
        }
    }

    /// A turn begins; returns true while another shard is too far behind to be fed.
    pub fn begin_turn(&mut self, now: Now) -> bool {
        self.core.set_now(now);
        self.core.recheck_congestion()
    }

    /// A connection was accepted; whoever accepted it has added it to the shard's load.
    pub fn accept(&mut self, listener: Arc<ListenerRuntime>, peer: SocketAddr) -> Key {
        let size_max = self.core.config.connect.packet_size;
        let now = self.core.now.mono_ms;
        self.core.metrics().connections_opened.increment();
        let key = self.seat(|key| Connection::new(key, listener, peer, size_max, now));
        self.relisten(key);
        key
    }

    /// A connection has come from another shard; call [`Shard::resume`] next.
    pub fn adopt(&mut self, parked: Parked) -> Key {
        let size_max = self.core.config.connect.packet_size;
        let now = self.core.now.mono_ms;
        self.core.shared.add_load(self.core.id, 1);
        let key = self.seat(|key| Connection::unpark(key, parked, size_max, now));
        self.relisten(key);
        key
    }

    fn seat(&mut self, make: impl FnOnce(Key) -> Connection) -> Key {
        let key = self.core.links.insert(Link::default());
        let connection = make(key);
        let deadline = connection.deadline_ms(self.core.config.connect.timeout_ms);
        let seat = Seat { connection, armed_ms: u64::MAX, waiting: false, counted: 0 };
        let old = self.seats.put(key.index, seat);
        debug_assert!(old.is_none());
        if let Some(deadline) = deadline {
            self.arm(key, deadline);
        }
        self.count_connections(1);
        key
    }

    /// Counts connections in, or out.
    fn count_connections(&self, delta: i64) {
        let metrics = self.core.metrics();
        metrics.connections.add(delta);
        metrics.connection_bytes.add(delta * (size_of::<Seat>() + size_of::<Link>()) as i64);
    }

    pub(super) fn seat_mut(&mut self, key: Key) -> Option<&mut Seat> {
        if !self.core.links.contains(key) {
            return None;
        }
        self.seats.get_mut(key.index)
    }

    /// Bytes have come in. What can't be used yet is kept.
    pub fn bytes(&mut self, key: Key, bytes: &[u8]) -> Served {
        self.core.metrics().bytes_received.add(bytes.len() as u64);
        self.serve(key, |connection, core| connection.handle_bytes(core, bytes))
    }

    /// Goes on with input that was kept.
    pub fn resume(&mut self, key: Key) -> Served {
        self.serve(key, |connection, core| connection.resume(core))
    }

    fn serve(
        &mut self,
        key: Key,
        run: impl FnOnce(&mut Connection, &mut Core) -> Progress,
    ) -> Served {
        self.core.packets = 0;
        self.core.deliveries = 0;
        self.core.fed_congested = false;
        if !self.core.links.contains(key) {
            return Served::Closed;
        }
        let Some(seat) = self.seats.get_mut(key.index) else { return Served::Closed };
        let progress = run(&mut seat.connection, &mut self.core);
        seat.waiting = progress == Progress::Unfinished;
        let held = seat.connection.held();
        let delta = held as i64 - std::mem::replace(&mut seat.counted, held) as i64;
        if delta != 0 {
            self.core.metrics().input_bytes.add(delta);
        }
        let served = match progress {
            Progress::Idle => {
                self.rearm(key);
                Served::Idle
            }
            #[cfg(feature = "canary")]
            Progress::Unfinished if crate::util::canary::Canary::ForgottenRequeue.sings() => {
                Served::Idle
            }
            Progress::Unfinished => Served::Unfinished,
            Progress::Waiting => Served::Waiting,
            Progress::Close(close) => {
                self.finish(key, close);
                Served::Closed
            }
            Progress::Move(shard) => Served::Moving(shard),
        };
        self.close_ended();
        if self.is_closing(key) { Served::Closed } else { served }
    }

    /// Keep Alive may ask for an earlier look than the timer that is set.
    fn rearm(&mut self, key: Key) {
        let timeout = self.core.config.connect.timeout_ms;
        let Some(seat) = self.seat_mut(key) else { return };
        if let Some(deadline) = seat.connection.deadline_ms(timeout)
            && deadline < seat.armed_ms
        {
            self.arm(key, deadline);
        }
    }

    /// The network connection has ended without a word.
    pub fn gone(&mut self, key: Key) {
        self.finish(key, Close::PeerGone);
        self.close_ended();
    }

    /// What the transport knows of a peer, before its first byte is handed over.
    pub fn identify(&mut self, key: Key, peer: PeerIdentity) {
        if let Some(seat) = self.seat_mut(key) {
            seat.connection.identify(peer);
        }
    }

    /// The peer has broken the rules of a layer below MQTT; the log has it.
    pub fn reported(&mut self, key: Key) {
        self.finish(key, Close::Reported);
        self.close_ended();
    }

    /// Says goodbye with a reason and closes.
    pub(super) fn close_with_goodbye(&mut self, key: Key, close: Close) {
        if let Close::Refused { reason, what } = close {
            write_disconnect(&mut self.core, key, reason, what);
        }
        self.finish(key, close);
    }

    /// Closes connections that the core has ended while another was being served.
    pub(super) fn close_ended(&mut self) {
        while let Some((key, close)) = self.core.ended.pop() {
            if !self.is_closing(key)
                && self.core.links.get(key).is_some_and(|l| l.session.is_some())
            {
                self.close_with_goodbye(key, close);
            } else {
                self.finish(key, close);
            }
        }
    }

    fn is_closing(&self, key: Key) -> bool {
        self.core.links.get(key).is_none_or(|link| link.closing)
    }

    /// Ends a connection: its session is detached, its output is left for a last flush.
    pub(super) fn finish(&mut self, key: Key, close: Close) {
        let Some(link) = self.core.links.get_mut(key) else { return };
        if link.closing {
            return;
        }
        link.closing = true;
        let session = link.session.take();
        self.core.mark_dirty(key);
        let seat = self.seats.take(key.index);
        let held = seat.as_ref().map_or(0, |seat| seat.counted);
        self.core.metrics().input_bytes.add(-(held as i64));
        self.count_connections(-1);
        self.core.metrics().connections_closed.increment();
        if let Close::Refused { reason, .. } = close
            && matches!(reason, ReasonCode::MALFORMED_PACKET | ReasonCode::PROTOCOL_ERROR)
        {
            self.core.metrics().protocol_errors.increment();
        }
        self.log_closed(seat.as_ref(), session, close);
        if let Some(session) = session {
            let with_will = !matches!(close, Close::Disconnected { with_will: false });
            self.core.detach_session(session, with_will);
        }
    }

    fn log_closed(&mut self, seat: Option<&Seat>, session: Option<Key>, close: Close) {
        let Some(seat) = seat.filter(|_| self.core.wants.connections) else { return };
        let client = seat.connection.session().or(session);
        let client = client.and_then(|client| self.core.sessions.get(client));
        let client_id = client.map(|session| Box::from(&*session.client_id));
        let reason = match close {
            Close::Refused { reason, .. } => reason,
            _ => ReasonCode::SUCCESS,
        };
        let peer = seat.connection.peer();
        let client_id = client_id.unwrap_or_default();
        self.core.events.push(Event::Closed { peer, client_id, close, reason });
    }

    /// Takes a connection that is [`Served::Moving`] out of this shard.
    pub fn park(&mut self, key: Key) -> Option<Parked> {
        let seat = self.seats.take(key.index)?;
        self.core.links.remove(key)?;
        self.core.metrics().input_bytes.add(-(seat.counted as i64));
        self.count_connections(-1);
        self.core.shared.add_load(self.core.id, -1);
        Some(seat.connection.park())
    }

    /// Forgets a connection that is closed and flushed.
    pub fn remove(&mut self, key: Key) {
        debug_assert!(self.is_closing(key));
        if let Some(link) = self.core.links.remove(key) {
            // Not before the last flush: whoever stops the shards waits for this.
            self.core.shared.add_load(self.core.id, -1);
            self.core.metrics().output_bytes.add(-(link.counted as i64));
        }
    }

    /// The outgoing side of a connection.
    pub fn link(&mut self, key: Key) -> Option<&mut Link> {
        self.core.links.get_mut(key)
    }

    /// Some of a connection's output was written: memory that is free goes back.
    pub fn flushed(&mut self, key: Key) {
        let Some(link) = self.core.links.get_mut(key) else { return };
        link.out.reset(&mut self.core.pool);
        let pending = link.out.pending();
        let before = std::mem::replace(&mut link.counted, pending);
        if pending != before {
            self.core.metrics().output_bytes.add(pending as i64 - before as i64);
        }
        if pending < before && before > self.core.limits.answers_high_water() {
            let now = self.core.now.mono_ms;
            if let Some(seat) = self.seat_mut(key) {
                seat.connection.note_alive(now);
            }
        }
    }

    /// True while a Client does not take its output and has too much of it: reading on would let
    /// the answers to what it sends pile up without a bound.
    pub fn is_backed_up(&self, key: Key) -> bool {
        let most = self.core.limits.answers_high_water();
        self.core.links.get(key).is_some_and(|link| link.blocked && link.out.pending() > most)
    }

    /// A connection's output has all been written: more may be waiting for that.
    pub fn drained(&mut self, key: Key) {
        let session = self.core.links.get(key).and_then(|link| link.session);
        if let Some(session) = session
            && self.core.sessions.get(session).is_some_and(|session| session.waits())
        {
            self.core.pump_session(session);
        }
    }

    /// Carries out a command; gives back what only the driver can do.
    pub fn command(&mut self, command: Command) -> Option<Command> {
        let rest = self.core.handle_command(command);
        self.close_ended();
        match rest {
            Some(Command::Drain) => {
                self.drain();
                Some(Command::Drain)
            }
            Some(Command::Checked { connection, check, right }) => {
                // The connection may be gone, or its check out of date.
                let seat = self.seat_mut(connection)?;
                seat.connection.checked(check, right).then_some(Command::Checked {
                    connection,
                    check,
                    right,
                })
            }
            other => other,
        }
    }

    /// Says goodbye to every Client [MQTT-4.13.1-1].
    fn drain(&mut self) {
        self.core.draining = true;
        let keys: Vec<Key> = self.core.links.iter().map(|(key, _)| key).collect();
        for key in keys {
            let reason = ReasonCode::SERVER_SHUTTING_DOWN;
            let close = Close::refused(reason, "server shutting down");
            if self.core.links.get(key).is_some_and(|link| link.session.is_some()) {
                self.close_with_goodbye(key, close);
            } else {
                self.finish(key, close);
            }
        }
        self.close_ended();
    }

    /// True once [`Command::Drain`] has come: nobody new is let in.
    pub fn is_draining(&self) -> bool {
        self.core.draining
    }

    /// The connections that have output, or an end, for the driver to see to.
    /// `spare` is an empty vector whose memory the shard goes on with.
    pub fn take_dirty(&mut self, spare: Vec<Key>) -> Vec<Key> {
        debug_assert!(spare.is_empty());
        self.core.unflushed = 0;
        std::mem::replace(&mut self.core.dirty, spare)
    }

    /// True when a connection has output that was not looked at yet.
    pub fn has_dirty(&self) -> bool {
        !self.core.dirty.is_empty()
    }

    /// This shard's counters.
    pub fn metrics(&self) -> &crate::metrics::ShardMetrics {
        self.core.metrics()
    }

    /// True when so much output has piled up that the driver should flush within the turn.
    pub fn should_flush(&self) -> bool {
        self.core.unflushed > UNFLUSHED_MAX
    }

    /// Sends the mail of this turn.
    pub fn end_turn(&mut self) {
        self.core.post_all();
        self.tidy.end_turn(self.core.now.mono_ms);
    }

    /// True when the connection just served stopped because another shard is behind.
    pub fn is_held_back(&self) -> bool {
        self.core.fed_congested
    }

    /// Sends a command to another shard at the end of the turn.
    pub fn send(&mut self, shard: u16, command: Command) {
        self.core.send(shard, command);
    }

    /// What the log should say.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.core.events)
    }

    /// The shared structures.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.core.shared
    }

    /// Which events the log is told of.
    pub fn wants(&self) -> Wants {
        self.core.wants
    }

    /// All connections.
    pub fn keys(&self) -> Vec<Key> {
        self.core.links.iter().map(|(key, _)| key).collect()
    }

    /// Where a connection comes from.
    pub fn peer(&mut self, key: Key) -> Option<Peer> {
        self.seat_mut(key).map(|seat| seat.connection.peer())
    }

    /// A proxy has told where a connection comes from.
    pub fn set_peer(&mut self, key: Key, peer: SocketAddr) {
        if let Some(seat) = self.seat_mut(key) {
            seat.connection.set_peer(peer);
        }
    }

    /// What is in force.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.core.settings
    }

    /// The time of this turn.
    pub fn now(&self) -> Now {
        self.core.now
    }

    /// Which events the log wants.
    pub fn set_wants(&mut self, wants: Wants) {
        self.core.wants = wants;
        self.core.limits.trace = wants.messages;
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<Runtime> {
        &self.core.config
    }

    /// This shard's number.
    pub fn id(&self) -> u16 {
        self.core.id
    }

    /// Connections in the shard.
    pub fn connections(&self) -> usize {
        self.core.links.len()
    }

    /// Timers that are set.
    pub fn pending_timers(&self) -> usize {
        self.core.timers.len()
    }

    /// Sessions in the shard.
    pub fn sessions(&self) -> usize {
        self.core.sessions.len()
    }
}

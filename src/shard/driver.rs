//! The shard on sockets: binds the pure [`Shard`] to the reactor.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};

use mio::Registry;
use tracing::Level;

use super::admission::Ticket;
use super::command::Adopt;
use super::{Command, Served, Settings, Shard, Shared, logging};
use crate::config::ListenerRuntime;
use crate::connection::Wants;
use crate::reactor::{Handler, Reactor};
use crate::sync::{Arc, Batches};
use crate::transport::{AcceptState, Acceptor, Stream};
use crate::util::{Key, Now};

/// Commands taken from the mailbox in one turn.
const MAILBOX_BUDGET: usize = 16 * 1024;
/// Connections accepted in one turn of one listener.
const ACCEPT_BUDGET: usize = 256;
/// Reads of unread input before a socket is closed: what is left unread makes the kernel reset
/// the connection, and the Client would lose our last words.
const CLOSE_DRAIN: usize = 16;

/// For the driver of a shard, inside [`Command::Driver`].
pub(super) enum DriverCommand {
    /// Accept on this socket.
    Listen { id: u32, socket: TcpListener, settings: Arc<ListenerRuntime> },
    /// Stop accepting on it.
    Unlisten { id: u32 },
    /// A connection that another shard accepted.
    Fresh { stream: Stream, peer: SocketAddr, settings: Arc<ListenerRuntime>, ticket: Ticket },
    /// End the thread.
    Stop,
}

struct Listener {
    id: u32,
    acceptor: Acceptor,
    settings: Arc<ListenerRuntime>,
    /// When to accept next, monotonic ms: connections may be waiting, and edge-triggered
    /// readiness doesn't say so twice. `u64::MAX`: when readiness says so.
    due_ms: u64,
}

/// The driver's part of a connection.
struct Wire {
    stream: Stream,
    ticket: Ticket,
    /// The socket may have more to read; edge-triggered readiness doesn't say so twice.
    readable: bool,
    /// The peer has closed its side; read to the end.
    hangup: bool,
    /// The shard has unfinished input of it.
    unfinished: bool,
    /// Stands in the run queue, among the held back, or waits for its password to be checked.
    queued: bool,
}

/// See the module's documentation.
pub(super) struct Driver {
    shard: Shard,
    wires: Vec<Option<Wire>>,
    listeners: Vec<Listener>,
    registry: Registry,
    shared: Arc<Shared>,
    mail: Option<Batches<Command>>,
    batch: std::vec::IntoIter<Command>,
    buffer: Box<[u8]>,
    /// Memory of the last list of connections to flush.
    spare: Vec<Key>,
    run: VecDeque<Key>,
    /// Memory of the last list of connections accepted.
    fresh: Vec<(Stream, SocketAddr)>,
    warn_again_ms: u64,
    /// Connections that feed a shard that is behind; served again when it has caught up.
    held_back: Vec<Key>,
    congested: bool,
    stopped: bool,
}

impl Driver {
    pub(super) fn new(mut shard: Shard, reactor: &Reactor) -> io::Result<Self> {
        shard.set_wants(wants(&shard));
        Ok(Self {
            wires: Vec::new(),
            listeners: Vec::new(),
            registry: reactor.registry()?,
            shared: Arc::clone(shard.shared()),
            mail: None,
            batch: Vec::new().into_iter(),
            buffer: vec![0; shard.config().turn.read_bytes.max(4096)].into_boxed_slice(),
            spare: Vec::new(),
            run: VecDeque::new(),
            fresh: Vec::new(),
            warn_again_ms: 0,
            held_back: Vec::new(),
            congested: false,
            stopped: false,
            shard,
        })
    }

    fn wire(&mut self, key: Key) -> Option<&mut Wire> {
        self.wires.get_mut(key.index as usize)?.as_mut()
    }

    fn install(&mut self, key: Key, mut stream: Stream, ticket: Ticket) {
        let index = key.index as usize;
        if self.wires.len() <= index {
            self.wires.resize_with(index + 1, || None);
        }
        let registered = stream.register(&self.registry, key.to_u64());
        let wire = Wire {
            stream,
            ticket,
            readable: false,
            hangup: false,
            unfinished: false,
            queued: false,
        };
        self.wires[index] = Some(wire);
        if registered.is_err() {
            self.shard.gone(key);
        }
    }

    fn enqueue(&mut self, key: Key) {
        if let Some(wire) = self.wire(key)
            && !wire.queued
        {
            wire.queued = true;
            self.run.push_back(key);
        }
    }

    /// Serves one connection for its share of the turn.
    fn serve(&mut self, key: Key) {
        let Some(wire) = self.wires.get_mut(key.index as usize).and_then(Option::as_mut) else {
            return;
        };
        if wire.unfinished {
            wire.unfinished = false;
            let served = self.shard.resume(key);
            if !self.after(key, served) {
                return;
            }
        }
        self.read(key);
    }

    /// One read. A short read means that the socket is empty: no second one to hear so, unless
    /// the peer has closed and the end is to be read.
    fn read(&mut self, key: Key) {
        let Some(wire) = self.wires.get_mut(key.index as usize).and_then(Option::as_mut) else {
            return;
        };
        if !wire.readable {
            return;
        }
        match wire.stream.read(&mut self.buffer) {
            Ok(0) => self.gone(key),
            Ok(n) => {
                let drained = n < self.buffer.len() && !wire.hangup;
                wire.readable = !drained;
                self.shard.metrics().reads.increment();
                let served = self.shard.bytes(key, &self.buffer[..n]);
                if self.after(key, served) && !drained {
                    self.enqueue(key);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wire.readable = false,
            Err(_) => self.gone(key),
        }
        if self.shard.should_flush() {
            self.flush_dirty();
        }
    }

    fn gone(&mut self, key: Key) {
        if let Some(wire) = self.wire(key) {
            wire.readable = false;
        }
        self.shard.gone(key);
    }

    /// True when the connection may go on reading.
    fn after(&mut self, key: Key, served: Served) -> bool {
        match served {
            Served::Idle => {
                self.note_connected(key);
                return true;
            }
            Served::Closed => {}
            Served::Waiting => {
                // Counts as queued, so that readiness alone does not serve it.
                if let Some(wire) = self.wire(key) {
                    wire.queued = true;
                }
            }
            Served::Unfinished => {
                if let Some(wire) = self.wire(key) {
                    wire.unfinished = true;
                }
                if self.shard.is_held_back() {
                    self.hold_back(key);
                } else {
                    self.enqueue(key);
                }
            }
            Served::Moving(to) => self.hand_over(key, to),
        }
        false
    }

    /// CONNECT may just have gone through.
    fn note_connected(&mut self, key: Key) {
        if self.shard.link(key).is_some_and(|link| link.session.is_some())
            && let Some(wire) = self.wire(key)
        {
            wire.ticket.connected();
        }
    }

    fn hold_back(&mut self, key: Key) {
        self.congested = true;
        self.shard.metrics().connections_paused.add(1);
        if let Some(wire) = self.wire(key)
            && !wire.queued
        {
            wire.queued = true;
            self.held_back.push(key);
        }
    }

    /// Sends a connection, with its socket and what was read of it, to the shard that has its
    /// session. Its output buffer is empty: it has not got past CONNECT.
    fn hand_over(&mut self, key: Key, to: u16) {
        let Some(mut wire) = self.wires.get_mut(key.index as usize).and_then(Option::take) else {
            return;
        };
        let Some(parked) = self.shard.park(key) else { return };
        if wire.stream.deregister(&self.registry).is_err() {
            return; // The socket is beyond use; dropping it closes it.
        }
        let wire: Box<dyn std::any::Any + Send> = Box::new((wire.stream, wire.ticket));
        tracing::debug!(
            target: "internal",
            "A connection goes from shard {} to shard {to}, which has its session.",
            self.shard.id()
        );
        self.shard.send(to, Command::Adopt(Box::new(Adopt { parked, wire })));
    }

    fn command(&mut self, command: Command) {
        match self.shard.command(command) {
            // Who comes from another shard after the goodbye finds the door shut.
            Some(Command::Adopt(_)) if self.shard.is_draining() => {}
            Some(Command::Adopt(adopt)) => {
                if let Ok(wire) = adopt.wire.downcast::<(Stream, Ticket)>() {
                    let key = self.shard.adopt(adopt.parked);
                    let (stream, ticket) = *wire;
                    self.install(key, stream, ticket);
                    if let Some(wire) = self.wire(key) {
                        wire.unfinished = true;
                    }
                    self.enqueue(key);
                }
            }
            Some(Command::Checked { connection, .. }) => {
                if let Some(wire) = self.wire(connection) {
                    wire.unfinished = true;
                    wire.queued = false;
                }
                self.enqueue(connection);
            }
            Some(Command::Driver(command)) => {
                if let Ok(command) = command.downcast::<DriverCommand>() {
                    self.driver_command(*command);
                }
            }
            Some(Command::Drain) => self.listeners.clear(),
            Some(Command::Apply(settings)) => {
                self.apply_to_listeners(&settings);
                self.shard.apply(settings);
                self.shard.set_wants(wants(&self.shard));
            }
            _ => {}
        }
    }

    fn driver_command(&mut self, command: DriverCommand) {
        match command {
            DriverCommand::Listen { id, socket, settings } => self.listen(id, socket, settings),
            DriverCommand::Unlisten { id } => self.listeners.retain(|one| one.id != id),
            DriverCommand::Fresh { stream, peer, settings, ticket } => {
                self.fresh(stream, peer, settings, ticket);
            }
            DriverCommand::Stop => self.stopped = true,
        }
    }

    fn listen(&mut self, id: u32, socket: TcpListener, settings: Arc<ListenerRuntime>) {
        let mut acceptor = Acceptor::new(socket);
        // Listener tokens begin at 1: 0 is the reactor's own.
        match acceptor.register(&self.registry, u64::from(id) + 1) {
            Ok(()) => self.listeners.push(Listener { id, acceptor, settings, due_ms: 0 }),
            Err(error) => tracing::error!(target: "error", "Listener {id}: {error}"),
        }
    }

    /// What is accepted from now on is under the new settings.
    fn apply_to_listeners(&mut self, settings: &Settings) {
        for listener in &mut self.listeners {
            if let Some(changed) = settings.runtime.listener(listener.settings.id) {
                listener.settings = Arc::clone(changed);
            }
        }
    }

    fn fresh(
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
    fn accept(&mut self, at: usize, now: Now) {
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
            self.place(stream, peer, &settings);
        }
        self.fresh = fresh;
    }

    fn place(&mut self, stream: Stream, peer: SocketAddr, settings: &Arc<ListenerRuntime>) {
        let per_address = self.shard.config().connect.per_address;
        let refused = self.shard.is_draining() || self.shared.pressure() >= 1;
        let ticket = (!refused)
            .then(|| self.shared.admission.admit(settings, per_address, peer.ip()))
            .flatten();
        let Some(ticket) = ticket else {
            self.shard.metrics().connections_refused.increment();
            logging::denied(peer);
            return;
        };
        if self.shard.wants().connections {
            logging::accepted(peer, settings.port);
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

    fn flush_dirty(&mut self) {
        let spare = std::mem::take(&mut self.spare);
        let mut dirty = self.shard.take_dirty(spare);
        for key in dirty.drain(..) {
            self.flush_one(key);
        }
        self.spare = dirty;
    }

    /// Writes what a connection has, all of it in one call as far as the socket takes it.
    fn flush_one(&mut self, key: Key) {
        let Some(link) = self.shard.link(key) else { return };
        link.dirty = false;
        let Some(wire) = self.wires.get_mut(key.index as usize).and_then(Option::as_mut) else {
            return;
        };
        let mut writes = 0;
        let mut written = 0;
        let mut failed = false;
        while !link.out.is_empty() && !link.blocked {
            let result = {
                let slices = link.out.slices(64);
                wire.stream.write_vectored(&slices)
            };
            writes += 1;
            match result {
                Ok(n) => {
                    written += n;
                    link.out.consume(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => link.blocked = true,
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        let (closing, empty) = (link.closing, link.out.is_empty());
        self.shard.flushed(key);
        self.shard.metrics().writes.add(writes);
        self.shard.metrics().bytes_sent.add(written as u64);
        if closing {
            self.close(key);
        } else if failed {
            self.gone(key);
        } else if empty {
            self.shard.drained(key);
        }
    }

    fn close(&mut self, key: Key) {
        if let Some(mut wire) = self.wires.get_mut(key.index as usize).and_then(Option::take) {
            // Our side ends first, so that what was written arrives before the end.
            let _ = wire.stream.shutdown();
            for _ in 0..CLOSE_DRAIN {
                if !matches!(wire.stream.read(&mut self.buffer), Ok(n) if n > 0) {
                    break;
                }
            }
        }
        self.shard.remove(key);
    }
}

/// What the log takes, as far as the data plane is concerned.
fn wants(shard: &Shard) -> Wants {
    Wants {
        connections: shard.config().connection_messages
            && tracing::enabled!(target: "notice", Level::INFO),
        subscriptions: tracing::enabled!(target: "subscribe", Level::DEBUG)
            || tracing::enabled!(target: "unsubscribe", Level::DEBUG),
        messages: tracing::enabled!(target: "debug", Level::DEBUG),
    }
}

impl Driver {
    /// Handles mail up to the budget. True when some of what was taken is left.
    fn handle_mail(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mailbox = &shared.mailboxes[usize::from(self.shard.id())];
        let (mut commands, mut weight) = (0, 0);
        while commands < MAILBOX_BUDGET {
            let Some(command) = self.next_command() else { break };
            commands += 1;
            weight += command.weight();
            self.command(command);
            if self.shard.should_flush() {
                self.flush_dirty();
            }
        }
        if commands > 0 {
            self.shard.metrics().mailbox_commands.add(commands as u64);
            shared.nudge(mailbox.done(commands, weight));
        }
        commands == MAILBOX_BUDGET
    }

    /// Commands come in batches; a batch that the budget cut short is gone on with.
    fn next_command(&mut self) -> Option<Command> {
        loop {
            if let Some(command) = self.batch.next() {
                return Some(command);
            }
            let next = match &mut self.mail {
                Some(batches) => batches.next(),
                None => None,
            };
            match next {
                Some(batch) => self.batch = batch.into_iter(),
                None => {
                    let mailbox = &self.shared.mailboxes[usize::from(self.shard.id())];
                    let mut batches = mailbox.take();
                    self.batch = batches.next()?.into_iter();
                    self.mail = Some(batches);
                }
            }
        }
    }

    fn release_held_back(&mut self) {
        for key in std::mem::take(&mut self.held_back) {
            self.shard.metrics().connections_paused.add(-1);
            self.run.push_back(key);
        }
    }
}

impl Handler for Driver {
    fn stopped(&self) -> bool {
        self.stopped
    }

    fn next_deadline(&self) -> Option<u64> {
        let accept = self.listeners.iter().map(|one| one.due_ms).filter(|due| *due != u64::MAX);
        [accept.min(), self.shard.next_deadline()].into_iter().flatten().min()
    }

    fn has_mail(&self) -> bool {
        self.shared.mailboxes[usize::from(self.shard.id())].has_mail()
    }

    fn prepare_sleep(&mut self) -> bool {
        self.shared.mailboxes[usize::from(self.shard.id())].prepare_sleep()
    }

    fn awake(&mut self) {
        self.shared.mailboxes[usize::from(self.shard.id())].awake();
    }

    fn mailbox(&mut self, now: Now) -> bool {
        self.shard.metrics().turns.increment();
        let congested = self.shard.begin_turn(now);
        if self.congested && !congested {
            self.release_held_back();
        }
        self.congested = congested;
        self.handle_mail()
    }

    fn acceptable(&mut self, token: u64, _now: Now) {
        let id = token - 1;
        if let Some(listener) = self.listeners.iter_mut().find(|one| u64::from(one.id) == id) {
            listener.due_ms = 0;
        }
    }

    fn readable(&mut self, token: u64, closed: bool, _now: Now) {
        let key = Key::from_u64(token);
        if self.shard.link(key).is_none() {
            return;
        }
        let Some(wire) = self.wire(key) else { return };
        wire.readable = true;
        wire.hangup |= closed;
        if !wire.queued {
            self.serve(key);
        }
    }

    fn writable(&mut self, token: u64, _now: Now) {
        let key = Key::from_u64(token);
        let Some(link) = self.shard.link(key) else { return };
        if link.blocked {
            link.blocked = false;
            self.flush_one(key);
        }
    }

    fn run_queue(&mut self, now: Now) -> bool {
        for at in 0..self.listeners.len() {
            if self.listeners[at].due_ms <= now.mono_ms {
                self.accept(at, now);
            }
        }
        for _ in 0..self.run.len() {
            let Some(key) = self.run.pop_front() else { break };
            if self.shard.link(key).is_none() {
                continue;
            }
            if let Some(wire) = self.wire(key) {
                wire.queued = false;
                self.serve(key);
            }
        }
        !self.run.is_empty()
    }

    fn timers(&mut self, _now: Now) {
        self.shard.timers();
    }

    fn flush(&mut self, _now: Now) -> bool {
        self.flush_dirty();
        self.shard.end_turn();
        logging::write(self.shard.take_events());
        self.shard.has_dirty() || !self.run.is_empty()
    }
}

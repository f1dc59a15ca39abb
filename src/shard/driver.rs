//! The shard on sockets: binds the pure [`Shard`] to the reactor.

mod accept;
mod flush;
mod layers;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;

use mio::Registry;
use tracing::Level;

use accept::Listener;

use super::admission::Ticket;
use super::command::Adopt;
use super::pages::Page;
use super::tidy::LIST_KEPT;
use super::{Command, Served, Shard, Shared, logging};
use crate::config::ListenerRuntime;
use crate::connection::Wants;
use crate::reactor::{Handler, Reactor};
use crate::sync::{Arc, Batches};
use crate::transport::{ListenSocket, Need, Next, Received, Scratch, Stream};
use crate::util::{Compact, Key, Now, SetAside, Shrink, Sparse, give_back_heap_end};

/// Commands taken from the mailbox in one turn.
const MAILBOX_BUDGET: usize = 16 * 1024;

/// Bytes of one read before CONNECT is through. What comes behind a CONNECT is kept until its
/// password is checked; so little of it is taken, and the rest is left to the socket.
const EARLY_READ: usize = 4 * 1024;

/// For the driver of a shard, inside [`Command::Driver`].
pub(super) enum DriverCommand {
    /// Accept on this socket.
    Listen { id: u32, socket: ListenSocket, settings: Arc<ListenerRuntime> },
    /// Stop accepting on it.
    Unlisten { id: u32 },
    /// A connection that another shard accepted.
    Fresh { stream: Stream, peer: SocketAddr, settings: Arc<ListenerRuntime>, ticket: Ticket },
    /// A file that a connection of this shard has asked for.
    Page(Box<Page>),
    /// Write to the log what the shard holds.
    Describe,
    /// Give the free memory that is set aside for this thread to another one.
    HandOver(mpsc::Sender<SetAside>),
    /// Give the end of this thread's heap back to the system.
    GiveBack,
    /// End the thread.
    Stop,
}

/// The driver's part of a connection.
struct Wire {
    stream: Stream,
    ticket: Ticket,
    /// CONNECT is through.
    connected: bool,
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
    wires: Sparse<Wire>,
    listeners: Vec<Listener>,
    registry: Registry,
    shared: Arc<Shared>,
    mail: Option<Batches<Command>>,
    batch: std::vec::IntoIter<Command>,
    buffer: Box<[u8]>,
    /// Memory of streams with layers.
    scratch: Scratch,
    /// Connections whose next read is dear: a part of a TLS handshake. They come last.
    handshakes: VecDeque<Key>,
    /// Connections whose certificate is looked at again, after a reload.
    recheck: VecDeque<Key>,
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
            wires: Sparse::new(),
            listeners: Vec::new(),
            registry: reactor.registry()?,
            shared: Arc::clone(shard.shared()),
            mail: None,
            batch: Vec::new().into_iter(),
            buffer: vec![0; shard.config().turn.read_bytes.max(EARLY_READ)].into_boxed_slice(),
            scratch: Scratch::default(),
            handshakes: VecDeque::new(),
            recheck: VecDeque::new(),
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
        self.wires.get_mut(key.index)
    }

    fn install(&mut self, key: Key, mut stream: Stream, ticket: Ticket) {
        let registered = stream.register(&self.registry, key.to_u64());
        let layered = stream.layered().is_some();
        if stream.is_backed_up()
            && let Some(link) = self.shard.link(key)
        {
            link.blocked = true;
        }
        let wire = Wire {
            stream,
            ticket,
            connected: false,
            // Layers may know of an end that no readiness tells of.
            readable: layered,
            hangup: false,
            unfinished: false,
            queued: false,
        };
        self.wires.put(key.index, wire);
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
        if self.shard.is_backed_up(key) {
            return; // Until its socket takes more: see `writable`.
        }
        let Some(wire) = self.wires.get_mut(key.index) else {
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
        let Some(wire) = self.wires.get_mut(key.index) else {
            return;
        };
        if !wire.readable {
            return;
        }
        if wire.stream.need() == Need::Handshake {
            return self.postpone(key);
        }
        self.receive(key);
    }

    fn receive(&mut self, key: Key) {
        let Some(wire) = self.wires.get_mut(key.index) else {
            return;
        };
        let room = if wire.connected { self.buffer.len() } else { EARLY_READ };
        let received = wire.stream.read(&mut self.buffer[..room], &mut self.scratch, wire.hangup);
        let layered = wire.stream.layered().is_some();
        if layered && !self.heed_layers(key, received.as_ref().err()) {
            return;
        }
        match received {
            Ok(received) => {
                self.shard.metrics().reads.increment();
                self.take(key, received, layered);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if let Some(wire) = self.wire(key) {
                    wire.readable = false;
                }
            }
            Err(_) => self.gone(key),
        }
        if self.shard.should_flush() {
            self.flush_dirty();
        }
    }

    /// Hands what was read to the connection.
    fn take(&mut self, key: Key, received: Received, layered: bool) {
        let Received { len, next } = received;
        let Some(wire) = self.wires.get_mut(key.index) else {
            return;
        };
        wire.readable = next != Next::Wait;
        if len == 0 && next == Next::End {
            return self.gone(key);
        }
        if len > 0 {
            let bytes = if layered { &self.scratch.plain[..len] } else { &self.buffer[..len] };
            let served = self.shard.bytes(key, bytes);
            if !self.after(key, served) {
                return;
            }
        }
        // What came before an end is served; the next read tells of the end itself.
        if next != Next::Wait {
            self.enqueue(key);
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
            && !wire.connected
        {
            wire.connected = true;
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
        let Some(mut wire) = self.wires.take(key.index) else {
            return;
        };
        let Some(parked) = self.shard.park(key) else { return };
        self.forget_layers(&mut wire.stream);
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
                    self.check_again(key);
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
            Some(Command::Drain) => self.unlisten(|_| true),
            Some(Command::Apply(settings)) => {
                self.apply_to_listeners(&settings);
                self.shard.apply(settings);
                self.check_all_again();
                self.shard.set_wants(wants(&self.shard));
            }
            _ => {}
        }
    }

    fn driver_command(&mut self, command: DriverCommand) {
        match command {
            DriverCommand::Listen { id, socket, settings } => self.listen(id, socket, settings),
            DriverCommand::Unlisten { id } => self.unlisten(|one| one.id == id),
            DriverCommand::Fresh { stream, peer, settings, ticket } => {
                self.fresh(stream, peer, settings, ticket);
            }
            DriverCommand::Page(page) => self.send_page(*page),
            DriverCommand::Describe => {
                self.shard.describe().iter().for_each(|line| tracing::info!("{line}"));
            }
            DriverCommand::HandOver(to) => {
                // What is left moves into what others have freed, not into what was set aside; what
                // it leaves is handed over, too. Whoever wanted it may have ended.
                let _ = to.send(SetAside::take());
                self.compact();
                let _ = to.send(SetAside::take());
            }
            DriverCommand::GiveBack => {
                give_back_heap_end();
            }
            DriverCommand::Stop => self.stopped = true,
        }
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

    /// See [`Shard::has_tidied`].
    fn shrink_lists(&mut self) {
        self.run.shrink(LIST_KEPT);
        self.handshakes.shrink(LIST_KEPT);
        self.recheck.shrink(LIST_KEPT);
        self.held_back.shrink(LIST_KEPT);
        self.spare.shrink(LIST_KEPT);
        self.fresh.shrink(LIST_KEPT);
        if self.batch.len() == 0 {
            self.batch = Vec::new().into_iter();
        }
    }

    fn compact(&mut self) {
        self.shard.compact();
        self.shard.begin_purge();
        let home = self.shard.home();
        self.wires.compact(home);
        self.run.compact(home);
        self.handshakes.compact(home);
        self.recheck.compact(home);
        self.held_back.compact(home);
        self.spare.compact(home);
        self.fresh.compact(home);
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
            if self.wire(key).is_some_and(|wire| wire.readable || wire.unfinished) {
                self.enqueue(key);
            }
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
        self.run_handshakes();
        self.run_rechecks();
        self.has_work()
    }

    fn timers(&mut self, _now: Now) {
        self.shard.timers();
        if self.shard.has_tidied() {
            self.shrink_lists();
        }
    }

    fn flush(&mut self, _now: Now) -> bool {
        self.flush_dirty();
        self.shard.end_turn();
        logging::write(self.shard.take_events());
        self.shard.has_dirty() || self.has_work()
    }
}

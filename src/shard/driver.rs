//! The shard on sockets: binds the pure [`Shard`] to the reactor.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;

use mio::Token;

use super::command::Adopt;
use super::{Command, Served, Shard, logging};
use crate::config::ListenerRuntime;
use crate::reactor::{Handler, Reactor, Registrar};
use crate::sync::Arc;
use crate::transport::{Accepted, Acceptor, Stream};
use crate::util::{BufPool, Key, Now};

/// Bytes taken from a socket by one read; one buffer serves the whole shard.
const READ_BUFFER: usize = 256 * 1024;
/// Commands taken from the mailbox in one turn.
const MAILBOX_BUDGET: usize = 16 * 1024;
/// Connections accepted in one turn of one listener.
const ACCEPT_BUDGET: usize = 256;
/// How long a listener rests after the descriptors ran out.
const ACCEPT_REST_MS: u64 = 100;
/// Unread input that is taken off a socket before it is closed: what is left unread makes the
/// kernel reset the connection, and the Client would lose our last words.
const CLOSE_DRAIN: usize = 16;
/// Tokens of listeners have this bit; connection keys never do.
const LISTENER_BIT: u64 = 1 << 63;

/// For the driver of a shard, inside [`Command::Driver`].
pub(super) enum DriverCommand {
    /// Accept on this socket.
    Listen { id: u32, socket: TcpListener, settings: Arc<ListenerRuntime> },
    /// Stop accepting on it.
    Unlisten { id: u32 },
    /// A connection that another shard accepted.
    Fresh { stream: Stream, peer: SocketAddr, settings: Arc<ListenerRuntime> },
    /// End the thread.
    Stop,
}

struct Listener {
    id: u32,
    acceptor: Acceptor,
    settings: Arc<ListenerRuntime>,
    /// Resting until then, monotonic ms; 0 when not.
    rest_until_ms: u64,
    /// Connections may be waiting; edge-triggered readiness doesn't say so twice.
    ready: bool,
}

/// The driver's part of a connection.
struct Wire {
    stream: Stream,
    settings: Arc<ListenerRuntime>,
    /// The socket may have more to read; edge-triggered readiness doesn't say so twice.
    readable: bool,
    /// The peer has closed its side; read to the end.
    hangup: bool,
    /// The shard has unfinished input of it.
    unfinished: bool,
    /// Stands in the run queue, or among the held back.
    queued: bool,
}

/// See the module's documentation.
pub(super) struct Driver {
    shard: Shard,
    wires: Vec<Option<Wire>>,
    listeners: Vec<Listener>,
    registrar: Registrar,
    buffer: Box<[u8]>,
    pool: BufPool,
    /// Memory of the last list of connections to flush.
    spare: Vec<Key>,
    run: VecDeque<Key>,
    /// Connections that feed a shard that is behind; served again when it has caught up.
    held_back: Vec<Key>,
    congested: bool,
    stopped: bool,
}

impl Driver {
    pub(super) fn new(shard: Shard, reactor: &Reactor) -> io::Result<Self> {
        Ok(Self {
            shard,
            wires: Vec::new(),
            listeners: Vec::new(),
            registrar: reactor.registrar()?,
            buffer: vec![0; READ_BUFFER].into_boxed_slice(),
            pool: BufPool::default(),
            spare: Vec::new(),
            run: VecDeque::new(),
            held_back: Vec::new(),
            congested: false,
            stopped: false,
        })
    }

    fn wire(&mut self, key: Key) -> Option<&mut Wire> {
        self.wires.get_mut(key.index as usize)?.as_mut()
    }

    fn install(&mut self, key: Key, mut stream: Stream, settings: Arc<ListenerRuntime>) {
        let index = key.index as usize;
        if self.wires.len() <= index {
            self.wires.resize_with(index + 1, || None);
        }
        if stream.register(&self.registrar, token(key)).is_err() {
            self.shard.gone(key);
        }
        let wire =
            Wire { stream, settings, readable: true, hangup: false, unfinished: false, queued: false };
        self.wires[index] = Some(wire);
        // What came before registration makes no edge.
        self.enqueue(key);
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
                self.shard.metrics().reads.add(1);
                let served = self.shard.bytes(key, &self.buffer[..n]);
                if self.after(key, served) && !drained {
                    self.enqueue(key);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wire.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.enqueue(key),
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
            Served::Idle => return true,
            Served::Closed => {}
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

    fn hold_back(&mut self, key: Key) {
        self.congested = true;
        self.shard.metrics().held_back.add(1);
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
        if wire.stream.deregister(&self.registrar).is_err() {
            return; // The socket is beyond use; dropping it closes it.
        }
        let wire: Box<dyn std::any::Any + Send> = Box::new((wire.stream, wire.settings));
        self.shard.send(to, Command::Adopt(Box::new(Adopt { parked, wire })));
    }

    fn command(&mut self, command: Command) {
        match self.shard.command(command) {
            Some(Command::Adopt(adopt)) => {
                if let Ok(wire) = adopt.wire.downcast::<(Stream, Arc<ListenerRuntime>)>() {
                    let key = self.shard.adopt(adopt.parked);
                    let (stream, settings) = *wire;
                    self.install(key, stream, settings);
                    if let Some(wire) = self.wire(key) {
                        wire.unfinished = true;
                    }
                }
            }
            Some(Command::Driver(command)) => {
                if let Ok(command) = command.downcast::<DriverCommand>() {
                    self.driver_command(*command);
                }
            }
            Some(Command::Drain) => self.listeners.clear(),
            _ => {}
        }
    }

    fn driver_command(&mut self, command: DriverCommand) {
        match command {
            DriverCommand::Listen { id, socket, settings } => self.listen(id, socket, settings),
            DriverCommand::Unlisten { id } => self.listeners.retain(|one| one.id != id),
            DriverCommand::Fresh { stream, peer, settings } => self.fresh(stream, peer, settings),
            DriverCommand::Stop => self.stopped = true,
        }
    }

    fn listen(&mut self, id: u32, socket: TcpListener, settings: Arc<ListenerRuntime>) {
        let token = Token((LISTENER_BIT | u64::from(id)) as usize);
        match Acceptor::new(socket, &self.registrar, token) {
            Ok(acceptor) => {
                let listener = Listener { id, acceptor, settings, rest_until_ms: 0, ready: true };
                self.listeners.push(listener);
            }
            Err(error) => tracing::error!(target: "error", "Listener {id}: {error}"),
        }
    }

    fn fresh(&mut self, stream: Stream, peer: SocketAddr, settings: Arc<ListenerRuntime>) {
        if self.shard.is_draining() {
            return;
        }
        let key = self.shard.accept(Arc::clone(&settings), peer);
        self.install(key, stream, settings);
    }

    /// Accepts what waits on one listener and spreads it over the shards.
    fn accept(&mut self, at: usize, now: Now) {
        for _ in 0..ACCEPT_BUDGET {
            let Some(listener) = self.listeners.get_mut(at) else { return };
            let settings = Arc::clone(&listener.settings);
            match listener.acceptor.accept() {
                Accepted::Connection(stream, peer) => self.place(stream, peer, settings),
                Accepted::Empty => {
                    listener.ready = false;
                    return;
                }
                Accepted::Retry => {}
                Accepted::Exhausted => {
                    listener.rest_until_ms = now.mono_ms + ACCEPT_REST_MS;
                    self.shard.metrics().accept_errors.add(1);
                    tracing::warn!(
                        target: "warning",
                        "Out of file descriptors: new connections are refused until some close. \
                         Raise the limit (ulimit -n, LimitNOFILE) to take more."
                    );
                    return;
                }
            }
        }
    }

    fn place(&mut self, stream: Stream, peer: SocketAddr, settings: Arc<ListenerRuntime>) {
        if self.shard.is_draining() || !settings.admit(self.shard.shared().connections()) {
            self.shard.metrics().connections_refused.add(1);
            return;
        }
        let to = self.shard.shared().least_loaded(self.shard.id());
        self.shard.shared().add_load(to, 1);
        if to == self.shard.id() {
            return self.fresh(stream, peer, settings);
        }
        let command = DriverCommand::Fresh { stream, peer, settings };
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
            let slices = link.out.slices(64);
            writes += 1;
            match wire.stream.write_vectored(&slices) {
                Ok(n) => {
                    written += n;
                    link.out.consume(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => link.blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        let (closing, empty) = (link.closing, link.out.is_empty());
        if empty {
            link.out.reset(&mut self.pool);
        }
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
            wire.stream.finish(&mut self.buffer, CLOSE_DRAIN);
        }
        self.shard.remove(key);
    }
}

fn token(key: Key) -> Token {
    Token(key.to_u64() as usize)
}

impl Handler for Driver {
    fn mailbox(&mut self, now: Now) -> bool {
        let congested = self.shard.begin_turn(now);
        if self.congested && !congested {
            for key in std::mem::take(&mut self.held_back) {
                self.run.push_back(key);
            }
        }
        self.congested = congested;
        let shared = Arc::clone(self.shard.shared());
        let mailbox = &shared.mailboxes[usize::from(self.shard.id())];
        let (mut commands, mut weight) = (0, 0);
        for command in mailbox.take() {
            commands += 1;
            weight += command.weight();
            self.command(command);
            if self.shard.should_flush() {
                self.flush_dirty();
            }
            if commands % MAILBOX_BUDGET == 0 {
                mailbox.done(std::mem::take(&mut commands), std::mem::take(&mut weight));
            }
        }
        mailbox.done(commands, weight);
        false
    }

    fn ready(&mut self, token: Token, readable: bool, writable: bool, hangup: bool, _now: Now) {
        let bits = token.0 as u64;
        if bits & LISTENER_BIT != 0 {
            let id = (bits & u64::from(u32::MAX)) as u32;
            if let Some(listener) = self.listeners.iter_mut().find(|one| one.id == id) {
                listener.ready = true;
            }
            return;
        }
        let key = Key::from_u64(bits);
        let Some(link) = self.shard.link(key) else { return };
        if writable && link.blocked {
            link.blocked = false;
            self.flush_one(key);
        }
        if !readable && !hangup {
            return;
        }
        let Some(wire) = self.wire(key) else { return };
        wire.readable = true;
        wire.hangup |= hangup;
        if !wire.queued {
            self.serve(key);
        }
    }

    fn run_queue(&mut self, now: Now) -> bool {
        for at in 0..self.listeners.len() {
            let listener = &self.listeners[at];
            if listener.ready && listener.rest_until_ms <= now.mono_ms {
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
        !self.run.is_empty() || self.listeners.iter().any(|one| one.ready && one.rest_until_ms <= now.mono_ms)
    }

    fn timers(&mut self, _now: Now) {
        self.shard.timers();
    }

    fn flush(&mut self, _now: Now) -> bool {
        self.flush_dirty();
        self.shard.end_turn();
        logging::write(self.shard.take_events());
        self.shard.has_dirty()
    }

    fn next_deadline(&self) -> Option<u64> {
        let rest = self.listeners.iter().filter(|one| one.ready).map(|one| one.rest_until_ms).min();
        [rest, self.shard.next_deadline()].into_iter().flatten().min()
    }

    fn stopped(&self) -> bool {
        self.stopped
    }
}

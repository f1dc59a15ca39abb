//! The in-memory transport: shards of the real code on one thread, with byte vectors for
//! sockets and a clock that is set by hand.
//!
//! One process holds a million connected, subscribed sessions this way, where descriptors would
//! run out long before; and a test sees a broker of several shards step by step.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};

use super::command::Adopt;
use super::{Command, Served, Settings, Shard, Shared};
use crate::auth::{Methods, PeerIdentity};
use crate::config::table::Listener;
use crate::config::{Config, ListenerRuntime, Runtime};
use crate::sync::Arc;
use crate::util::{Key, Now};

/// A Client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wire(u32);

/// Where the broker's end is now.
#[derive(Clone, Copy, Debug)]
struct Place {
    shard: u16,
    key: Key,
    open: bool,
}

/// A broker of several shards in memory.
pub struct Memory {
    shards: Vec<Shard>,
    shared: Arc<Shared>,
    listener: Arc<ListenerRuntime>,
    now: Now,
    places: Vec<Place>,
    /// For each shard, the wire of each of its connections, by slab index.
    wires: Vec<Vec<Wire>>,
    /// What the broker wrote, by wire; only for those that have something.
    received: std::collections::HashMap<Wire, Vec<u8>>,
    /// Memory of the last list of connections to flush.
    spare: Vec<Key>,
    /// Connections with input left, in the order of service.
    unfinished: VecDeque<Wire>,
}

impl Memory {
    /// A broker with `config`, of `shards` shards, at time zero.
    pub fn new(shards: usize, config: Runtime, methods: Methods) -> Self {
        let mut config = config;
        if config.listeners.is_empty() {
            config.listeners = [default_listener()].into();
        }
        Self::with(shards, Arc::new(Settings::from(config)), methods)
    }

    /// A broker with these settings, of `shards` shards, at time zero.
    pub fn with(shards: usize, settings: Arc<Settings>, methods: Methods) -> Self {
        let now = Now { mono_ms: 1, wall_s: 0 };
        let listeners = &settings.runtime.listeners;
        let listener = listeners.first().cloned().unwrap_or_else(default_listener);
        let config = Arc::clone(&settings.runtime);
        let shared = Arc::new(Shared::new(shards, config.turn.mailbox_high_water, methods));
        let shard = |id| Shard::new(id, Arc::clone(&shared), Arc::clone(&settings), now);
        Self {
            shards: (0..shards as u16).map(shard).collect(),
            listener,
            shared,
            now,
            places: Vec::new(),
            wires: vec![Vec::new(); shards],
            received: std::collections::HashMap::new(),
            spare: Vec::new(),
            unfinished: VecDeque::new(),
        }
    }

    /// Opens a connection to `shard`.
    pub fn connect(&mut self, shard: u16) -> Wire {
        let wire = Wire(self.places.len() as u32);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Arc::clone(&self.listener);
        self.shared.add_load(shard, 1);
        let key = self.shards[usize::from(shard)].accept(listener, peer);
        self.places.push(Place { shard, key, open: true });
        self.seat(wire, shard, key);
        wire
    }

    fn seat(&mut self, wire: Wire, shard: u16, key: Key) {
        self.places[wire.0 as usize] = Place { shard, key, open: true };
        let wires = &mut self.wires[usize::from(shard)];
        let index = key.index as usize;
        if wires.len() <= index {
            wires.resize(index + 1, Wire(u32::MAX));
        }
        wires[index] = wire;
    }

    /// The Client sends bytes; they are handled at once, mail to other shards is not.
    pub fn send(&mut self, wire: Wire, bytes: &[u8]) {
        let place = self.places[wire.0 as usize];
        if place.open {
            let served = self.shards[usize::from(place.shard)].bytes(place.key, bytes);
            self.after(wire, served);
        }
    }

    /// What the transport knows of the peer; before it sends anything.
    pub fn identify(&mut self, wire: Wire, peer: PeerIdentity) {
        let place = self.places[wire.0 as usize];
        self.shards[usize::from(place.shard)].identify(place.key, peer);
    }

    /// Other settings come into force on one shard; the others are still to hear of them.
    pub fn apply(&mut self, shard: u16, settings: Arc<Settings>) {
        self.shards[usize::from(shard)].apply(settings);
    }

    /// The network connection breaks.
    pub fn cut(&mut self, wire: Wire) {
        let place = self.places[wire.0 as usize];
        if place.open {
            self.shards[usize::from(place.shard)].gone(place.key);
        }
    }

    fn after(&mut self, wire: Wire, served: Served) {
        match served {
            Served::Idle | Served::Waiting | Served::Closed => {}
            Served::Unfinished => self.unfinished.push_back(wire),
            Served::Moving(to) => {
                let place = self.places[wire.0 as usize];
                let from = &mut self.shards[usize::from(place.shard)];
                if let Some(parked) = from.park(place.key) {
                    let wire: Box<dyn std::any::Any + Send> = Box::new(wire);
                    from.send(to, Command::Adopt(Box::new(Adopt { parked, wire })));
                }
            }
        }
    }

    /// One turn of one shard: its mailbox, its unfinished connections, its timers, its output.
    pub fn turn(&mut self, shard: u16) {
        let index = usize::from(shard);
        self.shards[index].begin_turn(self.now);
        let mut done = (0, 0);
        for command in self.shared.mailboxes[index].take().flatten() {
            done.0 += 1;
            done.1 += command.weight();
            self.command(shard, command);
        }
        let waiters = self.shared.mailboxes[index].done(done.0, done.1);
        self.shared.nudge(waiters);
        for _ in 0..self.unfinished.len() {
            let Some(wire) = self.unfinished.pop_front() else { break };
            let place = self.places[wire.0 as usize];
            if place.shard != shard {
                self.unfinished.push_back(wire);
            } else if place.open {
                let served = self.shards[index].resume(place.key);
                self.after(wire, served);
            }
        }
        self.shards[index].timers();
        self.flush(shard);
        self.shards[index].end_turn();
    }

    fn command(&mut self, shard: u16, command: Command) {
        let adopt = match self.shards[usize::from(shard)].command(command) {
            Some(Command::Adopt(adopt)) => adopt,
            Some(Command::Checked { connection, .. }) => {
                let wire = self.wires[usize::from(shard)][connection.index as usize];
                return self.unfinished.push_back(wire);
            }
            _ => return,
        };
        let Ok(wire) = adopt.wire.downcast::<Wire>() else { return };
        let key = self.shards[usize::from(shard)].adopt(adopt.parked);
        self.seat(*wire, shard, key);
        let served = self.shards[usize::from(shard)].resume(key);
        self.after(*wire, served);
    }

    fn flush(&mut self, shard: u16) {
        let index = usize::from(shard);
        loop {
            let spare = std::mem::take(&mut self.spare);
            let mut dirty = self.shards[index].take_dirty(spare);
            let done = dirty.is_empty();
            for key in dirty.drain(..) {
                self.flush_one(shard, key);
            }
            self.spare = dirty;
            if done {
                return;
            }
        }
    }

    fn flush_one(&mut self, shard: u16, key: Key) {
        let index = usize::from(shard);
        let wire = self.wires[index][key.index as usize];
        let Some(link) = self.shards[index].link(key) else { return };
        link.dirty = false;
        let closing = link.closing;
        if !link.out.is_empty() {
            let received = self.received.entry(wire).or_default();
            while !link.out.is_empty() {
                let mut n = 0;
                for slice in link.out.slices(16) {
                    received.extend_from_slice(&slice);
                    n += slice.len();
                }
                link.out.consume(n);
            }
            self.shards[index].flushed(key);
        }
        if closing {
            self.shards[index].remove(key);
            self.places[wire.0 as usize].open = false;
        } else {
            self.shards[index].drained(key);
        }
    }

    /// Turns every shard until none has anything left to do.
    pub fn settle(&mut self) {
        loop {
            for shard in 0..self.shards.len() as u16 {
                self.turn(shard);
            }
            let mail = self.shared.mailboxes.iter().any(|mailbox| mailbox.has_mail());
            if !mail && self.unfinished.is_empty() {
                return;
            }
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_s += ms / 1000;
    }

    /// Somebody sets the wall clock: by `seconds`, either way.
    pub fn step_wall_clock(&mut self, seconds: i64) {
        self.now.wall_s = self.now.wall_s.saturating_add_signed(seconds);
    }

    /// What the broker has written to the Client since the last call.
    pub fn receive(&mut self, wire: Wire) -> Vec<u8> {
        self.received.remove(&wire).unwrap_or_default()
    }

    /// Throws away all that was written.
    pub fn forget_received(&mut self) {
        self.received.clear();
    }

    /// False once the broker has closed the connection.
    pub fn is_open(&self, wire: Wire) -> bool {
        self.places[wire.0 as usize].open
    }

    /// The shard that serves the connection now.
    pub fn shard_of(&self, wire: Wire) -> u16 {
        self.places[wire.0 as usize].shard
    }

    /// The shards, to look at.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// What they share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// A listener with default settings; nothing listens here.
fn default_listener() -> Arc<ListenerRuntime> {
    let mut config = Config::default();
    config.listeners.push(Listener::default());
    Arc::clone(&config.compile(1).listeners[0])
}

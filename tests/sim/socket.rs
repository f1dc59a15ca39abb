//! What the network and a shard's event loop remember: the broker's ends of connections, and what
//! a shard has still to do.

use std::collections::VecDeque;

use pondhawk::shard::Command;
use pondhawk::sync::Batches;
use pondhawk::util::Key;

/// The broker's end of a connection.
#[derive(Debug)]
pub struct Socket {
    pub shard: usize,
    pub key: Key,
    /// On its way between shards.
    pub moving: bool,
    /// Arrived and not read by the broker.
    pub inbox: VecDeque<u8>,
    pub eof: bool,
    /// The connection was reset: reading and writing fail.
    pub reset: bool,
    /// Written by the broker and not read by the Client.
    pub outbox: VecDeque<u8>,
    /// How much the outbox takes.
    pub room: usize,
    pub readable: bool,
    pub hangup: bool,
    pub unfinished: bool,
    pub queued: bool,
    pub blocked: bool,
    pub ending: bool,
    pub closed: bool,
    /// When bytes of it were last handled, monotonic ms.
    pub heard_ms: u64,
    /// Bytes that the broker has read.
    pub read: usize,
}

/// A shard's event loop.
pub struct Loop {
    /// The socket of each link, by its index.
    pub sockets: Vec<Option<usize>>,
    pub mail: Option<Batches<Command>>,
    pub batch: std::vec::IntoIter<Command>,
    /// What the kernel has to say.
    pub events: VecDeque<Ready>,
    pub run: VecDeque<usize>,
    pub held_back: Vec<usize>,
    pub congested: bool,
    pub work_left: bool,
    pub asleep: bool,
}

#[derive(Clone, Copy)]
pub enum Ready {
    Read(usize),
    Write(usize),
}

impl Socket {
    pub fn new(shard: usize, key: Key, now_ms: u64) -> Self {
        Self {
            shard,
            key,
            moving: false,
            inbox: VecDeque::new(),
            eof: false,
            reset: false,
            outbox: VecDeque::new(),
            room: usize::MAX,
            readable: false,
            hangup: false,
            unfinished: false,
            queued: false,
            blocked: false,
            ending: false,
            closed: false,
            heard_ms: now_ms,
            read: 0,
        }
    }
}

impl Loop {
    pub fn new() -> Self {
        Self {
            sockets: Vec::new(),
            mail: None,
            batch: Vec::new().into_iter(),
            events: VecDeque::new(),
            run: VecDeque::new(),
            held_back: Vec::new(),
            congested: false,
            work_left: true,
            asleep: false,
        }
    }

    pub fn seat(&mut self, key: Key, socket: usize) {
        let index = key.index as usize;
        if self.sockets.len() <= index {
            self.sockets.resize(index + 1, None);
        }
        self.sockets[index] = Some(socket);
    }
}

//! One thread of the null broker.

use std::io;

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use pondhawk::protocol::{
    Connack, Packet, PacketType, Role, Suback, Subscribe, Version, decode, encode, filter_matches,
    split,
};
use slab::Slab;

use crate::args::NullMode;
use crate::engine::{Link, Received, may_be_closed};
use crate::net::Stream;

use super::peers::{End, Moved, Peers, WAKER};
use super::relay::Relay;

const LISTENER: Token = Token(usize::MAX - 1);

/// Bytes of the shared read buffer.
const BUFFER: usize = 256 << 10;

/// Why a connection ends here.
enum Leave {
    /// It is closed.
    Close,
    /// It belongs to this thread.
    MoveTo(usize),
}

struct Conn {
    link: Link,
    version: Version,
    subscribed: bool,
    relay: Option<Relay>,
}

/// The thread's state.
pub struct Node {
    mode: NullMode,
    thread: usize,
    poll: Poll,
    inbox: std::sync::mpsc::Receiver<Moved>,
    peers: Peers,
    listener: Option<TcpListener>,
    conns: Slab<Conn>,
    subscriptions: Vec<(Box<str>, usize)>,
    /// Grows with each change of the subscriptions.
    generation: u64,
    buffer: Box<[u8]>,
    dirty: Vec<usize>,
    again: Vec<usize>,
}

impl Node {
    /// Takes its place; one thread has the listener.
    ///
    /// # Errors
    /// If the listener cannot be polled.
    pub fn new(
        end: End,
        peers: Peers,
        mut listener: Option<TcpListener>,
        mode: NullMode,
    ) -> io::Result<Self> {
        if let Some(listener) = &mut listener {
            end.poll.registry().register(listener, LISTENER, Interest::READABLE)?;
        }
        Ok(Self {
            mode,
            thread: end.thread,
            poll: end.poll,
            inbox: end.inbox,
            peers,
            listener,
            conns: Slab::new(),
            subscriptions: Vec::new(),
            generation: 1,
            buffer: vec![0; BUFFER].into(),
            dirty: Vec::new(),
            again: Vec::new(),
        })
    }

    /// Serves.
    ///
    /// # Errors
    /// If polling fails.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = (!self.again.is_empty()).then_some(std::time::Duration::ZERO);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for key in std::mem::take(&mut self.again) {
                self.read(key, false);
            }
            for event in &events {
                self.on_event(event);
            }
            self.flush();
        }
    }

    fn on_event(&mut self, event: &Event) {
        match event.token() {
            LISTENER => self.accept(),
            WAKER => self.take_in(),
            Token(key) if self.conns.contains(key) => {
                if event.is_writable() && !self.conns[key].link.out.is_empty() {
                    mark_dirty(&mut self.conns[key].link, key, &mut self.dirty);
                }
                if event.is_readable() || may_be_closed(event) {
                    self.read(key, may_be_closed(event));
                }
            }
            Token(_) => {}
        }
    }

    fn accept(&mut self) {
        // Any error ends the burst: the listener's next edge or connection tries again.
        while let Some(Ok((stream, _))) = self.listener.as_ref().map(TcpListener::accept) {
            let _ = stream.set_nodelay(true);
            self.insert(stream.into(), Version::V311);
        }
    }

    /// Takes in connections that other threads sent.
    fn take_in(&mut self) {
        while let Ok(Moved { stream, version, unread }) = self.inbox.try_recv() {
            let Some(key) = self.insert(stream, version) else { continue };
            self.buffer[..unread.len()].copy_from_slice(&unread);
            if self.consume(key, unread.len()).is_ok() {
                self.read(key, true);
            }
        }
    }

    fn insert(&mut self, mut stream: Stream, version: Version) -> Option<usize> {
        let entry = self.conns.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(stream.tcp(), Token(key), interest).ok()?;
        let link = Link::new(stream, 0);
        entry.insert(Conn { link, version, subscribed: false, relay: None });
        Some(key)
    }

    /// Receives once, or until the end shows if the peer may have closed.
    fn read(&mut self, key: usize, to_the_end: bool) {
        loop {
            let Some(conn) = self.conns.get_mut(key) else { return };
            match conn.link.receive(&mut self.buffer) {
                Ok(Received::Bytes { len, drained }) => {
                    if self.consume(key, len).is_err() || drained && !to_the_end {
                        return;
                    }
                    if !to_the_end {
                        return self.again.push(key);
                    }
                }
                Ok(Received::Nothing) => return,
                Ok(Received::Closed) | Err(_) => return drop(self.remove(key)),
            }
        }
    }

    /// Handles the first `len` bytes of the buffer and keeps the rest of a packet. The error says
    /// that the connection is not here any more.
    fn consume(&mut self, key: usize, len: usize) -> Result<(), ()> {
        let mut used = 0;
        while used < len {
            let mut relayed = self.relay(key, used, len);
            if relayed == 0 {
                relayed = self.answer(key, used, len);
            }
            if relayed > 0 {
                used += relayed;
                continue;
            }
            match self.control(key, used, len) {
                Ok(Some(size)) => used += size,
                Ok(None) => break,
                Err(leave) => {
                    self.leave(key, leave, used, len);
                    return Err(());
                }
            }
        }
        self.conns[key].link.keep(&self.buffer[used..len]);
        Ok(())
    }

    /// Copies whole frames of a known publisher to its subscribers; returns their bytes.
    #[inline]
    fn relay(&mut self, key: usize, used: usize, len: usize) -> usize {
        let sink = self.mode == NullMode::Sink;
        let Self { conns, buffer, dirty, subscriptions, generation, .. } = self;
        let bytes = &buffer[used..len];
        let conn = &mut conns[key];
        let Some(mut relay) = conn.relay.take() else { return 0 };
        let whole = relay.whole_frames(bytes);
        if whole > 0 {
            let bytes = &bytes[..whole];
            relay.acknowledge(bytes, &mut conn.link.out);
            if relay.packet_id_at.is_some() {
                mark_dirty(&mut conn.link, key, dirty);
            }
            if relay.generation != *generation {
                relay.targets = match sink {
                    true => Box::default(),
                    false => targets(subscriptions, &relay.topic),
                };
                relay.generation = *generation;
            }
            for &target in &relay.targets {
                let link = &mut conns[target].link;
                link.out.extend_from_slice(bytes);
                mark_dirty(link, target, dirty);
            }
        }
        conns[key].relay = Some(relay);
        whole
    }

    /// Takes the acknowledgements at the front, and answers those that want it; returns their
    /// bytes.
    #[inline]
    fn answer(&mut self, key: usize, used: usize, len: usize) -> usize {
        let Self { conns, buffer, dirty, .. } = self;
        let conn = &mut conns[key];
        let taken = answer_acks(&buffer[used..len], &mut conn.link.out);
        if !conn.link.out.is_empty() {
            mark_dirty(&mut conn.link, key, dirty);
        }
        taken
    }

    /// Handles one packet by reading it; `None` if it is not whole.
    #[cold]
    fn control(&mut self, key: usize, used: usize, len: usize) -> Result<Option<usize>, Leave> {
        let bytes = &self.buffer[used..len];
        let Some(frame) = split(bytes, BUFFER as u32).map_err(|_| Leave::Close)? else {
            return Ok(None);
        };
        let conn = &mut self.conns[key];
        let packet = decode(frame, conn.version, Role::Server).map_err(|_| Leave::Close)?;
        match packet {
            Packet::Connect(connect) => {
                conn.version = connect.version;
                encode(&Packet::Connack(Connack::default()), conn.version, &mut conn.link.out);
            }
            Packet::Pingreq => encode(&Packet::Pingresp, conn.version, &mut conn.link.out),
            Packet::Subscribe(subscribe) => {
                let first = subscribe.filters.iter().next();
                let home = first.map_or(0, |(filter, _)| self.peers.home_of(filter));
                if home != self.thread {
                    return Err(Leave::MoveTo(home));
                }
                let filters = subscribe.filters.iter().map(|(filter, _)| (filter.into(), key));
                self.subscriptions.extend(filters);
                self.generation += 1;
                conn.subscribed = true;
                grant(&subscribe, conn);
            }
            Packet::Publish(publish) => {
                let home = self.peers.home_of(publish.topic);
                if home != self.thread {
                    return Err(Leave::MoveTo(home));
                }
                conn.relay = Some(Relay::learn(frame, bytes[1], &publish));
                // Relayed now that it is known.
                return Ok(Some(0));
            }
            _ => return Err(Leave::Close),
        }
        if !conn.link.out.is_empty() {
            mark_dirty(&mut conn.link, key, &mut self.dirty);
        }
        Ok(Some(frame.size))
    }

    fn leave(&mut self, key: usize, leave: Leave, used: usize, len: usize) {
        let Some(mut conn) = self.remove(key) else { return };
        // What it was told before still has to reach it.
        let flushed = conn.link.flush();
        if let (Leave::MoveTo(thread), Ok(())) = (leave, flushed) {
            let unread = self.buffer[used..len].to_vec();
            if self.poll.registry().deregister(conn.link.stream.tcp()).is_ok() {
                let moved = Moved { stream: conn.link.stream, version: conn.version, unread };
                self.peers.send(thread, moved);
            }
        }
    }

    fn remove(&mut self, key: usize) -> Option<Conn> {
        let conn = self.conns.try_remove(key)?;
        if conn.subscribed {
            self.subscriptions.retain(|(_, subscriber)| *subscriber != key);
            self.generation += 1;
        }
        Some(conn)
    }

    /// One send for each connection with something to send.
    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for &key in &dirty {
            let Some(conn) = self.conns.get_mut(key) else { continue };
            conn.link.dirty = false;
            if conn.link.flush().is_err() {
                self.remove(key);
            }
        }
        dirty.clear();
        self.dirty = dirty;
    }
}

/// Takes whole acknowledgements off the front, and says how many bytes they were. A PUBREC is
/// answered with a PUBREL, that with a PUBCOMP; packet identifiers are not remembered.
#[inline]
fn answer_acks(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    const PUBACK: u8 = (PacketType::Puback as u8) << 4;
    const PUBREC: u8 = (PacketType::Pubrec as u8) << 4;
    const PUBREL: u8 = (PacketType::Pubrel as u8) << 4 | 2;
    const PUBCOMP: u8 = (PacketType::Pubcomp as u8) << 4;
    let mut taken = 0;
    for ack in bytes.chunks_exact(4) {
        match *ack {
            [PUBACK | PUBCOMP, 2, _, _] => {}
            [PUBREC, 2, high, low] => out.extend_from_slice(&[PUBREL, 2, high, low]),
            [PUBREL, 2, high, low] => out.extend_from_slice(&[PUBCOMP, 2, high, low]),
            _ => break,
        }
        taken += 4;
    }
    taken
}

fn targets(subscriptions: &[(Box<str>, usize)], topic: &str) -> Box<[usize]> {
    let matching = subscriptions.iter().filter(|(filter, _)| filter_matches(filter, topic));
    matching.map(|&(_, key)| key).collect()
}

fn grant(subscribe: &Subscribe<'_>, conn: &mut Conn) {
    let codes = subscribe.filters.iter().map(|(_, options)| options.qos as u8);
    let codes: Vec<u8> = codes.collect();
    let suback = Suback { packet_id: subscribe.packet_id, codes: &codes, ..Suback::default() };
    encode(&Packet::Suback(suback), conn.version, &mut conn.link.out);
}

fn mark_dirty(link: &mut Link, key: usize, dirty: &mut Vec<usize>) {
    if !link.dirty {
        link.dirty = true;
        dirty.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_taken_whole_and_answered() {
        let mut out = Vec::new();
        let acks = [0x40, 2, 0, 1, 0x50, 2, 0, 2, 0x62, 2, 0, 3, 0x70, 2, 0, 4, 0x40, 2];
        assert_eq!(answer_acks(&acks, &mut out), 16);
        assert_eq!(out, [0x62, 2, 0, 2, 0x70, 2, 0, 3]);
        assert_eq!(answer_acks(&acks[..3], &mut out), 0);
        assert_eq!(answer_acks(&[0xE0, 0, 0, 0], &mut out), 0);
    }

    #[test]
    fn subscribers_are_found_by_filter() {
        let subscriptions = [("a/b".into(), 4), ("a/#".into(), 7), ("c".into(), 9)];
        assert_eq!(*targets(&subscriptions, "a/b"), [4, 7]);
    }
}

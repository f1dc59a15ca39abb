//! One thread of the null broker.

use std::io;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use pondhawk::protocol::{
    Connack, Packet, PacketType, QoS, Role, Suback, Subscribe, Version, decode, encode,
    filter_matches, split,
};
use slab::Slab;

use crate::engine::{Link, Received, may_be_closed};

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
    pub fn new(end: End, peers: Peers, mut listener: Option<TcpListener>) -> io::Result<Self> {
        if let Some(listener) = &mut listener {
            end.poll.registry().register(listener, LISTENER, Interest::READABLE)?;
        }
        Ok(Self {
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
            self.insert(stream, Version::V311);
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

    fn insert(&mut self, mut stream: TcpStream, version: Version) -> Option<usize> {
        let entry = self.conns.vacant_entry();
        let key = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(key), interest).ok()?;
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
            let relayed = self.relay(key, used, len);
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
        let Self { conns, buffer, dirty, subscriptions, generation, .. } = self;
        let bytes = &buffer[used..len];
        let conn = &mut conns[key];
        let Some(mut relay) = conn.relay.take() else { return skip_acks(conn.subscribed, bytes) };
        let whole = relay.whole_frames(bytes);
        if whole > 0 {
            let bytes = &bytes[..whole];
            relay.acknowledge(bytes, &mut conn.link.out);
            if relay.packet_id_at.is_some() {
                mark_dirty(&mut conn.link, key, dirty);
            }
            if relay.generation != *generation {
                relay.targets = targets(subscriptions, &relay.topic);
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
            Packet::Publish(publish) if publish.qos != QoS::ExactlyOnce => {
                let home = self.peers.home_of(publish.topic);
                if home != self.thread {
                    return Err(Leave::MoveTo(home));
                }
                conn.relay = Some(Relay::learn(frame, bytes[1], &publish));
                // Relayed now that it is known.
                return Ok(Some(0));
            }
            Packet::Puback(_) => {}
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
            if self.poll.registry().deregister(&mut conn.link.stream).is_ok() {
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

/// Bytes of PUBACKs at the front, if a subscriber sends them: they are not even looked at.
#[inline]
fn skip_acks(subscribed: bool, bytes: &[u8]) -> usize {
    const ACK: usize = 4;
    let whole = bytes.len() - bytes.len() % ACK;
    let is_ack = |at: usize| bytes[at..at + 2] == [(PacketType::Puback as u8) << 4, 2];
    if subscribed && whole > 0 && is_ack(0) && is_ack(whole - ACK) { whole } else { 0 }
}

fn targets(subscriptions: &[(Box<str>, usize)], topic: &str) -> Box<[usize]> {
    let matching = subscriptions.iter().filter(|(filter, _)| filter_matches(filter, topic));
    matching.map(|&(_, key)| key).collect()
}

fn grant(subscribe: &Subscribe<'_>, conn: &mut Conn) {
    let codes =
        subscribe.filters.iter().map(|(_, options)| options.qos.min(QoS::AtLeastOnce) as u8);
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
    fn acknowledgements_are_skipped_whole() {
        let acks = [0x40, 2, 0, 1, 0x40, 2, 0, 2, 0x40, 2];
        assert_eq!(skip_acks(true, &acks), 8);
        assert_eq!(skip_acks(true, &acks[..3]), 0);
        assert_eq!(skip_acks(false, &acks), 0);
        assert_eq!(skip_acks(true, &[0xE0, 0, 0, 0]), 0);
    }

    #[test]
    fn subscribers_are_found_by_filter() {
        let subscriptions = [("a/b".into(), 4), ("a/#".into(), 7), ("c".into(), 9)];
        assert_eq!(*targets(&subscriptions, "a/b"), [4, 7]);
    }
}

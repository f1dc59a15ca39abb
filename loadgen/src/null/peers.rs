//! Connections moving between threads.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use mio::{Poll, Token, Waker};
use pondhawk::protocol::Version;

use crate::net::Stream;

/// Token of a thread's waker.
pub const WAKER: Token = Token(usize::MAX);

/// A connection on its way to the thread of its topic.
pub struct Moved {
    /// The socket, deregistered.
    pub stream: Stream,
    /// What its CONNECT said.
    pub version: Version,
    /// Bytes read and not yet handled, beginning with the packet that named the topic.
    pub unread: Vec<u8>,
}

/// The way to every thread.
#[derive(Clone)]
pub struct Peers(Arc<[Peer]>);

struct Peer {
    inbox: Sender<Moved>,
    waker: Waker,
}

/// A thread's own end.
pub struct End {
    /// Number of the thread.
    pub thread: usize,
    /// Its poll, with the waker registered.
    pub poll: Poll,
    /// Connections that move here.
    pub inbox: Receiver<Moved>,
}

impl Peers {
    /// The ways to `threads` threads, and their ends.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn new(threads: usize) -> io::Result<(Self, Vec<End>)> {
        let mut peers = Vec::with_capacity(threads);
        let mut ends = Vec::with_capacity(threads);
        for thread in 0..threads {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKER)?;
            let (sender, inbox) = channel();
            peers.push(Peer { inbox: sender, waker });
            ends.push(End { thread, poll, inbox });
        }
        Ok((Self(peers.into()), ends))
    }

    /// The thread on which the clients of a topic meet. The first three levels decide, so that a
    /// filter that ends in `/#` behind them meets its topics.
    pub fn home_of(&self, topic: &str) -> usize {
        if self.0.len() == 1 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        topic.split('/').take(3).for_each(|level| level.hash(&mut hasher));
        (hasher.finish() % self.0.len() as u64) as usize
    }

    /// Sends a connection to a thread. It is closed if that thread is gone.
    pub fn send(&self, thread: usize, moved: Moved) {
        let peer = &self.0[thread];
        if peer.inbox.send(moved).is_ok() {
            // A thread that cannot be woken finds its mail at its next event.
            let _ = peer.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_meets_its_topics() {
        let (peers, _ends) = Peers::new(7).unwrap();
        assert_eq!(peers.home_of("lg/in/003/#"), peers.home_of("lg/in/003/17"));
        let homes: std::collections::HashSet<_> =
            (0..64).map(|flow| peers.home_of(&format!("lg/p2p/{flow:04}"))).collect();
        assert!(homes.len() > 3, "64 topics use most of seven threads");
    }
}

//! One socket with what waits to be written and the packet not yet whole.

use std::io;

use mio::event::Event;

use crate::net::Stream;

/// A connection's bytes. Buffers are allocated only while they hold something for the first time.
#[derive(Debug)]
pub struct Link {
    /// The stream.
    pub stream: Stream,
    /// When the connection was begun; once it stands, when the present handshake was.
    pub opened_ns: u64,
    /// Bytes to write.
    pub out: Vec<u8>,
    /// The beginning of a packet whose rest has not arrived.
    tail: Vec<u8>,
    /// How far it is.
    pub state: LinkState,
    /// In the list of links to flush.
    pub dirty: bool,
    /// Holds no buffer while there is nothing in it.
    pub lean: bool,
}

/// How far a connection is below MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// TCP is not connected yet.
    Connecting,
    /// TLS or WebSocket are shaking hands.
    Securing,
    /// Ready for MQTT.
    Up,
}

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// `len` bytes are at the front of the buffer; `drained` if the socket has no more.
    Bytes {
        /// Kept bytes and new bytes together.
        len: usize,
        /// The read did not fill the buffer.
        drained: bool,
    },
    /// Nothing now.
    Nothing,
    /// The peer is gone.
    Closed,
}

impl Link {
    /// A link over a connection that was begun at `opened_ns`.
    pub fn new(stream: Stream, opened_ns: u64) -> Self {
        Self {
            stream,
            opened_ns,
            out: Vec::new(),
            tail: Vec::new(),
            state: LinkState::Connecting,
            dirty: false,
            lean: false,
        }
    }

    /// Reads once, behind what was kept, into `buffer`.
    ///
    /// # Errors
    /// As the socket's.
    #[inline]
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let kept = self.tail.len();
        buffer[..kept].copy_from_slice(&self.tail);
        match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => Ok(Received::Closed),
            Ok(len) => {
                self.tail.clear();
                let len = kept + len;
                // What lies between may hold more than it gave.
                Ok(Received::Bytes { len, drained: len < buffer.len() && self.stream.is_tcp() })
            }
            Err(error) if is_transient(&error) => Ok(Received::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Bytes kept of a packet that is not whole.
    pub fn kept(&self) -> usize {
        self.tail.len()
    }

    /// Keeps the beginning of a packet for the next read.
    #[inline]
    pub fn keep(&mut self, tail: &[u8]) {
        self.tail.extend_from_slice(tail);
        if self.lean && self.tail.is_empty() {
            self.tail = Vec::new();
        }
    }

    /// Whether something waits to be written.
    #[inline]
    pub fn wants_write(&self) -> bool {
        !self.out.is_empty() || self.stream.is_blocked()
    }

    /// Writes once; what the socket does not take stays.
    ///
    /// # Errors
    /// As the socket's.
    #[inline]
    pub fn flush(&mut self) -> io::Result<()> {
        if self.stream.is_blocked() {
            self.stream.unblock()?;
        }
        if self.out.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.out) {
            Ok(len) if len == self.out.len() => self.out.clear(),
            Ok(len) => drop(self.out.drain(..len)),
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error),
        }
        if self.lean && self.out.is_empty() {
            self.out = Vec::new();
        }
        Ok(())
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::NotConnected
    )
}

/// Whether an event may mean the end of the stream, so that reading must go on until it shows.
pub fn may_be_closed(event: &Event) -> bool {
    event.is_read_closed() || event.is_error()
}

//! What a client reads from and writes to.

use std::io;

use mio::net::TcpStream;

use super::base::Base;
use super::ws::Ws;

/// A connection's bytes, whatever lies below. Plain TCP is held in place: an idle client must not
/// cost an allocation.
#[derive(Debug)]
pub enum Stream {
    /// TCP or TLS.
    Plain(Base),
    /// WebSocket over either.
    Ws(Box<Ws>),
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::Plain(Base::Tcp(tcp))
    }
}

impl Stream {
    /// The socket.
    pub fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(base) => base.tcp(),
            Self::Ws(ws) => ws.base().tcp(),
        }
    }

    /// Whether there is nothing between MQTT and TCP.
    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::Plain(Base::Tcp(_)))
    }

    /// Goes on with the handshakes above TCP; `true` when they are complete.
    ///
    /// # Errors
    /// If one fails.
    pub fn handshake(&mut self) -> io::Result<bool> {
        match self {
            Self::Plain(base) => base.handshake(),
            Self::Ws(ws) => ws.handshake(),
        }
    }

    /// Reads what there is.
    ///
    /// # Errors
    /// As the socket's and those of the layers above.
    #[inline]
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(base) => base.read(buffer),
            Self::Ws(ws) => ws.read(buffer),
        }
    }

    /// Writes; returns how many bytes were taken.
    ///
    /// # Errors
    /// As the socket's and those of the layers above.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(base) => base.write(bytes),
            Self::Ws(ws) => ws.write(bytes),
        }
    }

    /// Whether bytes that were taken still wait for the socket.
    #[inline]
    pub fn is_blocked(&self) -> bool {
        match self {
            Self::Plain(base) => base.is_blocked(),
            Self::Ws(ws) => ws.is_blocked(),
        }
    }

    /// Sends what still waits.
    ///
    /// # Errors
    /// As the socket's.
    pub fn unblock(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(base) => base.unblock(),
            Self::Ws(ws) => ws.unblock(),
        }
    }
}

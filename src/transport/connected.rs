//! A connected, non-blocking socket: TCP or Unix domain.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token, event::Source};

/// See the module's documentation. Dropping it closes it.
#[derive(Debug)]
pub enum Socket {
    /// TCP, without delay for small writes: the shard gathers a turn's bytes into one write.
    Tcp(TcpStream),
    /// A Unix domain socket.
    Unix(UnixStream),
}

impl Socket {
    /// Takes a connected TCP socket. Fails if the peer is already gone.
    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Reads what is there. `Ok(0)` is the end of the stream (or `buffer` has no room), an error
    /// of kind `WouldBlock` means drained.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => uninterrupted(|| stream.read(buffer)),
            Self::Unix(stream) => uninterrupted(|| stream.read(buffer)),
        }
    }

    /// Writes as much as there is room for, which may be less than given.
    pub(super) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => write(stream, slices),
            Self::Unix(stream) => write(stream, slices),
        }
    }

    /// Ends the writing half after what was written: the peer reads all of it, then the end.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// The peer's address, if it has one and is still connected.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Registers once and for all, for reading and writing, edge-triggered. What is ready already
    /// is reported as a first edge.
    pub(super) fn register(&mut self, registry: &Registry, token: u64) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(self.source(), Token(token as usize), interest)
    }

    /// Undoes [`Socket::register`].
    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(self.source())
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }
}

fn write(stream: &mut impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    uninterrupted(|| match slices {
        // The plain call is the cheaper one, and the usual case.
        [one] => stream.write(one),
        many => stream.write_vectored(many),
    })
}

/// Tries again when a signal came first.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

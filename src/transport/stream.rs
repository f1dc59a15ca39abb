//! One connection's byte stream.

use std::io::{self, IoSlice};
use std::net::SocketAddr;

use mio::Registry;
use mio::net::{TcpStream, UnixStream};

use super::connected::Socket;
use super::layered::{Layered, Scratch};
use super::layers::Layers;
use super::{Introduction, Need};
use crate::sync::Arc;

/// A non-blocking byte stream to a peer, whatever carries it.
///
/// Plain data: it can go to another thread and to another poll, if deregistered from the first,
/// and takes what it has half decoded or not yet written along. Dropping it closes the connection;
/// the poll then forgets it by itself.
#[derive(Debug)]
pub enum Stream {
    /// The socket's bytes are the stream's.
    Plain(Socket),
    /// There are layers in between: PROXY protocol, TLS, WebSocket.
    Layered(Box<Layered>),
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes in front of the buffer.
    pub len: usize,
    /// What follows.
    pub next: Next,
}

/// What follows a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The socket is empty; readiness will tell of more.
    Wait,
    /// There may be more: read again, in a later turn.
    Again,
    /// The stream has ended.
    End,
}

impl Stream {
    /// Takes a connected TCP socket. Fails if the peer is already gone.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        Socket::tcp(stream).map(Self::Plain)
    }

    /// Takes a connected Unix domain socket.
    pub fn unix(stream: UnixStream) -> Self {
        Self::Plain(Socket::Unix(stream))
    }

    /// Puts a listener's layers on a stream that has none yet and on which nothing was read.
    pub fn with(self, layers: &Arc<Layers>) -> Self {
        match self {
            Self::Plain(socket) if !layers.is_plain() => {
                Self::Layered(Box::new(Layered::new(socket, Arc::clone(layers))))
            }
            other => other,
        }
    }

    /// Reads what is there into `buffer`, or into `scratch.plain` if there are layers; no more from
    /// the socket than `buffer` has room for.
    ///
    /// # Errors
    /// When the connection is broken, or the peer does not speak what the listener expects: then
    /// the error's text says what was wrong, and [`Stream::shutdown`] tells the peer.
    #[inline]
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        scratch: &mut Scratch,
        hangup: bool,
    ) -> io::Result<Received> {
        match self {
            Self::Plain(socket) => {
                let len = socket.read(buffer)?;
                Ok(Received { len, next: Next::after(len, buffer.len(), hangup) })
            }
            Self::Layered(layered) => layered.read(buffer.len(), scratch, hangup),
        }
    }

    /// Writes as much as there is room for, which may be less than given. The error `WouldBlock`
    /// says that nothing was taken.
    #[inline]
    pub fn write_vectored(
        &mut self,
        slices: &[IoSlice<'_>],
        scratch: &mut Scratch,
    ) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write_vectored(slices),
            Self::Layered(layered) => layered.write(slices, scratch),
        }
    }

    /// Writes what layers hold back. Without effect on a plain stream.
    ///
    /// # Errors
    /// `WouldBlock` when not all of it could be written, others when the connection is broken.
    #[inline]
    pub fn flush(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Layered(layered) => layered.flush_all(scratch),
        }
    }

    /// Whether layers hold back bytes that the socket did not take: write when it is writable.
    #[inline]
    pub fn is_backed_up(&self) -> bool {
        matches!(self, Self::Layered(layered) if layered.is_backed_up())
    }

    /// Ends the writing half after what was written: the peer reads all of it, then the end. Each
    /// layer says goodbye in its own way first.
    /// Dropping a stream with unread bytes instead may destroy what is still on its way.
    pub fn shutdown(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown(),
            Self::Layered(layered) => layered.shutdown(scratch),
        }
    }

    /// Reads raw bytes and throws them away, for a stream that is being closed.
    pub fn discard(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket_mut().read(buffer)
    }

    /// What the next read will cost or wait for, beyond plain bytes.
    #[inline]
    pub fn need(&self) -> Need {
        match self {
            Self::Plain(_) => Need::Nothing,
            Self::Layered(layered) => layered.need(),
        }
    }

    /// What the layers have learnt of the peer, once.
    #[inline]
    pub fn introduction(&mut self) -> Option<Box<Introduction>> {
        match self {
            Self::Plain(_) => None,
            Self::Layered(layered) => layered.introduction(),
        }
    }

    /// The layers, if there are any.
    pub fn layered(&mut self) -> Option<&mut Layered> {
        match self {
            Self::Plain(_) => None,
            Self::Layered(layered) => Some(layered),
        }
    }

    /// The socket's peer address, if it has one and is still connected.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Plain(socket) => socket.peer(),
            Self::Layered(layered) => layered.socket().peer(),
        }
    }

    /// Registers once and for all, for reading and writing, edge-triggered. What is ready already
    /// is reported as a first edge.
    pub fn register(&mut self, registry: &Registry, token: u64) -> io::Result<()> {
        self.socket_mut().register(registry, token)
    }

    /// Undoes [`Stream::register`], to move to another poll.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket_mut().deregister(registry)
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Layered(layered) => layered.socket_mut(),
        }
    }
}

impl Next {
    /// A short read means that the socket is empty: no second one to hear so, unless the peer has
    /// closed and the end is to be read.
    #[inline]
    pub(super) fn after(len: usize, room: usize, hangup: bool) -> Self {
        match len {
            0 => Self::End,
            _ if len == room || hangup => Self::Again,
            _ => Self::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, IoSlice, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::{Next, Scratch, Stream};

    fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Stream::tcp(mio::net::TcpStream::from_std(ours)).unwrap(), peer)
    }

    fn read(stream: &mut Stream, buffer: &mut [u8]) -> std::io::Result<usize> {
        stream.read(buffer, &mut Scratch::default(), false).map(|got| got.len)
    }

    fn write(stream: &mut Stream, slices: &[IoSlice<'_>]) -> std::io::Result<usize> {
        stream.write_vectored(slices, &mut Scratch::default())
    }

    fn wait(poll: &mut Poll) -> Events {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
        events
    }

    #[test]
    fn it_is_small_and_can_change_threads() {
        fn movable<T: Send>() {}
        movable::<Stream>();
        // A word beside the socket, which without debug assertions is half a one.
        let socket = size_of::<mio::net::TcpStream>().next_multiple_of(8);
        assert!(size_of::<Stream>() <= socket + 8);
    }

    #[test]
    fn nothing_blocks_and_the_peers_end_reads_as_zero() {
        let (mut stream, mut peer) = pair();
        let mut poll = Poll::new().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(read(&mut stream, &mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(stream.peer(), Some(peer.local_addr().unwrap()));
        peer.write_all(b"hello").unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        stream.register(poll.registry(), 7).unwrap();
        while !wait(&mut poll).iter().any(|event| event.is_read_closed()) {}
        assert_eq!(read(&mut stream, &mut buffer).unwrap(), 5);
        assert_eq!(read(&mut stream, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_read_tells_what_follows() {
        assert_eq!(Next::after(5, 8, false), Next::Wait);
        assert_eq!(Next::after(8, 8, false), Next::Again);
        assert_eq!(Next::after(5, 8, true), Next::Again, "the end is to be read yet");
        assert_eq!(Next::after(0, 8, true), Next::End);
    }

    #[test]
    fn a_gathered_write_arrives_in_order_and_shutdown_follows_it() {
        let (mut stream, mut peer) = pair();
        let slices = [IoSlice::new(b"head"), IoSlice::new(b"+payload")];
        assert_eq!(write(&mut stream, &slices).unwrap(), 12);
        assert_eq!(write(&mut stream, &slices[..1]).unwrap(), 4);
        stream.shutdown(&mut Scratch::default()).unwrap();
        let mut bytes = String::new();
        peer.read_to_string(&mut bytes).unwrap();
        assert_eq!(bytes, "head+payloadhead");
    }

    #[test]
    fn a_full_socket_would_block_and_tells_when_there_is_room() {
        let (mut stream, mut peer) = pair();
        let mut poll = Poll::new().unwrap();
        stream.register(poll.registry(), 7).unwrap();
        let block = [0; 65_536];
        let mut sent = 0;
        let error = loop {
            match write(&mut stream, &[IoSlice::new(&block)]) {
                Ok(n) => sent += n,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let reader = thread::spawn(move || {
            let mut bytes = vec![0; sent];
            peer.read_exact(&mut bytes).unwrap();
            peer
        });
        while !wait(&mut poll).iter().any(|event| event.is_writable()) {}
        write(&mut stream, &[IoSlice::new(b"more")]).unwrap();
        reader.join().unwrap();
    }

    #[test]
    fn a_registered_stream_moves_to_another_thread_and_poll() {
        let (mut stream, mut peer) = pair();
        let first = Poll::new().unwrap();
        stream.register(first.registry(), 1).unwrap();
        stream.deregister(first.registry()).unwrap();
        peer.write_all(b"x").unwrap();
        let moved = thread::spawn(move || {
            let mut second = Poll::new().unwrap();
            stream.register(second.registry(), 2).unwrap();
            while !wait(&mut second).iter().any(|event| event.is_readable()) {}
            read(&mut stream, &mut [0; 8]).unwrap()
        });
        assert_eq!(moved.join().unwrap(), 1);
    }
}

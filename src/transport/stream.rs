//! One connection's byte stream.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// A non-blocking byte stream to a peer.
///
/// Plain data: it can go to another thread and to another poll, if deregistered from the first.
/// Dropping it closes the connection; the poll then forgets it by itself.
#[derive(Debug)]
pub enum Stream {
    /// TCP, without delay for small writes: the shard gathers a turn's bytes into one write.
    Tcp(TcpStream),
}

impl Stream {
    /// Takes a connected socket. Fails if the peer is already gone.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Reads what is there. `Ok(0)` is the end of the stream (or `buffer` has no room), an error
    /// of kind `WouldBlock` means drained.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => uninterrupted(|| stream.read(buffer)),
        }
    }

    /// Writes as much as there is room for, which may be less than given.
    pub fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => uninterrupted(|| match slices {
                // The plain call is the cheaper one, and the usual case.
                [one] => stream.write(one),
                many => stream.write_vectored(many),
            }),
        }
    }

    /// Ends the writing half after what was written: the peer reads all of it, then the end.
    /// Dropping a stream with unread bytes instead may destroy what is still on its way.
    pub fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// The peer's address, if the stream has one and is still connected.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
        }
    }

    /// Registers once and for all, for reading and writing, edge-triggered. What is ready already
    /// is reported as a first edge.
    pub fn register(&mut self, registry: &Registry, token: u64) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => registry.register(stream, Token(token as usize), interest),
        }
    }

    /// Undoes [`Stream::register`], to move to another poll.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.deregister(stream),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, IoSlice, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::Stream;

    fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Stream::tcp(mio::net::TcpStream::from_std(ours)).unwrap(), peer)
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
        assert!(size_of::<Stream>() <= 16);
    }

    #[test]
    fn nothing_blocks_and_the_peers_end_reads_as_zero() {
        let (mut stream, mut peer) = pair();
        let mut poll = Poll::new().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(stream.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(stream.peer(), Some(peer.local_addr().unwrap()));
        peer.write_all(b"hello").unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        stream.register(poll.registry(), 7).unwrap();
        while !wait(&mut poll).iter().any(|event| event.is_read_closed()) {}
        assert_eq!(stream.read(&mut buffer).unwrap(), 5);
        assert_eq!(stream.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_gathered_write_arrives_in_order_and_shutdown_follows_it() {
        let (mut stream, mut peer) = pair();
        let slices = [IoSlice::new(b"head"), IoSlice::new(b"+payload")];
        assert_eq!(stream.write_vectored(&slices).unwrap(), 12);
        assert_eq!(stream.write_vectored(&slices[..1]).unwrap(), 4);
        stream.shutdown().unwrap();
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
            match stream.write_vectored(&[IoSlice::new(&block)]) {
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
        stream.write_vectored(&[IoSlice::new(b"more")]).unwrap();
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
            stream.read(&mut [0; 8]).unwrap()
        });
        assert_eq!(moved.join().unwrap(), 1);
    }
}

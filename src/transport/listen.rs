//! Listening sockets, and accepting without spinning when descriptors run out.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr};

use mio::{Interest, Registry, Token};
use nix::errno::Errno;

use super::socket::ListenSocket;
use super::stream::Stream;

/// What stands for the address of a peer that has none: that of a Unix domain socket.
pub const NO_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// How long accepting pauses when descriptors have run out, in milliseconds.
const BACK_OFF_MS: u64 = 100;

/// What one call of [`Acceptor::accept`] did.
#[derive(Debug)]
pub struct Accepted {
    /// Connections closed at once because no descriptor was free.
    pub refused: usize,
    /// Connections that failed before they could be handed over.
    pub errors: usize,
    /// What to do next.
    pub state: AcceptState,
}

/// What follows an [`Acceptor::accept`].
#[derive(Debug)]
pub enum AcceptState {
    /// None wait; readiness will tell of the next.
    Drained,
    /// The budget ended. Call again next turn: readiness will not tell of those that wait.
    More,
    /// No descriptor is free. Call again at this time, readiness or not.
    BackOff {
        /// Milliseconds on the monotonic clock.
        retry_at_ms: u64,
    },
    /// The listening socket itself is broken; it will not recover.
    Failed(io::Error),
}

/// Accepts connections of one listening socket.
///
/// It holds one descriptor in reserve. When the process has none left, accepting fails while the
/// connection stays in the backlog: the peer hangs, and a level-triggered loop spins. So the
/// reserve is closed, the connection accepted with it and closed, and the reserve opened again:
/// the peer learns at once, and then accepting rests.
#[derive(Debug)]
pub struct Acceptor {
    listener: Listener,
    reserve: Option<File>,
    retry_at_ms: u64,
}

impl Acceptor {
    /// Takes a listening socket that does not block.
    pub fn new(socket: ListenSocket) -> Self {
        let listener = match socket {
            ListenSocket::Tcp(socket) => Listener::Tcp(mio::net::TcpListener::from_std(socket)),
            ListenSocket::Unix(socket) => Listener::Unix(mio::net::UnixListener::from_std(socket)),
        };
        Self { listener, reserve: open_reserve(), retry_at_ms: 0 }
    }

    /// Registers for readiness under a listener's token, edge-triggered.
    pub fn register(&mut self, registry: &Registry, token: u64) -> io::Result<()> {
        registry.register(self.listener.source(), Token(token as usize), Interest::READABLE)
    }

    /// Undoes [`Acceptor::register`].
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(self.listener.source())
    }

    /// Accepts up to `budget` connections and hands each to `take`.
    pub fn accept(
        &mut self,
        now_ms: u64,
        budget: usize,
        mut take: impl FnMut(Stream, SocketAddr),
    ) -> Accepted {
        let mut done = Accepted { refused: 0, errors: 0, state: AcceptState::More };
        if now_ms < self.retry_at_ms {
            done.state = AcceptState::BackOff { retry_at_ms: self.retry_at_ms };
            return done;
        }
        if self.reserve.is_none() {
            self.reserve = open_reserve();
        }
        for _ in 0..budget {
            let error = match self.listener.accept() {
                Ok(Some((stream, peer))) => {
                    take(stream, peer);
                    continue;
                }
                Ok(None) => {
                    done.errors += 1;
                    continue;
                }
                Err(error) => error,
            };
            match Fault::of(&error) {
                Fault::Connection => done.errors += 1,
                Fault::Drained => return self.finish(done, AcceptState::Drained, now_ms),
                Fault::Listener => return self.finish(done, AcceptState::Failed(error), now_ms),
                Fault::Exhausted => match self.refuse_one() {
                    Ok(()) => done.refused += 1,
                    Err(_) => return self.back_off(done, now_ms),
                },
            }
        }
        self.finish(done, AcceptState::More, now_ms)
    }

    /// Uses the reserve to accept one connection and close it. Fails if none waits after all
    /// (the system looks for a descriptor before it looks for a connection), if there is no
    /// reserve, or if another thread was faster to take what it freed.
    fn refuse_one(&mut self) -> io::Result<()> {
        if self.reserve.take().is_none() {
            return Err(Errno::EMFILE.into());
        }
        let result = self.listener.accept().map(drop);
        self.reserve = open_reserve();
        result
    }

    /// Rests if any had to be refused: those that follow would have to be, too.
    fn finish(&mut self, mut done: Accepted, state: AcceptState, now_ms: u64) -> Accepted {
        if done.refused > 0 && !matches!(state, AcceptState::Failed(_)) {
            return self.back_off(done, now_ms);
        }
        done.state = state;
        done
    }

    fn back_off(&mut self, mut done: Accepted, now_ms: u64) -> Accepted {
        self.retry_at_ms = now_ms.saturating_add(BACK_OFF_MS);
        done.state = AcceptState::BackOff { retry_at_ms: self.retry_at_ms };
        done
    }
}

/// Either kind of listening socket, in the poll.
#[derive(Debug)]
enum Listener {
    Tcp(mio::net::TcpListener),
    Unix(mio::net::UnixListener),
}

impl Listener {
    fn source(&mut self) -> &mut dyn mio::event::Source {
        match self {
            Self::Tcp(listener) => listener,
            Self::Unix(listener) => listener,
        }
    }

    /// The next connection; `None` if its peer has gone again. A socket that was passed to the
    /// broker may be one for both families: there IPv4's addresses come as IPv6.
    fn accept(&self) -> io::Result<Option<(Stream, SocketAddr)>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                Ok(Stream::tcp(stream).ok().map(|stream| (stream, peer)))
            }
            Self::Unix(listener) => {
                listener.accept().map(|(stream, _)| Some((Stream::unix(stream), NO_ADDRESS)))
            }
        }
    }
}

/// A descriptor held only to be given up. Without one, exhaustion still backs off.
fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Whom a failure to accept concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nobody waits.
    Drained,
    /// Only the connection at the head of the backlog, which is gone now.
    Connection,
    /// The process or the system has no descriptors or memory left.
    Exhausted,
    /// The listening socket.
    Listener,
}

impl Fault {
    fn of(error: &io::Error) -> Self {
        if error.kind() == ErrorKind::WouldBlock {
            return Self::Drained;
        }
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => Self::Exhausted,
            Some(Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK) => Self::Listener,
            // accept(2) passes pending network errors of the new connection on, and says to treat
            // them as "try again". So does a signal.
            _ => Self::Connection,
        }
    }
}

#[cfg(test)]
mod tests;

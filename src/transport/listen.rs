//! Listening sockets, and accepting without spinning when descriptors run out.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::Stream;

/// How long accepting pauses when descriptors have run out, in milliseconds.
const BACK_OFF_MS: u64 = 100;

/// How to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections the kernel keeps until they are accepted; it lowers this to its own limit.
    pub backlog: i32,
    /// Whether a socket on an IPv6 address takes IPv4 connections too. Off, so that `0.0.0.0` and
    /// `[::]` can be listened on side by side.
    pub dual_stack: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { backlog: 4096, dual_stack: false }
    }
}

/// Why listening failed, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", mend(source))]
pub struct BindError {
    /// Where it was tried.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

fn mend(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "address already in use: another broker may be running; stop it, \
                                 or choose another port with -p"
            .into(),
        ErrorKind::PermissionDenied => "permission denied: ports below 1024 need privileges; \
                                        grant CAP_NET_BIND_SERVICE, or choose another port with -p"
            .into(),
        ErrorKind::AddrNotAvailable => "no network interface of this machine has the address; \
                                        listen on one it has, or on 0.0.0.0 or [::] for all"
            .into(),
        _ => error.to_string(),
    }
}

/// Opens a non-blocking listening socket on `address`. Port 0 lets the system choose.
pub fn bind(address: SocketAddr, options: ListenOptions) -> Result<TcpListener, BindError> {
    open(address, options).map_err(|source| BindError { address, source })
}

fn open(address: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!options.dual_stack)?;
    }
    // A restarted broker must not wait for the old one's connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(socket.into())
}

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
    listener: mio::net::TcpListener,
    reserve: Option<File>,
    retry_at_ms: u64,
}

impl Acceptor {
    /// Takes a socket from [`bind`].
    pub fn new(listener: TcpListener) -> Self {
        let listener = mio::net::TcpListener::from_std(listener);
        Self { listener, reserve: open_reserve(), retry_at_ms: 0 }
    }

    /// The address listened on, with the port that the system chose if it was 0.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Registers for readiness under a listener's token, edge-triggered.
    pub fn register(&mut self, registry: &Registry, token: u64) -> io::Result<()> {
        registry.register(&mut self.listener, Token(token as usize), Interest::READABLE)
    }

    /// Undoes [`Acceptor::register`].
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut self.listener)
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
                Ok((stream, peer)) => {
                    match Stream::tcp(stream) {
                        Ok(stream) => take(stream, peer),
                        Err(_) => done.errors += 1,
                    }
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

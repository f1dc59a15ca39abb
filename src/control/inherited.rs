//! Listening sockets that the service manager has opened and passed on: socket activation, in the
//! protocol of systemd (`LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`).

use std::cell::Cell;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::{env, fmt, fs};

use listenfd::ListenFd;
use socket2::SockRef;

use super::listeners::{Held, Opened, addresses};
use crate::config::{Bind, ListenerRuntime};
use crate::transport::{ListenAddress, ListenSocket};

/// The number of the first descriptor that is passed.
const FIRST: usize = 3;

/// The sockets that were passed. They stay open as long as this is there, so that a listener which
/// one reload removes and a later one brings back finds its socket again.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<Passed>,
}

#[derive(Debug)]
struct Passed {
    /// For people: its name in `LISTEN_FDNAMES`, if any, and its descriptor.
    name: String,
    socket: ListenSocket,
    address: ListenAddress,
    /// The interface it is tied to.
    device: Option<Vec<u8>>,
    /// Whether it takes IPv4's connections, too, though its address is `[::]`.
    both_families: bool,
    /// Whether a listener has it.
    taken: Rc<Cell<bool>>,
}

/// A socket that was passed is a listener's until this is dropped.
#[derive(Debug)]
pub struct Claim(Rc<Cell<bool>>);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Inherited {
    /// Takes over what the environment names, and clears it there, for which no other thread may
    /// run yet. To be called once.
    ///
    /// # Errors
    /// A sentence that names the descriptor which is no socket that connections are accepted on.
    pub fn take() -> Result<Self, String> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').collect();
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for at in 0..passed.len() {
            let number = at + FIRST;
            let name = match names.get(at) {
                Some(name) if !name.is_empty() => format!("'{name}' (descriptor {number})"),
                _ => format!("with descriptor {number}"),
            };
            match Passed::take(&mut passed, at, name.clone()) {
                Ok(socket) => sockets.push(socket),
                Err(error) => {
                    return Err(format!(
                        "The socket {name} that the service manager passed cannot be used: \
                         {error}. Its unit needs ListenStream= and Accept=no."
                    ));
                }
            }
        }
        Ok(Self { sockets })
    }

    /// The sockets that are `listener`'s, none if none was passed for it.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn claim(&self, listener: &ListenerRuntime) -> io::Result<Vec<Opened>> {
        if self.sockets.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = addresses(listener)?;
        let fits = |one: &&Passed| !one.taken.get() && one.fits(listener, &wanted);
        self.sockets.iter().filter(fits).map(Passed::claim).collect()
    }

    /// Checks that each has a listener.
    ///
    /// # Errors
    /// A sentence for each that has none.
    pub fn check_taken(&self) -> Result<(), String> {
        let free = self.sockets.iter().filter(|one| !one.taken.get());
        let told: Vec<String> = free.map(|one| format!("{one}")).collect();
        if told.is_empty() { Ok(()) } else { Err(told.join("\n")) }
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        write!(out, "The socket {name} that the service manager passed listens on ")?;
        match &self.address {
            ListenAddress::Ip(address) => write!(out, "{address}")?,
            ListenAddress::Path(path) => write!(out, "path {}", path.display())?,
        }
        if let Some(device) = &self.device {
            write!(out, " of interface {}", String::from_utf8_lossy(device))?;
        }
        out.write_str(
            ", which is no listener's. Configure a listener with that address and port (or \
             unix_socket), or take it out of the socket unit.",
        )
    }
}

impl Passed {
    fn take(passed: &mut ListenFd, at: usize, name: String) -> io::Result<Self> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let socket: ListenSocket = match passed.take_tcp_listener(at) {
            Ok(socket) => socket.ok_or_else(gone)?.into(),
            Err(_) => passed.take_unix_listener(at)?.ok_or_else(gone)?.into(),
        };
        let address = socket.address()?;
        let seen = match &socket {
            ListenSocket::Tcp(socket) => SockRef::from(socket),
            ListenSocket::Unix(socket) => SockRef::from(socket),
        };
        if !seen.is_listener()? {
            return Err(io::Error::other("it does not listen"));
        }
        seen.set_nonblocking(true)?;
        let (mut device, mut both_families) = (None, false);
        if let ListenAddress::Ip(address) = &address {
            device = seen.device()?;
            both_families = address.ip() == Ipv6Addr::UNSPECIFIED && !seen.only_v6()?;
        }
        Ok(Self { name, socket, address, device, both_families, taken: Rc::default() })
    }

    fn fits(&self, listener: &ListenerRuntime, wanted: &[SocketAddr]) -> bool {
        match (&self.address, &listener.bind) {
            (ListenAddress::Path(own), Bind::Unix(path)) => same_file(own, path),
            (ListenAddress::Ip(own), _) => {
                let same = |one: &SocketAddr| (one.ip(), one.port()) == (own.ip(), own.port());
                // Who wants one family alone is not served by a socket that takes both.
                let families = !self.both_families || wanted.iter().any(SocketAddr::is_ipv4);
                let device = listener.bind_interface.as_deref().map(str::as_bytes);
                wanted.iter().any(same) && families && self.device.as_deref() == device
            }
            _ => false,
        }
    }

    fn claim(&self) -> io::Result<Opened> {
        let socket = match &self.socket {
            ListenSocket::Tcp(socket) => socket.try_clone()?.into(),
            ListenSocket::Unix(socket) => socket.try_clone()?.into(),
        };
        self.taken.set(true);
        Ok(Opened { socket, held: Some(Held::Inherited(Claim(Rc::clone(&self.taken)))) })
    }
}

/// Whether both are names of one socket, say below /run and below /var/run.
fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::config::table::Listener;
    use crate::config::{Config, SocketDomain};

    fn passed(socket: impl Into<ListenSocket>, both_families: bool) -> Inherited {
        let socket = socket.into();
        let address = socket.address().expect("it is bound");
        let (name, taken) = ("'mqtt' (descriptor 3)".into(), Rc::default());
        let one = Passed { name, socket, address, device: None, both_families, taken };
        Inherited { sockets: vec![one] }
    }

    fn tcp(address: &str) -> (TcpListener, u16) {
        let socket = TcpListener::bind(address).expect("it can be bound");
        let port = socket.local_addr().expect("it is bound").port();
        (socket, port)
    }

    fn listener(change: impl FnOnce(&mut Listener)) -> ListenerRuntime {
        let mut option = Listener::default();
        change(&mut option);
        let config = Config { listeners: vec![option], ..Config::default() };
        (*config.compile(1).listeners[0]).clone()
    }

    fn on(bind_address: Option<&str>, port: u16) -> ListenerRuntime {
        listener(|option| {
            option.port = port.into();
            option.bind_address = bind_address.map(String::from);
        })
    }

    fn count(inherited: &Inherited, listener: &ListenerRuntime) -> usize {
        inherited.claim(listener).expect("it can be cloned").len()
    }

    #[test]
    fn a_socket_is_that_listeners_which_has_its_address_and_port() {
        let (socket, port) = tcp("127.0.0.1:0");
        let inherited = passed(socket, false);
        for other in [on(None, port), on(Some("127.0.0.1"), 1), on(Some("127.0.0.2"), port)] {
            assert_eq!(count(&inherited, &other), 0, "{other:?}");
        }
        let said = inherited.check_taken().expect_err("nobody has it");
        let start = format!(
            "The socket 'mqtt' (descriptor 3) that the service manager passed \
                             listens on 127.0.0.1:{port}, which is no listener's."
        );
        assert!(said.starts_with(&start), "{said}");
        let elsewhere =
            ListenerRuntime { bind_interface: Some("lo".into()), ..on(Some("127.0.0.1"), port) };
        assert_eq!(count(&inherited, &elsewhere), 0);
        assert_eq!(count(&inherited, &on(Some("127.0.0.1"), port)), 1);
    }

    #[test]
    fn a_socket_has_one_listener_until_that_is_removed() {
        let (socket, port) = tcp("127.0.0.1:0");
        let inherited = passed(socket, false);
        let wanted = on(Some("127.0.0.1"), port);
        let first = inherited.claim(&wanted).expect("it can be cloned");
        assert_eq!(first.len(), 1);
        assert_eq!(inherited.check_taken(), Ok(()));
        assert_eq!(count(&inherited, &wanted), 0, "it is the first one's");
        drop(first);
        assert_eq!(count(&inherited, &wanted), 1);
    }

    #[test]
    fn a_socket_for_both_families_is_not_for_a_listener_of_one() {
        // A machine without IPv6 has no such socket.
        let Ok(socket) = TcpListener::bind("[::]:0") else { return };
        let port = socket.local_addr().expect("it is bound").port();
        let inherited = passed(socket, true);
        for domain in [SocketDomain::Ipv4, SocketDomain::Ipv6] {
            let one = ListenerRuntime { socket_domain: domain, ..on(None, port) };
            assert_eq!(count(&inherited, &one), 0, "{domain:?}");
        }
        assert_eq!(count(&inherited, &on(None, port)), 1);
    }

    #[test]
    fn a_path_may_be_written_in_another_way() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("s");
        let inherited = passed(UnixListener::bind(&path).expect("it can be bound"), false);
        let at = |path: &Path| {
            let path = path.display().to_string();
            listener(|option| option.unix_socket = Some(path))
        };
        assert_eq!(count(&inherited, &at(&directory.path().join("t"))), 0);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path(), &link).expect("make a link");
        assert_eq!(count(&inherited, &at(&link.join("s"))), 1);
        drop(inherited);
        assert!(path.exists(), "the name is the service manager's");
    }
}

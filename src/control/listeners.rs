//! Opening the sockets that clients connect to.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::inherited::Claim;
use super::socket_file::SocketFile;
use crate::config::{Bind, ListenerRuntime, Mistake, SocketDomain};
use crate::transport::ListenSocket;

/// Connections that may wait to be accepted; the system lowers it to its own bound.
const BACKLOG: i32 = 4096;

/// What to do about an address that is taken while the broker runs.
const TAKEN: &str = "Another program listens there, or the broker does for a listener that this \
    would replace: then remove that one first and reload, or restart";

/// A listener that could not be opened.
#[derive(Debug)]
pub struct ListenError {
    /// What was to be bound, as configured.
    pub wanted: String,
    /// The system's answer.
    pub error: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, error } = self;
        let mend = match error.kind() {
            ErrorKind::AddrInUse => {
                "Another program listens there: stop it, or choose another port (-p, or port in \
                 the configuration)"
            }
            ErrorKind::PermissionDenied => {
                "Ports below 1024, interfaces and directories of others need privileges: choose \
                 what is free to everyone, or grant them"
            }
            ErrorKind::AddrNotAvailable => "bind_address must be an address of this machine",
            _ => "Check bind_address, bind_interface and port",
        };
        write!(out, "Cannot listen on {wanted}: {error}. {mend}.")
    }
}

impl std::error::Error for ListenError {}

impl ListenError {
    /// The same as a mistake of a configuration that is read while the broker runs.
    pub fn mistake(&self) -> Mistake {
        let Self { wanted, error } = self;
        let mend = match error.kind() {
            ErrorKind::AddrInUse => TAKEN,
            _ => "Check bind_address, bind_interface and port, and what the broker may open",
        };
        Mistake {
            file: String::new(),
            line: 0,
            option: "listener".into(),
            what: format!("cannot listen on {wanted}: {error}"),
            mend: mend.into(),
        }
    }
}

/// A socket that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The socket, which does not block.
    pub socket: ListenSocket,
    /// What ends with its listener, beside the socket.
    pub held: Option<Held>,
}

/// What a socket's listener holds.
#[derive(Debug)]
pub enum Held {
    /// Its name in the file system.
    File(SocketFile),
    /// A socket of the service manager.
    Inherited(Claim),
}

/// Opens every socket of a listener.
///
/// # Errors
/// When one cannot be bound. That a machine has no IPv6 is no error unless IPv6 was asked for.
pub fn open(listener: &ListenerRuntime) -> Result<Vec<Opened>, ListenError> {
    let fail = |error| ListenError { wanted: describe(listener), error };
    if let Bind::Unix(path) = &listener.bind {
        let (socket, file) =
            SocketFile::bind(path, listener.unix_socket_mode, BACKLOG).map_err(fail)?;
        return Ok(vec![Opened { socket: socket.into(), held: Some(Held::File(file)) }]);
    }
    let mut opened = Vec::new();
    for address in addresses(listener).map_err(fail)? {
        match bind(address, listener.bind_interface.as_deref()) {
            Ok(socket) => opened.push(Opened { socket: socket.into(), held: None }),
            Err(error) if may_lack(listener) && lacks_family(&error) => {}
            Err(error) => return Err(fail(error)),
        }
    }
    match opened.is_empty() {
        true => Err(fail(ErrorKind::AddrNotAvailable.into())),
        false => Ok(opened),
    }
}

/// A listener's place, for people.
pub(super) fn describe(listener: &ListenerRuntime) -> String {
    let interface = listener.bind_interface.as_deref();
    let on = interface.map(|name| format!(" of interface {name}")).unwrap_or_default();
    match &listener.bind {
        Bind::Host(host) => format!("{host} port {}{on}", listener.port),
        Bind::Any | Bind::Loopback => format!("port {}{on}", listener.port),
        Bind::Unix(path) => path.display().to_string(),
    }
}

/// The addresses that a listener is to be bound to; none for a path.
pub(super) fn addresses(listener: &ListenerRuntime) -> io::Result<Vec<SocketAddr>> {
    let port = listener.port;
    let mut found: Vec<SocketAddr> = match &listener.bind {
        Bind::Any => {
            vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()]
        }
        Bind::Loopback => {
            vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
        }
        Bind::Host(host) => (&**host, port).to_socket_addrs()?.collect(),
        Bind::Unix(_) => Vec::new(),
    };
    found.retain(|address| match listener.socket_domain {
        SocketDomain::Both => true,
        SocketDomain::Ipv4 => address.is_ipv4(),
        SocketDomain::Ipv6 => address.is_ipv6(),
    });
    found.dedup();
    Ok(found)
}

/// Whether one family of addresses is enough.
fn may_lack(listener: &ListenerRuntime) -> bool {
    !matches!(listener.bind, Bind::Host(_)) && listener.socket_domain == SocketDomain::Both
}

/// Whether the machine just has no such addresses.
fn lacks_family(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(number, Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

fn bind(address: SocketAddr, interface: Option<&str>) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted broker may bind while connections of the last one linger.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // IPv4 has its own socket.
        socket.set_only_v6(true)?;
    }
    if let Some(interface) = interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::config::Config;
    use crate::config::table::Listener;
    use crate::transport::ListenAddress;

    fn listener(bind_address: Option<&str>, port: u16) -> ListenerRuntime {
        let option = Listener {
            port: i64::from(port),
            bind_address: bind_address.map(String::from),
            ..Listener::default()
        };
        let config = Config { listeners: vec![option], ..Config::default() };
        let runtime = config.compile(1);
        (*runtime.listeners[0]).clone()
    }

    fn addresses_of(opened: &[Opened]) -> Vec<SocketAddr> {
        let address = |one: &Opened| match one.socket.address() {
            Ok(ListenAddress::Ip(address)) => address,
            other => panic!("an address, not {other:?}"),
        };
        opened.iter().map(address).collect()
    }

    #[test]
    fn port_zero_becomes_a_port_that_takes_connections() {
        let opened = open(&listener(Some("127.0.0.1"), 0)).expect("loopback is there");
        let [address] = addresses_of(&opened)[..] else { panic!("one socket") };
        assert_ne!(address.port(), 0);
        TcpStream::connect(address).expect("it listens");
    }

    #[test]
    fn no_address_means_every_family_there_is() {
        let opened = open(&listener(None, 0)).expect("IPv4 is there");
        let addresses = addresses_of(&opened);
        assert!(addresses[0].is_ipv4() && addresses[0].ip().is_unspecified());
        assert!(addresses.iter().skip(1).all(|address| address.is_ipv6()));
    }

    #[test]
    fn socket_domain_leaves_one_family() {
        for (domain, ipv4) in [(SocketDomain::Ipv4, true), (SocketDomain::Ipv6, false)] {
            let listener = ListenerRuntime { socket_domain: domain, ..listener(None, 0) };
            // A machine without IPv6 cannot have what was asked for.
            let Ok(opened) = open(&listener) else { continue };
            let addresses = addresses_of(&opened);
            assert!(addresses.iter().all(|address| address.is_ipv4() == ipv4), "{addresses:?}");
        }
    }

    #[test]
    fn bind_interface_ties_a_listener_to_a_device() {
        let on = |name: &str| ListenerRuntime {
            bind_interface: Some(name.into()),
            socket_domain: SocketDomain::Ipv4,
            ..listener(None, 0)
        };
        let said = open(&on("none-such")).expect_err("no such interface").to_string();
        assert!(said.contains("interface none-such"), "{said}");
        let opened = open(&on("lo")).expect("every machine has it");
        let address = addresses_of(&opened)[0];
        TcpStream::connect(("127.0.0.1", address.port())).expect("it listens there");
    }

    #[test]
    fn a_taken_port_is_named_with_the_mend() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let port = taken.local_addr().expect("it is bound").port();
        let said = open(&listener(Some("127.0.0.1"), port)).expect_err("taken").to_string();
        assert!(said.starts_with(&format!("Cannot listen on 127.0.0.1 port {port}: ")), "{said}");
        assert!(said.contains("choose another port (-p"), "{said}");
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let said = open(&listener(Some("192.0.2.1"), 0)).expect_err("not ours").to_string();
        assert!(said.contains("must be an address of this machine"), "{said}");
    }
}

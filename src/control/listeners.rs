//! Opening the sockets that clients connect to.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Bind, ListenerRuntime};

/// Connections that may wait to be accepted; the system lowers it to its own bound.
const BACKLOG: i32 = 4096;

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
            ErrorKind::PermissionDenied => "Ports below 1024 need privileges: choose a higher one",
            ErrorKind::AddrNotAvailable => "bind_address must be an address of this machine",
            _ => "Check bind_address and port",
        };
        write!(out, "Cannot listen on {wanted}: {error}. {mend}.")
    }
}

impl std::error::Error for ListenError {}

/// Opens every socket of a listener; with the addresses they got. They do not block.
///
/// # Errors
/// When one cannot be bound. That a machine has no IPv6 is no error unless IPv6 was asked for.
pub fn open(listener: &ListenerRuntime) -> Result<Vec<(TcpListener, SocketAddr)>, ListenError> {
    let fail = |error| ListenError { wanted: describe(listener), error };
    let mut opened = Vec::new();
    for address in addresses(listener).map_err(fail)? {
        match bind(address) {
            Ok(socket) => opened.push(socket),
            Err(error) if !matches!(listener.bind, Bind::Host(_)) && lacks_family(&error) => {}
            Err(error) => return Err(fail(error)),
        }
    }
    match opened.is_empty() {
        true => Err(fail(ErrorKind::AddrNotAvailable.into())),
        false => Ok(opened),
    }
}

fn describe(listener: &ListenerRuntime) -> String {
    match &listener.bind {
        Bind::Host(host) => format!("{host} port {}", listener.port),
        Bind::Unix(path) => path.display().to_string(),
        Bind::Any | Bind::Loopback => format!("port {}", listener.port),
    }
}

fn addresses(listener: &ListenerRuntime) -> io::Result<Vec<SocketAddr>> {
    let port = listener.port;
    Ok(match &listener.bind {
        Bind::Any => {
            vec![(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()]
        }
        Bind::Loopback => {
            vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
        }
        Bind::Host(host) => {
            let mut found: Vec<_> = (&**host, port).to_socket_addrs()?.collect();
            found.dedup();
            found
        }
        Bind::Unix(_) => return Err(ErrorKind::Unsupported.into()),
    })
}

/// Whether the machine just has no such addresses.
fn lacks_family(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(number, Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted broker may bind while connections of the last one linger.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // IPv4 has its own socket.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::table::Listener;

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

    #[test]
    fn port_zero_becomes_a_port_that_takes_connections() {
        let opened = open(&listener(Some("127.0.0.1"), 0)).expect("loopback is there");
        let [(_, address)] = opened.as_slice() else { panic!("one socket") };
        assert_ne!(address.port(), 0);
        std::net::TcpStream::connect(address).expect("it listens");
    }

    #[test]
    fn no_address_means_every_family_there_is() {
        let opened = open(&listener(None, 0)).expect("IPv4 is there");
        assert!(opened[0].1.is_ipv4() && opened[0].1.ip().is_unspecified());
        assert!(opened.iter().skip(1).all(|(_, address)| address.is_ipv6()));
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

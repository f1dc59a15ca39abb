//! Opening many connections from one machine.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Share of an address's ephemeral ports that is used, in percent: the rest are left to others and
/// to connections in TIME_WAIT.
const PORT_SHARE: u32 = 70;

/// The addresses that connections come from, used in turn.
#[derive(Clone, Debug)]
pub struct Sources {
    target: SocketAddr,
    addresses: Vec<IpAddr>,
}

impl Sources {
    /// Addresses for `connections` connections to `target`.
    ///
    /// A loopback target gets as many loopback addresses as the range of ephemeral ports asks for.
    ///
    /// # Errors
    /// If the addresses given cannot hold that many connections.
    pub fn plan(target: SocketAddr, given: &[IpAddr], connections: usize) -> Result<Self, String> {
        let per_address = ports_per_address();
        let needed = connections.div_ceil(per_address).max(1);
        if !given.is_empty() {
            if given.len() < needed {
                let (count, total) = (given.len(), given.len() * per_address);
                return Err(format!(
                    "{count} source addresses hold {total} connections, not {connections}"
                ));
            }
            return Ok(Self { target, addresses: given.to_vec() });
        }
        if needed == 1 {
            return Ok(Self { target, addresses: Vec::new() });
        }
        match target.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => {
                Ok(Self { target, addresses: (0..needed).map(loopback).collect() })
            }
            _ => Err(format!(
                "one source address holds {per_address} connections, not {connections}; \
                 give {needed} with --source"
            )),
        }
    }

    /// Begins a connection from the address whose turn `index` is.
    ///
    /// # Errors
    /// If there is no descriptor or port left.
    pub fn open(&self, index: usize) -> io::Result<TcpStream> {
        if self.addresses.is_empty() {
            let stream = TcpStream::connect(self.target)?;
            stream.set_nodelay(true)?;
            return Ok(stream);
        }
        let address = self.addresses[index % self.addresses.len()];
        let domain = Domain::for_address(self.target);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // The port is then chosen at connect, and has to be free for this target only.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(&SockAddr::from(SocketAddr::new(address, 0)))?;
        match socket.connect(&SockAddr::from(self.target)) {
            Err(error) if error.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => {
                Err(error)
            }
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }
}

/// 127.0.0.1, 127.0.0.2, and so on.
fn loopback(index: usize) -> IpAddr {
    let first = u32::from(Ipv4Addr::LOCALHOST);
    Ipv4Addr::from(first + index as u32).into()
}

fn ports_per_address() -> usize {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = text.split_whitespace().filter_map(|bound| bound.parse::<u32>().ok());
    let (low, high) = (bounds.next().unwrap_or(32768), bounds.next().unwrap_or(60999));
    ((high.saturating_sub(low) + 1) * PORT_SHARE / 100).max(1) as usize
}

/// Raises the soft limit of open descriptors to the hard limit, and checks that `needed` fit.
///
/// # Errors
/// If they do not.
pub fn raise_descriptor_limit(needed: usize) -> Result<(), String> {
    // Descriptors besides the connections: standard streams, polls, timers, /proc.
    const OTHERS: u64 = 64;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| error.to_string())?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|error| error.to_string())?;
    }
    if needed as u64 + OTHERS > hard {
        return Err(format!("{needed} connections do not fit the limit of {hard} descriptors"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_targets_get_the_addresses_they_need() {
        let target = "127.0.0.1:1883".parse().unwrap();
        let per_address = ports_per_address();
        assert!(Sources::plan(target, &[], per_address).unwrap().addresses.is_empty());
        let many = Sources::plan(target, &[], per_address * 3).unwrap();
        assert_eq!(many.addresses, [loopback(0), loopback(1), loopback(2)]);
    }

    #[test]
    fn too_few_addresses_are_refused() {
        let target = "192.0.2.1:1883".parse().unwrap();
        let too_many = ports_per_address() + 1;
        assert!(Sources::plan(target, &[], too_many).is_err());
        assert!(Sources::plan(target, &["192.0.2.7".parse().unwrap()], too_many).is_err());
    }
}

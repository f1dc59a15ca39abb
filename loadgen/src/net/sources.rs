//! Where connections come from.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use mio::net::TcpStream;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Share of an address's ephemeral ports that is used, in percent: the rest are left to others and
/// to connections in TIME_WAIT.
const PORT_SHARE: u64 = 70;

/// Share of that up to which a port is found at once. Linux looks for one of either parity first;
/// when all of these are taken, each connection looks through all of them before it tries the
/// others: of 19,000 connections from one address the first 14,000 took 3 s, the rest 35 s.
const FAST_SHARE: u64 = 60;

/// Ports that are tried when an explicit one is taken.
const PORT_TRIES: usize = 64;

/// An address, or all of a network: `10.0.0.7`, `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Network {
    first: IpAddr,
    count: u64,
}

/// Most addresses that are used of one network.
const MAX_ADDRESSES: u64 = 1 << 16;

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no source; write an address or a network, 10.0.0.0/24");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if first.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix > width {
            return Err(wrong());
        }
        let count = 1_u64.checked_shl(width - prefix).unwrap_or(u64::MAX).min(MAX_ADDRESSES);
        Ok(Self { first, count })
    }
}

impl Network {
    /// The addresses; of an IPv4 network of more than two, all but the first and the last.
    pub fn addresses(self) -> impl Iterator<Item = IpAddr> {
        let trim = u64::from(self.first.is_ipv4() && self.count > 2);
        (trim..self.count - trim).map(move |offset| match self.first {
            IpAddr::V4(first) => Ipv4Addr::from(u32::from(first) + offset as u32).into(),
            IpAddr::V6(first) => Ipv6Addr::from(u128::from(first) + u128::from(offset)).into(),
        })
    }
}

/// The addresses and ports that connections come from, used in turn.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sources {
    addresses: Vec<IpAddr>,
    /// Explicit ports; the system's choice without.
    ports: Option<RangeInclusive<u16>>,
}

impl Sources {
    /// Addresses for `connections` connections to `targets` addresses of which `target` is one.
    ///
    /// A loopback target gets as many loopback addresses as the range of ephemeral ports asks for.
    ///
    /// # Errors
    /// If the addresses given cannot hold that many connections; says how many are needed.
    pub fn plan(
        target: SocketAddr,
        targets: usize,
        given: &[Network],
        ports: Option<RangeInclusive<u16>>,
        connections: u64,
    ) -> Result<Self, String> {
        let per_address = ports_per_address(ports.as_ref()) * targets.max(1) as u64;
        let needed = connections.div_ceil(per_address).max(1);
        let addresses: Vec<_> = given.iter().copied().flat_map(Network::addresses).collect();
        if !addresses.is_empty() {
            let total = addresses.len() as u64 * per_address;
            if total < connections {
                let count = addresses.len();
                return Err(format!(
                    "{count} source addresses hold {total} connections, not {connections}; \
                     give {needed} with --source"
                ));
            }
            return Ok(Self { addresses, ports });
        }
        match target.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => {
                let fast = (per_address * FAST_SHARE / 100).max(1);
                let needed = if ports.is_some() { needed } else { connections.div_ceil(fast) };
                let addresses = if needed > 1 || ports.is_some() { needed } else { 0 };
                Ok(Self { addresses: (0..addresses).map(loopback).collect(), ports })
            }
            _ if needed == 1 && ports.is_none() => Ok(Self { addresses: Vec::new(), ports }),
            ip if ip.is_loopback() && needed == 1 => Ok(Self { addresses: vec![ip], ports }),
            _ => Err(format!(
                "one source address holds {per_address} connections, not {connections}; \
                 give {needed} with --source"
            )),
        }
    }

    /// How many addresses are used in turn; 0 if the system chooses.
    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    /// The address whose turn `index` is.
    pub fn address(&self, index: usize) -> Option<IpAddr> {
        self.addresses.get(index % self.addresses.len().max(1)).copied()
    }

    /// Begins a connection to `target` from the address whose turn `index` is.
    ///
    /// # Errors
    /// If there is no descriptor or port left.
    pub fn open(&self, index: usize, target: SocketAddr) -> io::Result<TcpStream> {
        let Some(address) = self.address(index) else {
            let stream = TcpStream::connect(target)?;
            stream.set_nodelay(true)?;
            return Ok(stream);
        };
        let Some(ports) = &self.ports else {
            return connect(address, 0, target);
        };
        let count = usize::from(*ports.end() - *ports.start()) + 1;
        let turn = index / self.addresses.len();
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for offset in 0..PORT_TRIES.min(count) {
            // Tries lie far apart, so that neighbours do not chase each other.
            let place = (turn + offset * (count / PORT_TRIES.min(count))) % count;
            match connect(address, ports.start() + place as u16, target) {
                Err(error) if is_taken(&error) => last = error,
                other => return other,
            }
        }
        Err(last)
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}

fn connect(address: IpAddr, port: u16, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match port {
        // The port is then chosen at connect, and has to be free for this target only.
        0 => setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?,
        // The same: an explicit port may serve several targets.
        _ => socket.set_reuse_address(true)?,
    }
    socket.bind(&SockAddr::from(SocketAddr::new(address, port)))?;
    match socket.connect(&SockAddr::from(target)) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// 127.0.0.1, 127.0.0.2, and so on.
fn loopback(index: u64) -> IpAddr {
    let first = u32::from(Ipv4Addr::LOCALHOST);
    Ipv4Addr::from(first + index as u32).into()
}

/// Connections that one address can hold to one target.
pub fn ports_per_address(explicit: Option<&RangeInclusive<u16>>) -> u64 {
    if let Some(ports) = explicit {
        return u64::from(ports.end() - ports.start()) + 1;
    }
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = text.split_whitespace().filter_map(|bound| bound.parse::<u64>().ok());
    let (low, high) = (bounds.next().unwrap_or(32768), bounds.next().unwrap_or(60999));
    ((high.saturating_sub(low) + 1) * PORT_SHARE / 100).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(target: &str, given: &[&str], connections: u64) -> Result<Sources, String> {
        let given: Vec<Network> = given.iter().map(|text| text.parse().unwrap()).collect();
        Sources::plan(target.parse().unwrap(), 1, &given, None, connections)
    }

    #[test]
    fn loopback_targets_get_the_addresses_they_need() {
        let per_address = ports_per_address(None);
        assert_eq!(plan("127.0.0.1:1883", &[], per_address / 2).unwrap().count(), 0);
        let many = plan("127.0.0.1:1883", &[], per_address * 3 / 2).unwrap();
        assert_eq!(many.addresses, [loopback(0), loopback(1), loopback(2)]);
    }

    #[test]
    fn too_few_addresses_are_refused_with_the_number_needed() {
        let too_many = ports_per_address(None) + 1;
        assert!(plan("192.0.2.1:1883", &[], too_many).unwrap_err().contains("give 2"));
        assert!(plan("192.0.2.1:1883", &["192.0.2.7"], too_many).is_err());
        assert!(plan("192.0.2.1:1883", &["10.0.0.0/29"], too_many).is_ok());
    }

    #[test]
    fn networks_are_counted_out() {
        let addresses = |text: &str| -> Vec<String> {
            text.parse::<Network>().unwrap().addresses().map(|ip| ip.to_string()).collect()
        };
        assert_eq!(addresses("10.0.0.4/30"), ["10.0.0.5", "10.0.0.6"]);
        assert_eq!(addresses("10.0.0.4"), ["10.0.0.4"]);
        assert_eq!(addresses("fd00::1/127"), ["fd00::1", "fd00::2"]);
        assert!("10.0.0.0/33".parse::<Network>().is_err());
    }
}

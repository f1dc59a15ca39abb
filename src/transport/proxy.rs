//! The PROXY protocol's header: who is behind a proxy.
//!
//! The header is bounded before it is parsed: a line of at most 107 bytes, or at most
//! [`BINARY_MAX`] bytes, whatever it says of its length.

use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};

use super::Introduction;
use super::layers::trusts;
use crate::config::{ProxyRuntime, ProxyVersion};

/// The longest header of version 1, its line end included; the specification's figure.
const TEXT_MAX: usize = 107;

/// The longest header of version 2 that is taken. Addresses take at most 216 bytes; 4 KiB leaves
/// room for every value that proxies are known to add.
const BINARY_MAX: usize = 4096;

/// Bytes in front of a binary header's addresses, the last two of which say how many follow.
const BINARY_HEAD: usize = 16;

/// Bits of the TLS value's first byte: the Client's connection to the proxy was encrypted, and it
/// showed a certificate, in this connection or in the session that it resumed.
const CLIENT_TLS: u8 = 1;
const CLIENT_CERTIFICATE: u8 = 2 | 4;

/// What the header said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Bytes it took.
    pub(super) used: usize,
    /// Of the Client.
    pub(super) introduction: Introduction,
}

/// Parses the header at the front of `bytes`. `Ok(None)`: more has to come. `from` is the peer of
/// the socket.
///
/// # Errors
/// When no header comes, or one that isn't taken, or from somebody who isn't trusted.
pub(super) fn parse(
    bytes: &[u8],
    settings: &ProxyRuntime,
    from: Option<IpAddr>,
) -> Result<Option<Told>, &'static str> {
    // A Unix domain socket's peer has no address; its file's permissions say who may connect.
    if from.is_some() && !settings.trusted.is_empty() && !trusts(&settings.trusted, from) {
        return Err("PROXY header from an address that is not trusted");
    }
    match settings.version {
        ProxyVersion::V1 => parse_text(bytes, settings),
        ProxyVersion::V2 => parse_binary(bytes, settings),
        ProxyVersion::Any if bytes.first() == Some(&b'P') => parse_text(bytes, settings),
        ProxyVersion::Any => parse_binary(bytes, settings),
    }
}

fn parse_text(bytes: &[u8], settings: &ProxyRuntime) -> Result<Option<Told>, &'static str> {
    let start = &bytes[..bytes.len().min(6)];
    if !b"PROXY ".starts_with(start) {
        return Err("PROXY header of version 1 expected");
    }
    let window = &bytes[..bytes.len().min(TEXT_MAX)];
    let Some(end) = window.windows(2).position(|two| two == b"\r\n") else {
        return match bytes.len() < TEXT_MAX {
            true => Ok(None),
            false => Err("PROXY header too long"),
        };
    };
    let used = end + 2;
    let header = v1::Header::try_from(&bytes[..used]).map_err(|_| "malformed PROXY header")?;
    if settings.require_tls || settings.require_certificate {
        return Err("PROXY header of version 1, which cannot tell of TLS");
    }
    let peer = match header.addresses {
        v1::Addresses::Tcp4(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Tcp6(ip) => Some((ip.source_address, ip.source_port).into()),
        v1::Addresses::Unknown => None,
    };
    Ok(Some(Told { used, introduction: Introduction { peer, ..Introduction::default() } }))
}

fn parse_binary(bytes: &[u8], settings: &ProxyRuntime) -> Result<Option<Told>, &'static str> {
    let prefix = v2::PROTOCOL_PREFIX;
    if !prefix.starts_with(&bytes[..bytes.len().min(prefix.len())]) {
        return Err("PROXY header of version 2 expected");
    }
    let Some(head) = bytes.first_chunk::<BINARY_HEAD>() else { return Ok(None) };
    let size = BINARY_HEAD + usize::from(u16::from_be_bytes([head[14], head[15]]));
    if size > BINARY_MAX {
        return Err("PROXY header too long");
    }
    let Some(header) = bytes.get(..size) else { return Ok(None) };
    let header = v2::Header::try_from(header).map_err(|_| "malformed PROXY header")?;
    let proxied = header.command == v2::Command::Proxy;
    let peer: Option<SocketAddr> = match header.addresses {
        v2::Addresses::IPv4(ip) => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::IPv6(ip) => Some((ip.source_address, ip.source_port).into()),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    };
    // LOCAL is the proxy itself, which looks after the broker's health.
    let peer = peer.filter(|_| proxied);
    let tls = Behind::of(&header)?;
    if (settings.require_tls || settings.require_certificate) && !tls.encrypted {
        return Err("PROXY header without TLS");
    }
    if settings.require_certificate && !tls.verified {
        return Err("PROXY header without a verified certificate");
    }
    let common_name = tls.common_name.filter(|_| tls.verified);
    let introduction = Introduction { peer, common_name, subject: None };
    Ok(Some(Told { used: size, introduction }))
}

/// The Client's TLS connection to the proxy.
#[derive(Default)]
struct Behind {
    encrypted: bool,
    verified: bool,
    common_name: Option<Box<str>>,
}

impl Behind {
    fn of(header: &v2::Header<'_>) -> Result<Self, &'static str> {
        let malformed = "malformed value in a PROXY header";
        let mut found = Self::default();
        for value in header.tlvs() {
            let value = value.map_err(|_| malformed)?;
            if value.kind != u8::from(v2::Type::SSL) {
                continue;
            }
            // One byte of flags, four of the verification's result (0: verified), then values.
            let [flags, result @ ..] = value.value.first_chunk::<5>().ok_or(malformed)?;
            found.encrypted = flags & CLIENT_TLS != 0;
            found.verified = flags & CLIENT_CERTIFICATE != 0 && *result == [0; 4];
            found.common_name = common_name(&value.value[5..]).ok_or(malformed)?;
        }
        Ok(found)
    }
}

/// The common name among the values inside the TLS value. The outer `None`: they are malformed.
fn common_name(mut values: &[u8]) -> Option<Option<Box<str>>> {
    let mut name = None;
    while let [kind, high, low, rest @ ..] = values {
        let (value, later) =
            rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        if *kind == u8::from(v2::Type::SSLCommonName) {
            name = Some(std::str::from_utf8(value).ok()?.into());
        }
        values = later;
    }
    values.is_empty().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;

    fn settings(version: ProxyVersion) -> ProxyRuntime {
        let trusted = Box::default();
        ProxyRuntime { version, trusted, require_tls: false, require_certificate: false }
    }

    fn text() -> ProxyRuntime {
        settings(ProxyVersion::V1)
    }

    fn binary() -> ProxyRuntime {
        settings(ProxyVersion::V2)
    }

    /// A header of version 2 with these bytes after the fixed part.
    fn header(command: u8, family: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let len = (body.len() as u16).to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &len, &body].concat()
    }

    fn value(kind: u8, bytes: &[u8]) -> Vec<u8> {
        [&[kind], (bytes.len() as u16).to_be_bytes().as_slice(), bytes].concat()
    }

    const IPV4: &[u8] = &[192, 0, 2, 9, 127, 0, 0, 1, 0x1F, 0x90, 0x07, 0x5B];

    fn peer(bytes: &[u8], settings: &ProxyRuntime) -> Option<SocketAddr> {
        parse(bytes, settings, None).unwrap().expect("complete").introduction.peer
    }

    #[test]
    fn both_versions_tell_the_address() {
        let line = b"PROXY TCP4 192.0.2.9 127.0.0.1 8080 1883\r\n\x10";
        let told = parse(line, &text(), None).unwrap().unwrap();
        assert_eq!(told.used, line.len() - 1);
        assert_eq!(told.introduction.peer, Some("192.0.2.9:8080".parse().unwrap()));
        let line = b"PROXY TCP6 2001:db8::9 ::1 8080 1883\r\n";
        assert_eq!(peer(line, &text()), Some("[2001:db8::9]:8080".parse().unwrap()));
        assert_eq!(peer(b"PROXY UNKNOWN\r\n", &text()), None);
        let bytes = header(0x21, 0x11, &[IPV4]);
        assert!(peer(&bytes, &settings(ProxyVersion::Any)).is_some());
        assert!(peer(line, &settings(ProxyVersion::Any)).is_some());
        assert_eq!(peer(&bytes, &binary()), Some("192.0.2.9:8080".parse().unwrap()));
        assert_eq!(peer(&header(0x20, 0x00, &[]), &binary()), None);
        assert_eq!(peer(&header(0x20, 0x11, &[IPV4]), &binary()), None);
        let unix = [0; 216];
        assert_eq!(peer(&header(0x21, 0x31, &[&unix]), &binary()), None);
    }

    #[test]
    fn a_header_may_come_in_pieces() {
        let line = b"PROXY TCP4 192.0.2.9 127.0.0.1 8080 1883\r\n".to_vec();
        let bytes = header(0x21, 0x11, &[IPV4, &value(0x04, &[0; 40])]);
        for (whole, settings) in [(line, text()), (bytes, binary())] {
            for end in 0..whole.len() {
                assert_eq!(parse(&whole[..end], &settings, None), Ok(None), "{end}");
            }
            assert!(parse(&whole, &settings, None).unwrap().is_some());
        }
    }

    #[test]
    fn a11_lies_are_refused_in_bounded_memory() {
        let refused =
            |bytes: &[u8], settings: &ProxyRuntime| parse(bytes, settings, None).unwrap_err();
        assert!(refused(b"GET / HTTP/1.1\r\n", &text()).contains("version 1 expected"));
        assert!(refused(&[0x10, 0x10], &binary()).contains("version 2 expected"));
        assert!(refused(&[b"PROXY ".as_slice(), &[b'x'; 101]].concat(), &text()).contains("long"));
        assert!(refused(b"PROXY TCP4 1.2.3.4 5.6.7.8 80\r\n", &text()).contains("malformed"));
        assert!(refused(b"PROXY TCP4 \xff\xfe 5.6.7.8 80 80\r\n", &text()).contains("malformed"));
        // Says that 64 KiB follow: refused before they come.
        let long = [v2::PROTOCOL_PREFIX, &[0x21, 0x11, 0xFF, 0xFF]].concat();
        assert!(refused(&long, &binary()).contains("too long"));
        // Shorter than its addresses; an unknown family, command and version.
        assert!(refused(&header(0x21, 0x21, &[IPV4]), &binary()).contains("malformed"));
        assert!(refused(&header(0x21, 0x51, &[IPV4]), &binary()).contains("malformed"));
        assert!(refused(&header(0x23, 0x11, &[IPV4]), &binary()).contains("malformed"));
        assert!(refused(&header(0x11, 0x11, &[IPV4]), &binary()).contains("malformed"));
        // A value that reaches beyond the header, and one inside the TLS value that does.
        let lying = [&[0x20, 0xFF, 0xFF][..], &[1, 2, 3]].concat();
        assert!(refused(&header(0x21, 0x11, &[IPV4, &lying]), &binary()).contains("malformed"));
        let inside = value(0x20, &[1, 0, 0, 0, 0, 0x22, 0, 9, b'x']);
        assert!(refused(&header(0x21, 0x11, &[IPV4, &inside]), &binary()).contains("malformed"));
        assert!(
            refused(&header(0x21, 0x11, &[IPV4, &value(0x20, &[1])]), &binary())
                .contains("malformed")
        );
    }

    #[test]
    fn who_is_not_trusted_is_refused() {
        let settings =
            ProxyRuntime { trusted: Box::new([Network::parse("10.0.0.0/8").unwrap()]), ..text() };
        let line = b"PROXY UNKNOWN\r\n";
        assert!(parse(line, &settings, Some("10.1.2.3".parse().unwrap())).unwrap().is_some());
        assert!(parse(line, &settings, Some("11.1.2.3".parse().unwrap())).is_err());
        assert!(parse(line, &settings, None).unwrap().is_some());
    }

    #[test]
    fn the_proxys_word_on_certificates_is_taken() {
        let named = value(0x22, b"lamp");
        let tls = |flags: u8, result: u8| {
            let head = [flags, 0, 0, 0, result];
            header(0x21, 0x11, &[IPV4, &value(0x20, &[&head[..], &named].concat())])
        };
        let plain = header(0x21, 0x11, &[IPV4]);
        let wants = ProxyRuntime { require_tls: true, ..binary() };
        assert!(parse(&plain, &wants, None).unwrap_err().contains("without TLS"));
        assert!(parse(&tls(1, 0), &wants, None).is_ok());
        let wants = ProxyRuntime { require_certificate: true, ..binary() };
        let line = b"PROXY TCP4 1.2.3.4 5.6.7.8 80 80\r\n";
        let either = ProxyRuntime { version: ProxyVersion::Any, ..wants.clone() };
        assert!(parse(line, &either, None).unwrap_err().contains("cannot tell"));
        for refused in [plain, tls(1, 0), tls(3, 1), tls(2, 0)] {
            assert!(parse(&refused, &wants, None).is_err());
        }
        for flags in [3, 5] {
            let told = parse(&tls(flags, 0), &wants, None).unwrap().unwrap();
            assert_eq!(told.introduction.common_name.as_deref(), Some("lamp"));
        }
        let told = parse(&tls(3, 1), &binary(), None).unwrap().unwrap();
        assert_eq!(told.introduction.common_name, None, "not verified");
    }
}

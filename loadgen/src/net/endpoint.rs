//! Whom to load.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A broker's address, and what is spoken below MQTT.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Endpoint {
    /// Host name, for TLS and WebSocket.
    pub host: String,
    /// Its address.
    pub address: SocketAddr,
    /// TLS.
    pub tls: bool,
    /// The resource of a WebSocket.
    pub websocket: Option<String>,
}

/// Schemes with their default port, TLS and WebSocket.
const SCHEMES: [(&str, u16, bool, bool); 4] = [
    ("mqtt://", 1883, false, false),
    ("mqtts://", 8883, true, false),
    ("ws://", 80, false, true),
    ("wss://", 443, true, true),
];

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scheme = SCHEMES.iter().find(|scheme| text.starts_with(scheme.0));
        let (tls, websocket) = scheme.map_or((false, false), |&(_, _, tls, ws)| (tls, ws));
        let rest = scheme.map_or(text, |scheme| &text[scheme.0.len()..]);
        if rest.contains("://") {
            return Err(format!("'{text}': write HOST:PORT or a mqtt, mqtts, ws or wss URL"));
        }
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, format!("/{path}")),
            None => (rest, "/mqtt".to_owned()),
        };
        let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
            !port.is_empty()
                && !host.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit())
                && (!host.contains(':') || host.ends_with(']'))
        });
        let authority = match (has_port, scheme) {
            (true, _) => authority.to_owned(),
            (false, Some(scheme)) => format!("{authority}:{}", scheme.1),
            (false, None) => return Err(format!("'{text}' has no port; write HOST:PORT")),
        };
        let mut found = authority.to_socket_addrs().map_err(|error| format!("{text}: {error}"))?;
        let address = found.next().ok_or_else(|| format!("'{text}' has no address"))?;
        let host = authority.rsplit_once(':').map_or("", |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, address, tls, websocket: websocket.then_some(path) })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (&self.host, self.address.port());
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        match (self.tls, &self.websocket) {
            (false, None) => write!(f, "{host}:{port}"),
            (true, None) => write!(f, "mqtts://{host}:{port}"),
            (false, Some(path)) => write!(f, "ws://{host}:{port}{path}"),
            (true, Some(path)) => write!(f, "wss://{host}:{port}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_plain_addresses_are_read() {
        let read = |text: &str| text.parse::<Endpoint>().unwrap();
        assert_eq!(read("127.0.0.1:1883").to_string(), "127.0.0.1:1883");
        assert_eq!(read("mqtts://127.0.0.1").to_string(), "mqtts://127.0.0.1:8883");
        assert_eq!(read("ws://127.0.0.1:8080").to_string(), "ws://127.0.0.1:8080/mqtt");
        assert_eq!(read("wss://[::1]:8443/m").to_string(), "wss://[::1]:8443/m");
        assert_eq!(read("wss://[::1]/").address.port(), 443);
    }

    #[test]
    fn what_has_no_port_or_another_scheme_is_refused() {
        for text in ["127.0.0.1", "http://127.0.0.1", "::1", ""] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}

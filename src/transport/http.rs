//! The HTTP in front of WebSocket: the upgrade, and short answers to everything else.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::layers::trusts;
use crate::config::{Network, WebRuntime};

/// Headers of a request that are looked at; a request with more is refused.
const HEADERS_MAX: usize = 64;

/// What RFC 6455 has the key concatenated with.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Subprotocols that are MQTT: the standard's name [MQTT-6.0.0-3], and that of version 3.1.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// More has to come.
    Partial,
    /// To go on in WebSocket.
    Upgrade {
        /// Bytes of the request.
        used: usize,
        /// The answer.
        response: Vec<u8>,
        /// The Client's address, from a trusted proxy.
        forwarded: Option<IpAddr>,
    },
    /// A file.
    Page(PageRequest),
    /// Nothing that is offered.
    Refused {
        /// The answer.
        response: Vec<u8>,
        /// For the log.
        what: &'static str,
    },
}

/// A file that a plain HTTP request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Path below the directory: names joined by `/`, none of them special.
    pub path: String,
    /// Only the head of the answer is wanted.
    pub head_only: bool,
}

/// Reads the request at the front of `bytes`. `from` is the peer of the socket.
pub(super) fn read(bytes: &[u8], settings: &WebRuntime, from: Option<IpAddr>) -> Request {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let used = match request.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) if bytes.len() < settings.header_bytes => {
            return Request::Partial;
        }
        Ok(httparse::Status::Partial) => return refuse(431, "HTTP request too large"),
        Err(httparse::Error::TooManyHeaders) => return refuse(431, "HTTP request too large"),
        Err(_) => return refuse(400, "malformed HTTP request"),
    };
    if used > settings.header_bytes {
        return refuse(431, "HTTP request too large");
    }
    let headers = Headers(request.headers);
    let method = request.method.unwrap_or_default();
    if !headers.has_token("upgrade", "websocket") {
        return plain(method, request.path.unwrap_or_default(), settings);
    }
    match upgrade(method, &headers, settings) {
        Ok(response) => Request::Upgrade {
            used,
            response,
            forwarded: trusts(&settings.trusted_proxies, from)
                .then(|| headers.forwarded(&settings.trusted_proxies))
                .flatten(),
        },
        Err((status, what)) => refuse(status, what),
    }
}

fn upgrade(
    method: &str,
    headers: &Headers<'_, '_>,
    settings: &WebRuntime,
) -> Result<Vec<u8>, (u16, &'static str)> {
    if method != "GET" {
        return Err((405, "WebSocket upgrade that is no GET"));
    }
    if !headers.has_token("connection", "upgrade") {
        return Err((400, "WebSocket upgrade without Connection: Upgrade"));
    }
    if headers.only("sec-websocket-version") != Some("13") {
        return Err((426, "WebSocket version that is not 13"));
    }
    let key = headers.only("sec-websocket-key").unwrap_or_default();
    if STANDARD.decode(key).map(|key| key.len()) != Ok(16) {
        return Err((400, "WebSocket upgrade without a proper key"));
    }
    if !settings.origins.is_empty() {
        let origin = headers.only("origin").unwrap_or_default();
        if !settings.origins.iter().any(|allowed| &**allowed == origin) {
            return Err((403, "WebSocket origin that is not allowed"));
        }
    }
    let offered = |name: &&str| headers.has_token("sec-websocket-protocol", name);
    let Some(subprotocol) = SUBPROTOCOLS.iter().find(|name| offered(name)) else {
        return Err((400, "WebSocket without the subprotocol mqtt"));
    };
    let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
    let accept = STANDARD.encode(digest);
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    )
    .into_bytes())
}

fn plain(method: &str, target: &str, settings: &WebRuntime) -> Request {
    if settings.http_dir.is_none() {
        return refuse(426, "plain HTTP request on a WebSocket listener");
    }
    if method != "GET" && method != "HEAD" {
        return refuse(405, "HTTP method that is not GET or HEAD");
    }
    match path(target) {
        Some(path) => Request::Page(PageRequest { path, head_only: method == "HEAD" }),
        None => refuse(400, "malformed HTTP path"),
    }
}

/// The path of a request's target, decoded. `None` for what could leave the directory: names such
/// as `..`, empty ones, and bytes that mean something to the file system.
fn path(target: &str) -> Option<String> {
    let raw = target.split(['?', '#']).next().unwrap_or_default();
    let raw = raw.strip_prefix('/')?;
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    let mut decoded = String::from_utf8(decoded).ok()?;
    if decoded.is_empty() || decoded.ends_with('/') {
        decoded.push_str("index.html");
    }
    let special =
        |name: &str| name.is_empty() || name.starts_with('.') || name.contains(['\\', '\0']);
    (!decoded.split('/').any(special)).then_some(decoded)
}

fn refuse(status: u16, what: &'static str) -> Request {
    Request::Refused { response: answer(status, "text/plain", what.as_bytes(), false), what }
}

/// A whole answer; the connection closes after it.
pub(super) fn answer(status: u16, kind: &str, body: &[u8], head_only: bool) -> Vec<u8> {
    let (reason, extra) = match status {
        200 => ("OK", ""),
        400 => ("Bad Request", ""),
        403 => ("Forbidden", ""),
        404 => ("Not Found", ""),
        405 => ("Method Not Allowed", "Allow: GET, HEAD\r\n"),
        413 => ("Content Too Large", ""),
        426 => (
            "Upgrade Required",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n",
        ),
        431 => ("Request Header Fields Too Large", ""),
        503 => ("Service Unavailable", "Retry-After: 1\r\n"),
        _ => ("Internal Server Error", ""),
    };
    let mut bytes = format!(
        "HTTP/1.1 {status} {reason}\r\n{extra}Content-Type: {kind}\r\nContent-Length: {}\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    if !head_only {
        bytes.extend_from_slice(body);
    }
    bytes
}

/// The type of a file by its name's ending.
pub(super) fn kind(path: &str) -> &'static str {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "wasm" => "application/wasm",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

struct Headers<'h, 'b>(&'h [httparse::Header<'b>]);

impl<'b> Headers<'_, 'b> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'b str> {
        let named = self.0.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.filter_map(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    }

    /// The value of a header that stands there once.
    fn only(&self, name: &str) -> Option<&'b str> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether a header's list has a word.
    fn has_token(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.all(name).flat_map(|value| value.split(','));
        tokens.any(|word| word.trim().eq_ignore_ascii_case(token))
    }

    /// The last address of `X-Forwarded-For` that is not a trusted proxy's: what stands before it
    /// was said by the Client and proves nothing.
    fn forwarded(&self, trusted: &[Network]) -> Option<IpAddr> {
        let listed: Vec<&str> =
            self.all("x-forwarded-for").flat_map(|value| value.split(',')).collect();
        let mut found = None;
        for text in listed.iter().rev() {
            let Some(address) = forwarded_address(text.trim()) else { break };
            found = Some(address);
            if !trusts(trusted, found) {
                break;
            }
        }
        found
    }
}

/// An address as proxies write it: bare, with a port, in brackets.
fn forwarded_address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.split(']').next()?.parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> WebRuntime {
        WebRuntime {
            origins: Box::default(),
            trusted_proxies: Box::default(),
            header_bytes: 4096,
            http_dir: None,
        }
    }

    fn with(extra: &str) -> String {
        format!(
            "GET /mqtt HTTP/1.1\r\nHost: broker\r\nUpgrade: WebSocket\r\n\
             Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
        )
    }

    const MQTT: &str = "Sec-WebSocket-Protocol: mqtt\r\n";

    fn status(request: &Request) -> u16 {
        let response = match request {
            Request::Upgrade { response, .. } | Request::Refused { response, .. } => response,
            other => panic!("no answer: {other:?}"),
        };
        std::str::from_utf8(&response[9..12]).unwrap().parse().unwrap()
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted_however_it_is_cut() {
        let request = with(MQTT);
        for end in 0..request.len() {
            assert_eq!(read(&request.as_bytes()[..end], &settings(), None), Request::Partial);
        }
        let whole = [request.as_bytes(), b"\x82\x80"].concat();
        let Request::Upgrade { used, response, forwarded } = read(&whole, &settings(), None) else {
            panic!("refused")
        };
        assert_eq!((used, forwarded), (request.len(), None));
        let response = String::from_utf8(response).unwrap();
        assert!(response.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(response.contains("Sec-WebSocket-Protocol: mqtt\r\n"));
        assert!(!response.contains("Extensions"));
    }

    #[test]
    fn the_subprotocol_has_to_be_mqtt() {
        let both = with(
            "Sec-WebSocket-Protocol: chat, mqttv3.1\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n",
        );
        let Request::Upgrade { response, .. } = read(both.as_bytes(), &settings(), None) else {
            panic!("refused")
        };
        let response = String::from_utf8(response).unwrap();
        assert!(response.contains("Protocol: mqttv3.1\r\n") && !response.contains("deflate"));
        assert_eq!(status(&read(with("").as_bytes(), &settings(), None)), 400);
        let chat = with("Sec-WebSocket-Protocol: chat\r\n");
        assert_eq!(status(&read(chat.as_bytes(), &settings(), None)), 400);
    }

    #[test]
    fn an_upgrade_that_is_wrong_is_refused_with_a_reason() {
        let good = with(MQTT);
        for (from, to, wanted) in [
            ("GET", "POST", 405),
            ("Version: 13", "Version: 8", 426),
            ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400),
            ("keep-alive, Upgrade", "close", 400),
            ("GET /mqtt HTTP/1.1", "what is this", 400),
        ] {
            let wrong = good.replace(from, to);
            assert_eq!(status(&read(wrong.as_bytes(), &settings(), None)), wanted, "{to}");
        }
        let small = WebRuntime { header_bytes: 100, ..settings() };
        assert_eq!(status(&read(good.as_bytes(), &small, None)), 431);
        assert_eq!(status(&read(&good.as_bytes()[..100], &small, None)), 431);
        let many = with(&"X: y\r\n".repeat(70));
        assert_eq!(status(&read(many.as_bytes(), &settings(), None)), 431);
        assert_eq!(status(&read(b"\x10\x0c\x00\x04MQTT", &settings(), None)), 400);
    }

    #[test]
    fn only_listed_origins_may_connect() {
        let picky = WebRuntime { origins: Box::new(["https://a.example".into()]), ..settings() };
        let ask = |origin: &str| {
            let text = with(&format!("{MQTT}{origin}"));
            status(&read(text.as_bytes(), &picky, None))
        };
        assert_eq!(ask("Origin: https://a.example\r\n"), 101);
        for wrong in [
            "",
            "Origin: https://a.example.evil\r\n",
            "Origin: https://b.example\r\nOrigin: https://a.example\r\n",
        ] {
            assert_eq!(ask(wrong), 403, "{wrong:?}");
        }
    }

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only() {
        let trusting = WebRuntime {
            trusted_proxies: Box::new([Network::parse("10.0.0.0/8").unwrap()]),
            ..settings()
        };
        let ask = |from: &str, header: &str| {
            let text = with(&format!("{MQTT}X-Forwarded-For: {header}\r\n"));
            match read(text.as_bytes(), &trusting, Some(from.parse().unwrap())) {
                Request::Upgrade { forwarded, .. } => forwarded.map(|address| address.to_string()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ask("10.0.0.1", "192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(ask("192.0.2.77", "192.0.2.1"), None);
        // The Client put the first one there itself.
        assert_eq!(ask("10.0.0.1", "1.1.1.1, 192.0.2.1, 10.0.0.9").as_deref(), Some("192.0.2.1"));
        assert_eq!(ask("10.0.0.1", "[2001:db8::1]:80").as_deref(), Some("2001:db8::1"));
        assert_eq!(ask("10.0.0.1", "nobody"), None);
    }

    #[test]
    fn files_are_named_without_a_way_out() {
        for (target, wanted) in [
            ("/", Some("index.html")),
            ("/app/?q=1", Some("app/index.html")),
            ("/a%20b.js", Some("a b.js")),
            ("/../etc/passwd", None),
            ("/%2e%2e/etc/passwd", None),
            ("/a/%2E%2E%2f%2E%2E/etc/passwd", None),
            ("/.git/config", None),
            ("//etc/passwd", None),
            ("/a%00.html", None),
            ("/a%5c..%5cb", None),
            ("/%zz", None),
            ("/%ff", None),
            ("http://other/", None),
        ] {
            assert_eq!(path(target).as_deref(), wanted, "{target}");
        }
    }

    #[test]
    fn plain_http_is_answered() {
        let get = b"GET /a.js HTTP/1.1\r\n\r\n";
        assert_eq!(status(&read(get, &settings(), None)), 426);
        let serving = WebRuntime { http_dir: Some("/srv".into()), ..settings() };
        let page = |head_only| Request::Page(PageRequest { path: "a.js".into(), head_only });
        assert_eq!(read(get, &serving, None), page(false));
        assert_eq!(read(b"HEAD /a.js HTTP/1.1\r\n\r\n", &serving, None), page(true));
        assert_eq!(status(&read(b"PUT /a.js HTTP/1.1\r\n\r\n", &serving, None)), 405);
        let head = answer(200, kind("a.JS"), b"12345", true);
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("Content-Length: 5\r\n") && head.ends_with("\r\n\r\n"));
        assert!(head.contains("text/javascript"));
    }
}

//! The HTTP request that begins a WebSocket (RFC 6455, section 4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pondhawk::util::Rng;
use sha1::{Digest, Sha1};

/// What a server appends to the key before it answers with the digest (RFC 6455, section 1.3).
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Most bytes of the server's answer.
const MAX_ANSWER: usize = 8 << 10;

/// A handshake under way.
#[derive(Debug)]
pub struct Upgrade {
    request: Vec<u8>,
    accept: String,
    answer: Vec<u8>,
}

/// How far a handshake is.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// More of it is to come.
    Partial,
    /// The server agreed; these bytes of it belong to the WebSocket.
    Agreed(Vec<u8>),
}

impl Upgrade {
    /// A request for `path` at `host`; the key follows from `seed`.
    pub fn new(host: &str, path: &str, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&rng.next_u64().to_le_bytes());
        nonce[8..].copy_from_slice(&rng.next_u64().to_le_bytes());
        let key = STANDARD.encode(nonce);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        let accept = accept_key(&key);
        Self { request: request.into_bytes(), accept, answer: Vec::new() }
    }

    /// What is to be sent.
    pub fn request(&mut self) -> &mut Vec<u8> {
        &mut self.request
    }

    /// Takes a part of the server's answer.
    ///
    /// # Errors
    /// If the server does not agree to speak MQTT over WebSocket [MQTT-6.0.0-3].
    pub fn take(&mut self, bytes: &[u8]) -> Result<Answer, String> {
        self.answer.extend_from_slice(bytes);
        let end = self.answer.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            return match self.answer.len() {
                0..=MAX_ANSWER => Ok(Answer::Partial),
                _ => Err("WebSocket: the answer has no end".to_owned()),
            };
        };
        let head = String::from_utf8_lossy(&self.answer[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default();
        if status.split(' ').nth(1) != Some("101") {
            return Err(format!("WebSocket: the server answered '{status}'"));
        }
        let field = |name: &str| {
            head.split("\r\n").find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        if field("sec-websocket-accept").as_deref() != Some(&self.accept) {
            return Err("WebSocket: the server did not answer our key".to_owned());
        }
        if field("sec-websocket-protocol").as_deref() != Some("mqtt") {
            return Err("WebSocket: the server did not agree to the protocol 'mqtt'".to_owned());
        }
        Ok(Answer::Agreed(self.answer[end + 4..].to_vec()))
    }
}

/// The answer that proves that a server has read the key.
fn accept_key(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_that_of_the_rfc() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    fn answer(upgrade: &Upgrade, protocol: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nSEC-WebSocket-Accept: {}\r\n\
             Sec-WebSocket-Protocol: {protocol}\r\n\r\nrest",
            upgrade.accept
        )
        .into_bytes()
    }

    #[test]
    fn an_answer_in_pieces_is_understood() {
        let mut upgrade = Upgrade::new("h:1", "/mqtt", 4);
        let answer = answer(&upgrade, "mqtt");
        assert_eq!(upgrade.take(&answer[..40]), Ok(Answer::Partial));
        assert_eq!(upgrade.take(&answer[40..]), Ok(Answer::Agreed(b"rest".to_vec())));
    }

    #[test]
    fn other_answers_end_the_handshake() {
        let mut upgrade = Upgrade::new("h:1", "/mqtt", 4);
        let other = answer(&upgrade, "soap");
        assert!(upgrade.take(&other).unwrap_err().contains("mqtt"));
        let mut upgrade = Upgrade::new("h:1", "/mqtt", 4);
        let refused = upgrade.take(b"HTTP/1.1 404 Not Found\r\n\r\n");
        assert!(refused.unwrap_err().contains("404"));
        let mut other_key = Upgrade::new("h:1", "/mqtt", 5);
        let answer = answer(&Upgrade::new("h:1", "/mqtt", 4), "mqtt");
        assert!(other_key.take(&answer).unwrap_err().contains("key"));
    }
}

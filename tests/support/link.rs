//! What a client's bytes go over: TCP, a Unix domain socket, TLS, WebSocket. WebSocket's frames
//! are written by hand here; TLS is rustls's.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustls::{ClientConnection, StreamOwned};

/// A byte stream to the broker.
pub trait Link: Read + Write + Send {
    /// Its socket.
    fn socket(&self) -> BorrowedFd<'_>;
    /// The TCP connection, if the stream is that and no more.
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl Link for TcpStream {
    fn socket(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }

    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Link for UnixStream {
    fn socket(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl Link for StreamOwned<ClientConnection, TcpStream> {
    fn socket(&self) -> BorrowedFd<'_> {
        self.sock.as_fd()
    }
}

impl Link for Box<dyn Link> {
    fn socket(&self) -> BorrowedFd<'_> {
        (**self).socket()
    }

    fn tcp(&self) -> Option<&TcpStream> {
        (**self).tcp()
    }
}

/// A WebSocket after its upgrade: each write is a binary frame.
pub struct WebSocket {
    inner: Box<dyn Link>,
    input: Vec<u8>,
    /// Payload of the present frame that was not read yet.
    data: Vec<u8>,
    /// Control frames that came: opcode and payload.
    pub controls: Vec<(u8, Vec<u8>)>,
}

const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// A frame as a client sends it. `first` is its first byte: FIN and the opcode.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The request for an upgrade, with more headers, each with its line end.
pub fn upgrade(extra: &str) -> String {
    format!(
        "GET /mqtt HTTP/1.1\r\nHost: broker.example\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extra}\r\n"
    )
}

/// The usual header for [`upgrade`].
pub const MQTT: &str = "Sec-WebSocket-Protocol: mqtt\r\n";

/// Reads the head of an HTTP answer; gives it with the bytes that came behind it.
pub fn http_head(link: &mut dyn Link) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).expect("an HTTP head is text"), rest);
        }
        let count = link.read(&mut chunk).expect("an HTTP answer");
        assert_ne!(count, 0, "the connection ended: {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..count]);
    }
}

impl WebSocket {
    /// Upgrades a connection, and wants to be let in.
    pub fn open(mut inner: Box<dyn Link>, extra: &str) -> WebSocket {
        inner.write_all(upgrade(extra).as_bytes()).expect("send the request");
        WebSocket::opened(inner)
    }

    /// After the request was sent.
    pub fn opened(mut inner: Box<dyn Link>) -> WebSocket {
        let (head, input) = http_head(&mut inner);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        WebSocket { inner, input, data: Vec::new(), controls: Vec::new() }
    }

    /// Sends bytes that are frames already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.inner.write_all(bytes).expect("send");
    }

    /// Takes what is complete out of `input`; false when more has to come.
    fn parse(&mut self) -> bool {
        let input = &self.input;
        let (Some(first), Some(second)) = (input.first(), input.get(1)) else { return false };
        assert_eq!(first & 0xF0, 0x80, "a whole message in each frame, no extension");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let (len, at) = match second & 0x7F {
            126 if input.len() >= 4 => (usize::from(u16::from_be_bytes([input[2], input[3]])), 4),
            127 if input.len() >= 10 => {
                let eight = input[2..10].try_into().expect("eight bytes");
                (u64::from_be_bytes(eight) as usize, 10)
            }
            126 | 127 => return false,
            len => (usize::from(len), 2),
        };
        if input.len() < at + len {
            return false;
        }
        let opcode = first & 0x0F;
        let payload: Vec<u8> = self.input.drain(..at + len).skip(at).collect();
        match opcode {
            2 => self.data.extend(payload),
            8..=10 => self.controls.push((opcode, payload)),
            other => panic!("opcode {other}"),
        }
        true
    }

    /// Waits for a control frame and takes it.
    pub fn control(&mut self) -> (u8, Vec<u8>) {
        while self.controls.is_empty() {
            if !self.parse() {
                assert!(self.more().expect("a control frame"), "the connection ended");
            }
        }
        self.controls.remove(0)
    }

    /// Waits for the end of the connection below, with nothing more before it.
    pub fn ended(&mut self) {
        match self.inner.read(&mut [0]) {
            Ok(count) => assert_eq!(count, 0, "bytes after the end"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}"),
        }
    }

    fn more(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 65_536];
        let count = self.inner.read(&mut chunk)?;
        self.input.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }
}

impl Read for WebSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.data.is_empty() {
                let count = buffer.len().min(self.data.len());
                buffer[..count].copy_from_slice(&self.data[..count]);
                self.data.drain(..count);
                return Ok(count);
            }
            if self.controls.iter().any(|(opcode, _)| *opcode == 8) {
                return Ok(0);
            }
            if !self.parse() && !self.more()? {
                return Ok(0);
            }
        }
    }
}

impl Write for WebSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_all(&frame(0x82, bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Link for WebSocket {
    fn socket(&self) -> BorrowedFd<'_> {
        self.inner.socket()
    }
}

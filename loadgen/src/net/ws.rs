//! MQTT over WebSocket: binary frames, masked.

use std::io;

use pondhawk::util::Rng;
use pondhawk::util::websocket::{FrameReader, Header, Opcode, Reader, apply_mask};

use super::base::Base;
use super::upgrade::{Answer, Upgrade};

/// A WebSocket over TCP or TLS.
#[derive(Debug)]
pub struct Ws {
    base: Base,
    /// The handshake, until it is complete.
    upgrade: Option<Box<Upgrade>>,
    reader: FrameReader,
    /// The beginning of a header, or what came with the server's answer.
    tail: Vec<u8>,
    /// A frame that the socket has not taken yet.
    out: Vec<u8>,
    rng: Rng,
}

impl Ws {
    /// A WebSocket to be begun. Masks follow from `seed`.
    pub fn new(base: Base, host: &str, path: &str, seed: u64) -> Self {
        let upgrade = Some(Box::new(Upgrade::new(host, path, seed)));
        let reader = FrameReader::new(Reader::Client);
        Self { base, upgrade, reader, tail: Vec::new(), out: Vec::new(), rng: Rng::new(seed) }
    }

    /// What it is spoken over.
    pub fn base(&mut self) -> &mut Base {
        &mut self.base
    }

    /// Goes on with the handshake; `true` when it is complete.
    ///
    /// # Errors
    /// If the server does not agree.
    pub fn handshake(&mut self) -> io::Result<bool> {
        if !self.base.handshake()? {
            return Ok(false);
        }
        let Some(upgrade) = &mut self.upgrade else { return Ok(true) };
        self.out.append(upgrade.request());
        self.unblock()?;
        let mut buffer = [0; 2048];
        loop {
            let len = match self.base.read(&mut buffer) {
                Ok(0) => return Err(invalid("WebSocket: closed during the handshake".to_owned())),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            let Some(upgrade) = &mut self.upgrade else { return Ok(true) };
            if let Answer::Agreed(rest) = upgrade.take(&buffer[..len]).map_err(invalid)? {
                self.tail = rest;
                self.upgrade = None;
                return Ok(true);
            }
        }
    }

    /// Reads data, without frames.
    ///
    /// # Errors
    /// As the socket's; `InvalidData` if the server breaks the protocol.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let kept = self.tail.len();
            buffer[..kept].copy_from_slice(&self.tail);
            let read = match self.base.read(&mut buffer[kept..]) {
                // What came with the server's answer is there without a read.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && kept > 0 => 0,
                Ok(0) => return Ok(0),
                other => other?,
            };
            self.tail.clear();
            let whole = kept + read;
            let mut pong = None;
            let decoded = self.reader.decode(&mut buffer[..whole], |opcode, payload| {
                if opcode == Opcode::Ping {
                    pong = Some(payload.to_vec());
                }
            });
            let decoded = decoded.map_err(|error| invalid(error.what.to_owned()))?;
            self.tail.extend_from_slice(&buffer[decoded.used..whole]);
            if let Some(payload) = pong {
                self.frame(Opcode::Pong, &payload);
                self.unblock()?;
            }
            match decoded.data {
                0 if self.reader.is_closed() => return Ok(0),
                0 if read == 0 => return Err(io::ErrorKind::WouldBlock.into()),
                0 => {}
                data => return Ok(data),
            }
        }
    }

    /// Writes one frame with all of `bytes`, as soon as the one before has gone.
    ///
    /// # Errors
    /// As the socket's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unblock()?;
        if !self.out.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.frame(Opcode::Binary, bytes);
        self.unblock()?;
        Ok(bytes.len())
    }

    /// Whether bytes that were taken still wait for the socket.
    pub fn is_blocked(&self) -> bool {
        !self.out.is_empty() || self.base.is_blocked()
    }

    /// Sends what still waits.
    ///
    /// # Errors
    /// As the socket's.
    pub fn unblock(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.base.write(&self.out) {
                Ok(len) if len == self.out.len() => self.out.clear(),
                Ok(len) => drop(self.out.drain(..len)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.base.unblock()
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mask = (self.rng.next_u64() as u32).to_ne_bytes();
        let header = Header::new(opcode, payload.len() as u64, Some(mask));
        self.out.extend_from_slice(header.as_ref());
        let start = self.out.len();
        self.out.extend_from_slice(payload);
        apply_mask(&mut self.out[start..], mask);
    }
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

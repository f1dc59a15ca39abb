//! A stream with layers between its socket and MQTT: PROXY header, TLS, WebSocket.
//!
//! Bytes are decoded through the shard's [`Scratch`]; the connection keeps only what is not
//! complete enough to decode (at most a TLS record, a frame's header or an HTTP head) and what
//! the socket did not take. Idle and drained it owns neither.

use std::io::{self, ErrorKind, IoSlice};
use std::net::IpAddr;

use super::connected::Socket;
use super::http::{self, PageRequest, Request};
use super::layers::Layers;
use super::output::Output;
use super::proxy;
use super::stream::{Next, Received};
use super::tls::Session;
use super::websocket::{Web, gather};
use crate::sync::Arc;
use crate::util::Lazy;

/// Bytes of one read at most.
const READ: usize = 64 * 1024;

/// Bytes of TLS that are held because they are no use yet: one record has at most 16,709, and a
/// handshake message (a Client's certificates) may take more than one.
const RAW_MAX: usize = 32 * 1024;

/// Decoded bytes that are held: an HTTP head has at most 65,535, WebSocket's parts are smaller.
const HELD_MAX: usize = 64 * 1024;

/// Plaintext that one call of [`Layered::write`] encrypts, so that what a blocked connection
/// holds of it stays bounded.
const WRITE: usize = 64 * 1024;

/// Bytes that an open TLS session takes, about: what `benches/tls.rs` prints.
const SESSION: usize = 3500;

/// A shard's memory for decoding and encoding, shared by its connections. Taken on first use.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What [`super::Stream::read`] has decoded.
    pub plain: Box<[u8]>,
    raw: Box<[u8]>,
    gathered: Vec<u8>,
    out: Output,
}

impl Scratch {
    fn prepare(&mut self) {
        if self.raw.is_empty() {
            self.raw = vec![0; RAW_MAX + READ].into();
            self.plain = vec![0; HELD_MAX + RAW_MAX + READ].into();
        }
    }
}

/// What a stream needs beyond readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// Its next read may cost as much as thousands of messages do: asymmetric cryptography.
    Handshake,
    /// [`Layered::page`] has a request for a file.
    Page,
    /// All has been said: close it.
    Close,
}

/// What layers have learnt of the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    /// Where the Client is, according to a proxy.
    pub peer: Option<std::net::SocketAddr>,
    /// Common name in the Client's certificate, if the listener wants it.
    pub common_name: Option<Box<str>>,
    /// Subject of the certificate as RFC 2253 writes it, if the listener wants it.
    pub subject: Option<Box<str>>,
}

impl Introduction {
    fn merge(&mut self, other: Self) {
        self.peer = other.peer.or(self.peer);
        self.common_name = other.common_name.or(self.common_name.take());
        self.subject = other.subject.or(self.subject.take());
    }
}

/// What is awaited.
#[derive(Debug)]
enum Stage {
    /// A PROXY header.
    Proxy,
    /// The end of the TLS handshake.
    Tls,
    /// An HTTP request.
    Http,
    /// MQTT.
    Open,
    /// Somebody else's answer to a request for a file.
    Page(Option<Box<PageRequest>>),
    /// Nothing more: what is in the output is the last.
    Last,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Layered {
    socket: Socket,
    layers: Arc<Layers>,
    stage: Stage,
    tls: Option<Box<Session>>,
    web: Option<Box<Web>>,
    /// Bytes from the socket that the PROXY header or TLS has no use for yet.
    raw: Lazy<Vec<u8>>,
    /// Decoded bytes that HTTP or WebSocket has no use for yet.
    held: Lazy<Vec<u8>>,
    /// Encoded bytes that the socket did not take.
    output: Lazy<Vec<u8>>,
    introduction: Option<Box<Introduction>>,
    /// A layer has said that the peer sends no more.
    ended: bool,
    /// Bytes held when last counted.
    counted: u32,
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Puts bytes away for later, or gives memory back.
fn keep(place: &mut Lazy<Vec<u8>>, bytes: &[u8]) {
    *place = Lazy::default();
    if !bytes.is_empty() {
        place.extend_from_slice(bytes);
    }
}

/// Bytes that were put away, without taking memory if there are none.
fn peek(place: &mut Lazy<Vec<u8>>) -> &mut [u8] {
    if place.is_empty() { &mut [] } else { place }
}

impl Layered {
    pub(super) fn new(socket: Socket, layers: Arc<Layers>) -> Self {
        let mut this = Self {
            socket,
            layers,
            stage: Stage::Proxy,
            tls: None,
            web: None,
            raw: Lazy::default(),
            held: Lazy::default(),
            output: Lazy::default(),
            introduction: None,
            ended: false,
            counted: 0,
        };
        if !this.layers.has_proxy() {
            this.next_stage();
        }
        this
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// The layers it was made with.
    pub fn layers(&self) -> &Arc<Layers> {
        &self.layers
    }

    /// Whether a Client with this certificate would be let in by `layers`: as they are now, on a
    /// stream that was made with earlier ones. True for Clients without a certificate.
    pub fn still_accepted(&self, layers: &Layers, now_s: u64) -> bool {
        match (&self.tls, layers.tls()) {
            (Some(session), Some(tls)) => session.still_accepted(tls, now_s),
            _ => true,
        }
    }

    /// By how many bytes the memory that it takes has grown since this was last asked.
    pub fn growth(&mut self) -> i64 {
        let waiting = self.raw.capacity() + self.held.capacity() + self.output.capacity();
        let tls = if self.tls.is_some() { SESSION } else { 0 };
        let bytes = size_of::<Self>() + tls + waiting;
        let counted = u32::try_from(bytes).unwrap_or(u32::MAX);
        i64::from(counted) - i64::from(std::mem::replace(&mut self.counted, counted))
    }

    /// What [`Layered::growth`] has added up to; it begins anew.
    pub fn forget_growth(&mut self) -> i64 {
        i64::from(std::mem::take(&mut self.counted))
    }

    pub(super) fn need(&self) -> Need {
        match &self.stage {
            Stage::Proxy | Stage::Tls if self.layers.tls().is_some() => Need::Handshake,
            Stage::Page(Some(_)) => Need::Page,
            Stage::Last if self.output.is_empty() => Need::Close,
            _ => Need::Nothing,
        }
    }

    pub(super) fn introduction(&mut self) -> Option<Box<Introduction>> {
        self.introduction.take()
    }

    pub(super) fn is_backed_up(&self) -> bool {
        !self.output.is_empty()
    }

    /// The request for a file, once; answer it with [`Layered::answer`].
    pub fn page(&mut self) -> Option<Box<PageRequest>> {
        match &mut self.stage {
            Stage::Page(request) => request.take(),
            _ => None,
        }
    }

    /// Sends an answer, after which the connection closes.
    pub fn answer(
        &mut self,
        status: u16,
        path: &str,
        body: &[u8],
        head_only: bool,
        scratch: &mut Scratch,
    ) -> io::Result<()> {
        let kind = if status == 200 { http::kind(path) } else { "text/plain" };
        self.stage = Stage::Last;
        self.say(&http::answer(status, kind, body, head_only), scratch)?;
        match self.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }

    fn learn(&mut self, what: Introduction) {
        if what != Introduction::default() {
            self.introduction.get_or_insert_default().merge(what);
        }
    }

    fn next_stage(&mut self) {
        self.stage = match self.stage {
            Stage::Proxy if self.layers.tls().is_some() => Stage::Tls,
            Stage::Proxy | Stage::Tls if self.layers.has_websocket() => Stage::Http,
            _ => Stage::Open,
        };
    }

    /// See [`super::Stream::read`].
    pub(super) fn read(
        &mut self,
        most: usize,
        scratch: &mut Scratch,
        hangup: bool,
    ) -> io::Result<Received> {
        scratch.prepare();
        if self.ended {
            return Ok(Received { len: 0, next: Next::End });
        }
        let result = self.read_layers(most.min(READ), scratch, hangup);
        // Whatever was read may have to be answered: a handshake, a ping, an alert.
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => result.and(Err(error)),
            _ => result,
        }
    }

    fn read_layers(
        &mut self,
        most: usize,
        scratch: &mut Scratch,
        hangup: bool,
    ) -> io::Result<Received> {
        let direct = matches!(self.stage, Stage::Http | Stage::Open) && self.tls.is_none();
        if direct {
            let held = self.held.len();
            let buffer = &mut scratch.plain[..held + most];
            let len = self.socket.read(&mut buffer[held..])?;
            buffer[..held].copy_from_slice(&self.held);
            let next = Next::after(len, most, hangup);
            return self.decode(scratch, held + len, next);
        }
        let held = self.raw.len();
        let room = most.min(scratch.raw.len() - held);
        let len = self.socket.read(&mut scratch.raw[held..held + room])?;
        let next = Next::after(len, room, hangup);
        scratch.raw[..held].copy_from_slice(&self.raw);
        let all = held + len;
        let mut used = 0;
        if matches!(self.stage, Stage::Proxy) {
            used = self.proxied(&scratch.raw[..all])?;
            if matches!(self.stage, Stage::Proxy) {
                keep(&mut self.raw, &scratch.raw[..all]);
                return Ok(Received { len: 0, next });
            }
        }
        let plain = self.held.len();
        scratch.plain[..plain].copy_from_slice(&self.held);
        if self.layers.tls().is_none() {
            let rest = all - used;
            scratch.plain[plain..plain + rest].copy_from_slice(&scratch.raw[used..all]);
            self.raw = Lazy::default();
            return self.decode(scratch, plain + rest, next);
        }
        let plain = self.decrypt(scratch, used..all, plain)?;
        self.decode(scratch, plain, next)
    }

    /// Reads the PROXY header; gives how many bytes it took.
    fn proxied(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(settings) = &self.layers.listener().proxy_protocol else { return Ok(0) };
        let from = self.socket.peer().map(|peer| peer.ip());
        let Some(told) = proxy::parse(bytes, settings, from).map_err(invalid)? else {
            return Ok(0);
        };
        self.learn(told.introduction);
        self.next_stage();
        Ok(told.used)
    }

    /// Decrypts what is in `scratch.raw` behind the first `plain` bytes of `scratch.plain`; gives
    /// how many there are then.
    fn decrypt(
        &mut self,
        scratch: &mut Scratch,
        raw: std::ops::Range<usize>,
        plain: usize,
    ) -> io::Result<usize> {
        let Some(tls) = self.layers.tls() else { return Ok(plain) };
        let session = match &mut self.tls {
            Some(session) => session,
            none => none.insert(Box::new(Session::new(tls).map_err(invalid)?)),
        };
        scratch.out.clear();
        let end = raw.end;
        let bytes = &mut scratch.raw[raw.clone()];
        let got = session.receive(bytes, &mut scratch.plain[plain..], &mut scratch.out);
        let opened = matches!(self.stage, Stage::Tls) && !session.is_handshaking();
        let introduction = if opened { session.introduction(tls) } else { Introduction::default() };
        if !scratch.out.filled().is_empty() {
            self.output.extend_from_slice(scratch.out.filled());
        }
        let rest = raw.start + got.used..end;
        let too_large = rest.len() > RAW_MAX;
        keep(&mut self.raw, &scratch.raw[rest]);
        if let Some(error) = got.error {
            return Err(invalid(error));
        }
        if too_large {
            return Err(invalid("TLS handshake message too large"));
        }
        self.ended |= got.closed;
        if opened {
            self.learn(introduction);
            self.next_stage();
        }
        Ok(plain + got.len)
    }

    /// Goes on with `len` bytes in `scratch.plain`.
    fn decode(&mut self, scratch: &mut Scratch, len: usize, next: Next) -> io::Result<Received> {
        let mut len = len;
        if matches!(self.stage, Stage::Http) && len > 0 {
            let used = self.request(len, scratch)?;
            if !matches!(self.stage, Stage::Open) {
                let next = if matches!(self.stage, Stage::Http) { next } else { Next::Wait };
                return Ok(Received { len: 0, next: self.or_end(next) });
            }
            scratch.plain.copy_within(used..len, 0);
            len -= used;
        }
        if !matches!(self.stage, Stage::Open) {
            return Ok(Received { len: 0, next: self.or_end(next) });
        }
        if let Some(web) = &mut self.web {
            let decoded = web.decode(&mut scratch.plain[..len]).map_err(|e| invalid(e.what))?;
            keep(&mut self.held, &scratch.plain[decoded.used..len]);
            len = decoded.data;
            self.ended |= web.is_closed();
            if web.has_pong() && self.output.is_empty() {
                self.pong(scratch)?;
            }
        }
        Ok(Received { len, next: self.or_end(next) })
    }

    fn or_end(&self, next: Next) -> Next {
        if self.ended { Next::End } else { next }
    }

    /// Handles the HTTP request in `scratch.plain`; gives how many bytes it took.
    fn request(&mut self, len: usize, scratch: &mut Scratch) -> io::Result<usize> {
        let from = self.client();
        match http::read(&scratch.plain[..len], &self.layers.listener().websocket, from) {
            Request::Partial => {
                keep(&mut self.held, &scratch.plain[..len]);
                Ok(0)
            }
            Request::Upgrade { used, response, forwarded } => {
                self.held = Lazy::default();
                self.say(&response, scratch)?;
                self.web = Some(Box::new(Web::new()));
                self.next_stage();
                let peer = forwarded.map(|address| (address, 0).into());
                self.learn(Introduction { peer, ..Introduction::default() });
                Ok(used)
            }
            Request::Page(request) => {
                self.held = Lazy::default();
                self.stage = Stage::Page(Some(Box::new(request)));
                Ok(len)
            }
            Request::Refused { response, what } => {
                self.stage = Stage::Last;
                self.say(&response, scratch)?;
                Err(invalid(what))
            }
        }
    }

    /// The address that trust in proxies is a matter of.
    fn client(&self) -> Option<IpAddr> {
        let told = self.introduction.as_ref().and_then(|told| told.peer);
        told.or_else(|| self.socket.peer()).map(|peer| peer.ip())
    }

    /// Adds plain bytes to the output, behind everything that is in it.
    fn say(&mut self, bytes: &[u8], scratch: &mut Scratch) -> io::Result<()> {
        match &mut self.tls {
            None => self.output.extend_from_slice(bytes),
            Some(session) => {
                scratch.out.clear();
                session.send(bytes, peek(&mut self.raw), &mut scratch.out).map_err(invalid)?;
                self.output.extend_from_slice(scratch.out.filled());
            }
        }
        Ok(())
    }

    fn pong(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        let Some(web) = &mut self.web else { return Ok(()) };
        let mut pong = Output::default();
        web.pong(&mut pong);
        self.say(pong.filled(), scratch)
    }

    /// See [`super::Stream::flush`].
    pub(super) fn flush_all(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        self.flush()?;
        if self.web.as_ref().is_some_and(|web| web.has_pong()) {
            self.pong(scratch)?;
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let written = self.socket.write_vectored(&[IoSlice::new(&self.output)])?;
        if written < self.output.len() {
            self.output.drain(..written);
            return Err(ErrorKind::WouldBlock.into());
        }
        self.output = Lazy::default();
        Ok(())
    }

    /// See [`super::Stream::write_vectored`].
    pub(super) fn write(
        &mut self,
        slices: &[IoSlice<'_>],
        scratch: &mut Scratch,
    ) -> io::Result<usize> {
        if !matches!(self.stage, Stage::Open) {
            return Err(ErrorKind::NotConnected.into());
        }
        self.flush_all(scratch)?;
        match &self.tls {
            None if self.web.is_some() => self.write_frame(slices),
            None => self.socket.write_vectored(slices),
            Some(_) => self.encrypt(slices, scratch),
        }
    }

    /// Writes one frame with all that there is, or goes on with one. Its payload is not copied.
    fn write_frame(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(web) = &mut self.web else { return Ok(0) };
        let (header, len) = web.frame(slices.iter().map(|slice| slice.len()).sum());
        let head = header.as_ref().map_or(&[][..], |header| header.as_ref());
        let written = match self.socket.write_vectored(&gather(head, slices, len)) {
            Ok(written) => written,
            Err(error) => {
                if header.is_some() {
                    web.unframe();
                }
                return Err(error);
            }
        };
        if let Some(rest) = head.get(written..).filter(|rest| !rest.is_empty()) {
            self.output.extend_from_slice(rest);
            return Err(ErrorKind::WouldBlock.into());
        }
        web.written(written - head.len());
        Ok(written - head.len())
    }

    /// Encrypts up to [`WRITE`] bytes into as few records as hold them and writes those in one go.
    fn encrypt(&mut self, slices: &[IoSlice<'_>], scratch: &mut Scratch) -> io::Result<usize> {
        let Some(session) = &mut self.tls else { return Ok(0) };
        let all: usize = slices.iter().map(|slice| slice.len()).sum();
        let len = all.min(WRITE);
        let header = self.web.as_mut().map(|web| {
            let (header, _) = web.frame(len);
            web.written(len);
            header
        });
        let plaintext = match (slices, &header) {
            ([one, ..], None) if one.len() >= len => &one[..len],
            _ => {
                scratch.gathered.clear();
                let head = header.flatten();
                let head = head.as_ref().map_or(&[][..], |header| header.as_ref());
                for part in &gather(head, slices, len) {
                    scratch.gathered.extend_from_slice(part);
                }
                &scratch.gathered
            }
        };
        scratch.out.clear();
        session.send(plaintext, peek(&mut self.raw), &mut scratch.out).map_err(invalid)?;
        let bytes = scratch.out.filled();
        let written = match self.socket.write_vectored(&[IoSlice::new(bytes)]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            other => other?,
        };
        if written < bytes.len() {
            self.output.extend_from_slice(&bytes[written..]);
        }
        Ok(len)
    }

    /// See [`super::Stream::shutdown`].
    pub(super) fn shutdown(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        // In the middle of what the socket did not take there is no place for a goodbye.
        if self.flush().is_ok() {
            if let Some(web) = &mut self.web {
                let mut close = Output::default();
                web.close(&mut close);
                self.say(close.filled(), scratch)?;
            }
            if let Some(session) = &mut self.tls {
                scratch.out.clear();
                session.close(peek(&mut self.raw), &mut scratch.out);
                self.output.extend_from_slice(scratch.out.filled());
            }
            // What does not fit now is not waited for.
            let _ = self.flush();
        }
        self.socket.shutdown()
    }
}

//! The machine: framing, state and dispatch. What a packet does stands in its family's file.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::admission::{Admitted, Pending};
use super::auth::Exchange;
use super::{AliasTable, Close, Flow, Host, Peer, Traced, Way, disconnect};
use crate::auth::PeerIdentity;
use crate::config::ListenerRuntime;
use crate::protocol::{
    Packet, PacketType, RawFrame, ReasonCode, Role, Version, decode, decode_publish, packet_size,
    split,
};
use crate::sync::Arc;
use crate::util::{Key, Lazy};

/// Why a connection that sends CONNECT twice is closed.
pub const SECOND_CONNECT: &str = "a second CONNECT";

/// Where the connection stands between accept and close.
#[derive(Debug)]
pub(super) enum State {
    /// The first packet has to be CONNECT [MQTT-3.1.0-1].
    AwaitConnect,
    /// CONNECT came with an authentication method; AUTH packets go to and fro [MQTT-4.12.0-2].
    Authenticating(Box<Exchange>),
    /// CONNECT came with a password that is being checked elsewhere. Nothing more is read until
    /// the answer is there: what follows may be meant for a session.
    Pending(Box<Pending>),
    /// CONNACK with success was sent.
    Running(Running),
}

/// State of a connection that is through with CONNECT.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) session: Key,
    /// The method named in CONNECT, with the state of a re-authentication.
    pub(super) auth: Option<Box<Exchange>>,
}

/// What the shard has to do after handing over bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All complete packets are done.
    Idle,
    /// Input is left, kept by the machine; call [`Connection::resume`] in the next turn.
    Unfinished,
    /// A password is being checked: hand over nothing more, and call [`Connection::resume`] once
    /// [`Connection::checked`] was told the answer.
    Waiting,
    /// Close the connection.
    Close(Close),
    /// Hand the connection to that shard with [`Connection::park`].
    Move(u16),
}

/// A connection on its way to another shard: what [`Connection::unpark`] needs to go on there.
#[derive(Debug)]
pub struct Parked {
    input: Vec<u8>,
    listener: Arc<ListenerRuntime>,
    peer: SocketAddr,
    accepted_ms: u64,
    peer_identity: Option<Box<PeerIdentity>>,
    admitted: Option<Admitted>,
    /// The CONNECT that goes ahead of the input was counted where it came.
    counted: bool,
}

impl Parked {
    /// When the connection was accepted, monotonic ms.
    pub fn accepted_ms(&self) -> u64 {
        self.accepted_ms
    }
}

/// State of a CONNECT under way.
#[derive(Debug, Default)]
pub(super) struct Connecting {
    /// What the transport knows of the peer.
    pub(super) peer_identity: Option<Box<PeerIdentity>>,
    pub(super) admitted: Option<Admitted>,
    /// A CONNECT whose authentication has just succeeded and whose session lives elsewhere: it
    /// goes ahead of the input to the other shard.
    pub(super) held: Vec<u8>,
    /// The CONNECT to come was counted by another shard.
    pub(super) counted: bool,
}

/// See the module [`crate::connection`].
#[derive(Debug)]
pub struct Connection {
    pub(super) key: Key,
    pub(super) state: State,
    pub(super) version: Version,
    /// CONNECT asked not to be told Reason Strings except where always allowed.
    pub(super) request_problem_information: bool,
    /// The Client has once published more than the Receive Maximum allows, and was forgiven.
    pub(super) exceeded_receive_maximum: bool,
    pub(super) listener: Arc<ListenerRuntime>,
    /// Address, IPv4 as IPv6, and port: smaller than a socket address.
    peer: (Ipv6Addr, u16),
    pub(super) aliases: Option<Box<AliasTable>>,
    /// What only a CONNECT under way needs.
    pub(super) connecting: Option<Box<Connecting>>,
    /// Input that could not be used yet: a partial packet, or what a spent budget left over.
    input: Lazy<Vec<u8>>,
    /// Largest packet taken now; smaller before CONNECT.
    pub(super) maximum_packet_size: u32,
    /// 1.5 times Keep Alive in ms [MQTT-3.1.2-22]; 0 for none.
    pub(super) keep_alive_ms: u32,
    accepted_ms: u64,
    last_received_ms: u64,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(
        key: Key,
        listener: Arc<ListenerRuntime>,
        peer: SocketAddr,
        connect_size_max: u32,
        now_ms: u64,
    ) -> Self {
        Self {
            key,
            state: State::AwaitConnect,
            version: Version::V311,
            request_problem_information: true,
            exceeded_receive_maximum: false,
            listener,
            peer: (mapped(peer.ip()), peer.port()),
            aliases: None,
            connecting: None,
            input: Lazy::default(),
            maximum_packet_size: connect_size_max,
            keep_alive_ms: 0,
            accepted_ms: now_ms,
            last_received_ms: now_ms,
        }
    }

    /// The session served, once CONNECT is through.
    pub fn session(&self) -> Option<Key> {
        match &self.state {
            State::Running(running) => Some(running.session),
            State::AwaitConnect | State::Authenticating(_) | State::Pending(_) => None,
        }
    }

    /// What the transport knows of the peer, before its first byte is handed over.
    pub fn identify(&mut self, peer: PeerIdentity) {
        self.connecting.get_or_insert_default().peer_identity = Some(Box::new(peer));
    }

    /// Where the Client is.
    pub fn peer(&self) -> Peer {
        Peer::new(self.address(), &self.listener)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.peer.0.to_canonical(), self.peer.1)
    }

    /// The Client's address, as a proxy has told it.
    pub fn set_peer(&mut self, peer: SocketAddr) {
        self.peer = (mapped(peer.ip()), peer.port());
    }

    /// Takes over the changed settings of its listener.
    pub fn relisten(&mut self, listener: Arc<ListenerRuntime>) {
        self.listener = listener;
    }

    /// The listener that accepted it.
    pub fn listener(&self) -> &Arc<ListenerRuntime> {
        &self.listener
    }

    /// Protocol version; 3.1.1 until CONNECT says otherwise.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Bytes of input held.
    pub fn held(&self) -> usize {
        self.input.capacity()
    }

    /// When silence, or an unfinished CONNECT, has lasted too long; monotonic ms. `None`: never.
    pub fn deadline_ms(&self, connect_timeout_ms: u64) -> Option<u64> {
        match self.state {
            State::Running(_) if self.keep_alive_ms == 0 => None,
            State::Running(_) => Some(self.last_received_ms + u64::from(self.keep_alive_ms)),
            // Counted from accept, and not put off by single bytes.
            State::AwaitConnect | State::Authenticating(_) | State::Pending(_) => {
                (connect_timeout_ms != 0)
                    .then(|| self.accepted_ms.saturating_add(connect_timeout_ms))
            }
        }
    }

    /// The Client takes output while nothing is read from it: what it has sent meanwhile counts as
    /// received, since only the broker keeps it waiting.
    pub fn note_alive(&mut self, now_ms: u64) {
        self.last_received_ms = now_ms;
    }

    /// Bytes from the network.
    pub fn handle_bytes<H: Host>(&mut self, host: &mut H, mut bytes: &[u8]) -> Progress {
        self.last_received_ms = host.now().mono_ms;
        if self.is_waiting() {
            self.input.extend_from_slice(bytes);
            return Progress::Waiting;
        }
        while !self.input.is_empty() {
            self.top_up(&mut bytes);
            match self.run_held(host) {
                Step::Done => {}
                Step::NeedMore => return Progress::Idle,
                Step::Stop(progress) => {
                    self.input.extend_from_slice(bytes);
                    return progress;
                }
            }
        }
        let (used, stop) = self.run(host, bytes);
        if used < bytes.len() {
            self.input.extend_from_slice(&bytes[used..]);
        }
        stop.unwrap_or(Progress::Idle)
    }

    /// Goes on with a CONNECT whose password was checked, and with input that was left over.
    pub fn resume<H: Host>(&mut self, host: &mut H) -> Progress {
        match self.go_on_pending(host) {
            Flow::Continue => {}
            Flow::Close(close) => return self.closed(host, close),
            Flow::Move(shard) => return Progress::Move(shard),
        }
        if self.is_waiting() {
            return Progress::Waiting;
        }
        while !self.input.is_empty() {
            match self.run_held(host) {
                Step::Done => {}
                Step::NeedMore => return Progress::Idle,
                Step::Stop(progress) => return progress,
            }
        }
        Progress::Idle
    }

    /// Adds to the held input what its first packet lacks, and no more: what follows is used
    /// where it stands, without another copy.
    fn top_up(&mut self, bytes: &mut &[u8]) {
        let missing = match packet_size(&self.input) {
            Some(size) => size.saturating_sub(self.input.len()),
            // Not even the length is known; it ends within five bytes.
            None => 1,
        };
        let (now, later) = bytes.split_at(missing.min(bytes.len()));
        self.input.extend_from_slice(now);
        *bytes = later;
        if packet_size(&self.input).is_none() && !bytes.is_empty() && self.input.len() < 5 {
            self.top_up(bytes);
        } else if missing == 1 {
            self.top_up_body(bytes);
        }
    }

    fn top_up_body(&mut self, bytes: &mut &[u8]) {
        // An oversized packet is refused by its length; its body is not collected.
        let Some(size) = packet_size(&self.input) else { return };
        if size > self.maximum_packet_size as usize {
            return;
        }
        let missing = size.saturating_sub(self.input.len()).min(bytes.len());
        let (now, later) = bytes.split_at(missing);
        self.input.extend_from_slice(now);
        *bytes = later;
    }

    fn run_held<H: Host>(&mut self, host: &mut H) -> Step {
        let mut held = std::mem::take(&mut self.input);
        let (used, stop) = self.run(host, &held);
        let left = used < held.len();
        #[cfg(feature = "canary")]
        let left = left || crate::util::canary::Canary::KeptInput.sings();
        if left {
            held.drain(..used);
            self.input = held;
        }
        match stop {
            Some(progress) => Step::Stop(progress),
            None if used == 0 => Step::NeedMore,
            None => Step::Done,
        }
    }

    /// Handles the complete packets in `bytes`; returns how many bytes they took.
    fn run<H: Host>(&mut self, host: &mut H, bytes: &[u8]) -> (usize, Option<Progress>) {
        let mut used = 0;
        while used < bytes.len() {
            if !host.spend() {
                return (used, Some(Progress::Unfinished));
            }
            let rest = &bytes[used..];
            if matches!(self.state, State::AwaitConnect) && is_no_connect(rest) {
                let close = Close::Silent { what: what_it_is(rest) };
                return (used, Some(self.closed(host, close)));
            }
            let flow = match split(rest, self.maximum_packet_size) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    let (size, first) = (frame.size, frame.first);
                    let counted = self.was_counted();
                    let flow = self.handle_frame(host, frame, &rest[..size]);
                    // A CONNECT moves unconsumed; one that is held apart was consumed before.
                    if !matches!(flow, Flow::Move(_)) || self.holds_connect() {
                        used += size;
                        if !counted {
                            host.metrics().received(first >> 4);
                        }
                    }
                    flow
                }
                Err(error) => {
                    self.version = peek_version(rest).unwrap_or(self.version);
                    Flow::Close(error.into())
                }
            };
            match flow {
                Flow::Continue if self.is_waiting() => return (used, Some(Progress::Waiting)),
                Flow::Continue => {}
                Flow::Close(close) => return (used, Some(self.closed(host, close))),
                Flow::Move(shard) => return (used, Some(Progress::Move(shard))),
            }
        }
        (used, None)
    }

    fn handle_frame<H: Host>(&mut self, host: &mut H, frame: RawFrame<'_>, raw: &[u8]) -> Flow {
        match &self.state {
            // Most packets are these, and smaller as a type of their own.
            State::Running(running) if PacketType::of(frame.first) == Some(PacketType::Publish) => {
                let session = running.session;
                return match decode_publish(frame, self.version, Role::Server) {
                    Ok(publish) => self.handle_publish(host, session, &publish),
                    Err(error) => Flow::Close(error.into()),
                };
            }
            // So are these: an identifier and nothing else.
            State::Running(running) if frame.body.len() == 2 => {
                let session = running.session;
                if let Some(flow) = self.handle_short_ack(host, session, frame) {
                    return flow;
                }
            }
            // Whatever is wrong with it besides, which only a CONNACK could tell [MQTT-3.1.0-2].
            State::Running(_) if PacketType::of(frame.first) == Some(PacketType::Connect) => {
                return Close::refused(ReasonCode::PROTOCOL_ERROR, SECOND_CONNECT).into();
            }
            State::AwaitConnect => self.version = peek_version(raw).unwrap_or(self.version),
            State::Running(_) | State::Authenticating(_) | State::Pending(_) => {}
        }
        match decode(frame, self.version, Role::Server) {
            Ok(packet) => self.handle_packet(host, packet, raw),
            Err(error) => Flow::Close(error.into()),
        }
    }

    fn handle_packet<H: Host>(&mut self, host: &mut H, packet: Packet<'_>, raw: &[u8]) -> Flow {
        if packet.has_more_user_properties_than(host.config().packets.user_properties as usize) {
            return TOO_MANY_USER_PROPERTIES.into();
        }
        let session = match &self.state {
            State::Running(running) => running.session,
            State::AwaitConnect => {
                return match packet {
                    Packet::Connect(connect) => self.handle_connect(host, &connect, raw),
                    _ => Close::Silent { what: "first packet is not CONNECT" }.into(),
                };
            }
            State::Authenticating(_) => {
                return match packet {
                    Packet::Auth(auth) => self.handle_auth(host, &auth),
                    Packet::Disconnect(_) => Close::Disconnected { with_will: false }.into(),
                    _ => Close::refused(ReasonCode::PROTOCOL_ERROR, "packet before CONNACK").into(),
                };
            }
            // The driver hands over nothing now.
            State::Pending(_) => return Flow::Continue,
        };
        if host.wants().messages && packet.packet_type() != PacketType::Publish {
            host.trace(session, Way::Received, || Traced::of(&packet));
        }
        match packet {
            Packet::Publish(publish) => self.handle_publish(host, session, &publish),
            Packet::Puback(ack) => self.handle_puback(host, session, &ack),
            Packet::Pubrec(ack) => self.handle_pubrec(host, session, &ack),
            Packet::Pubrel(ack) => self.handle_pubrel(host, session, &ack),
            Packet::Pubcomp(ack) => self.handle_pubcomp(host, session, &ack),
            Packet::Subscribe(subscribe) => self.handle_subscribe(host, session, &subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                self.handle_unsubscribe(host, session, &unsubscribe)
            }
            Packet::Pingreq => self.handle_pingreq(host),
            Packet::Disconnect(packet) => disconnect::handle(host, session, &packet),
            Packet::Auth(auth) => self.handle_auth(host, &auth),
            // What only a Server sends.
            _ => Close::refused(ReasonCode::PROTOCOL_ERROR, "packet not allowed now").into(),
        }
    }

    fn handle_pingreq<H: Host>(&mut self, host: &mut H) -> Flow {
        host.link(self.key).out.bytes().extend_from_slice(&[0xD0, 0]);
        host.sent(self.key, PacketType::Pingresp);
        host.trace_link(self.key, Way::Sending, || Traced::Plain(PacketType::Pingresp));
        Flow::Continue
    }

    /// Writes what a closing connection is still owed: CONNACK or DISCONNECT with the reason.
    fn closed<H: Host>(&mut self, host: &mut H, close: Close) -> Progress {
        if let Close::Refused { reason, what } = close {
            if self.session().is_some() {
                disconnect::write_disconnect(host, self.key, reason, what);
            } else {
                self.refuse_connect(host, reason, what);
            }
        }
        Progress::Close(close)
    }

    fn holds_connect(&self) -> bool {
        self.connecting.as_ref().is_some_and(|one| !one.held.is_empty())
    }

    /// Whether the packet to be handled now is one that was counted before.
    fn was_counted(&self) -> bool {
        matches!(self.state, State::AwaitConnect)
            && self.connecting.as_ref().is_some_and(|one| one.counted)
    }

    /// Takes the machine apart for the journey to the shard that has its session.
    pub fn park(mut self) -> Parked {
        let counted = self.holds_connect() || self.was_counted();
        let Connecting { peer_identity, admitted, held: mut input, .. } =
            self.connecting.take().map(|one| *one).unwrap_or_default();
        input.extend_from_slice(&self.input);
        let (peer, accepted_ms) = (self.address(), self.accepted_ms);
        Parked {
            input,
            listener: self.listener,
            peer,
            accepted_ms,
            peer_identity,
            admitted,
            counted,
        }
    }

    /// Puts it together again; [`Connection::resume`] then handles the CONNECT.
    pub fn unpark(key: Key, parked: Parked, connect_size_max: u32, now_ms: u64) -> Self {
        let mut connection =
            Self::new(key, parked.listener, parked.peer, connect_size_max, parked.accepted_ms);
        connection.last_received_ms = now_ms;
        *connection.input = parked.input;
        let (peer_identity, admitted) = (parked.peer_identity, parked.admitted);
        let (held, counted) = (Vec::new(), parked.counted);
        if peer_identity.is_some() || admitted.is_some() || counted {
            let connecting = Connecting { peer_identity, admitted, held, counted };
            connection.connecting = Some(Box::new(connecting));
        }
        connection
    }
}

/// More than the option `max_user_properties` allows, in whatever packet.
pub(super) const TOO_MANY_USER_PROPERTIES: Close =
    Close::Refused { reason: ReasonCode::QUOTA_EXCEEDED, what: "too many user properties" };

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

enum Step {
    Done,
    NeedMore,
    Stop(Progress),
}

/// Whether this cannot be the beginning of a CONNECT, nor of a malformed one.
fn is_no_connect(bytes: &[u8]) -> bool {
    bytes[0] >> 4 != 1 || bytes.starts_with(TLS_HANDSHAKE)
}

/// How a TLS handshake begins: record type and major version.
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

/// What came where a CONNECT should have: people point the wrong program at a port.
fn what_it_is(bytes: &[u8]) -> &'static str {
    const METHODS: [&[u8]; 5] = [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS "];
    if METHODS.iter().any(|method| bytes.starts_with(method)) {
        "an HTTP request on a listener for MQTT"
    } else if bytes.starts_with(TLS_HANDSHAKE) {
        "a TLS handshake on a listener without TLS"
    } else if bytes.starts_with(b"PROXY ") || bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
        "a PROXY header on a listener without enable_proxy_protocol"
    } else {
        "first packet is not CONNECT"
    }
}

/// The protocol level of a CONNECT, as far as it has come: an error is answered in the Client's
/// own version.
fn peek_version(raw: &[u8]) -> Option<Version> {
    let length_len = raw.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 1;
    let body = raw.get(1 + length_len..)?;
    let level = body.strip_prefix(b"\x00\x04MQTT")?.first()?;
    (*level == 5).then_some(Version::V5)
}

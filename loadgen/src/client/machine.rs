//! The client: handshake, keep-alive, and frames to their roles.

use std::sync::Arc;

use pondhawk::protocol::{Packet, PacketType, RawFrame, Role as Side, Version, decode, split};

use crate::plan::{Expected, Flows, Share};
use crate::result::LatencyKind;

use super::board::Board;
use super::inflight::Opened;
use super::kind::Kind;
use super::publisher::Publisher;
use super::recorder::Recorder;
use super::subscriber::{self, Subscriber};
use super::wire;

/// The Reason Code with which a server says that another connection took over.
const SESSION_TAKEN_OVER: u8 = 0x8E;

/// Why a client's connection ended.
#[derive(Debug)]
pub struct Ended {
    /// In words.
    pub why: String,
    /// The server said that another connection has taken over.
    pub taken_over: bool,
}

impl Ended {
    /// For a reason in words.
    #[cold]
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), taken_over: false }
    }

    /// A packet that makes no sense at this point.
    #[cold]
    pub fn unexpected(frame: RawFrame<'_>) -> Self {
        match PacketType::of(frame.first) {
            Some(ty) => Self::because(format!("unexpected {ty:?}")),
            None => Self::because(format!("unknown packet type {:#04x}", frame.first)),
        }
    }
}

/// Where a client reaches beyond itself.
pub struct Context<'a> {
    /// What all clients share.
    pub board: &'a Board,
    /// What this thread measures.
    pub recorder: &'a mut Recorder,
    /// Time of the read or of the turn, [`crate::clock::now_ns`].
    pub now_ns: u64,
    /// Messages due from here on are recorded ...
    pub record_from: u64,
    /// ... until here.
    pub record_until: u64,
    /// Called with a publisher's first flow: it may have room.
    pub progress: &'a mut dyn FnMut(u32),
    /// Set when publishers of other processes have another clock.
    pub clock: Option<(&'a Flows, Share)>,
}

impl Context<'_> {
    /// Counts deliveries.
    #[inline]
    pub fn delivered(&mut self, flow: u32, count: u64) {
        if let Some((first, true)) = self.board.deliver(flow, count) {
            (self.progress)(first);
        }
    }

    /// Whether a time lies in the measurement window.
    #[inline]
    pub fn is_in_window(&self, at_ns: u64) -> bool {
        at_ns >= self.record_from && at_ns < self.record_until
    }

    /// Records how long an exchange has been open. It belongs to the window if its message was due
    /// there, so that a late generator does not change what is counted.
    #[inline]
    pub fn record_exchange(&mut self, kind: LatencyKind, opened: Opened) {
        let latency_ns = self.now_ns.saturating_sub(opened.sent_ns);
        self.recorder.record(kind, latency_ns, opened.in_window);
    }

    /// Records the time since `since_ns`, for the whole run if that lies in the window.
    #[inline]
    pub fn record(&mut self, kind: LatencyKind, since_ns: u64) {
        let in_window = self.is_in_window(since_ns);
        self.recorder.record(kind, self.now_ns.saturating_sub(since_ns), in_window);
    }

    /// Records the time since `since_ns`, whenever that was.
    pub fn record_always(&mut self, kind: LatencyKind, since_ns: u64) {
        self.recorder.record(kind, self.now_ns.saturating_sub(since_ns), true);
    }

    /// Whether the times of a flow's publisher are of this machine's clock.
    #[inline]
    pub fn has_clock_of(&self, flow: u32) -> bool {
        self.clock.is_none_or(|(flows, share)| share.has(flows.locate(flow).1))
    }
}

/// How far a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// CONNECT not yet written.
    New,
    /// CONNECT written.
    AwaitConnack,
    /// SUBSCRIBE written.
    AwaitSuback,
    /// Handshake complete.
    Ready,
}

/// One MQTT client.
#[derive(Debug)]
pub struct Client {
    /// When CONNECT, then when SUBSCRIBE was written.
    since_ns: u64,
    /// Publishes.
    pub publisher: Option<Box<Publisher>>,
    /// Receives; comes into being with the first message.
    pub subscriber: Option<Box<Subscriber>>,
    /// Position in the group.
    pub client: u32,
    /// Number of the group.
    pub group: u16,
    stage: Stage,
    /// A PINGREQ has no answer yet.
    pinged: bool,
    /// Subscribes only when it is told to.
    pub waits: bool,
}

/// What a client knows of its group.
#[derive(Clone, Copy)]
pub struct Ours<'a> {
    /// The group.
    pub kind: &'a Kind,
    /// What this client should hear.
    pub expected: Option<&'a Arc<Expected>>,
}

impl Client {
    /// A client at position `client` of a group.
    pub fn new(group: u16, client: u32, publisher: Option<Publisher>) -> Self {
        Self {
            since_ns: 0,
            publisher: publisher.map(Box::new),
            subscriber: None,
            client,
            group,
            stage: Stage::New,
            pinged: false,
            waits: false,
        }
    }

    /// How far the client is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// When it last wrote CONNECT or SUBSCRIBE.
    pub fn since_ns(&self) -> u64 {
        self.since_ns
    }

    /// Begins the handshake.
    pub fn connect(&mut self, kind: &Kind, now_ns: u64, out: &mut Vec<u8>) {
        wire::connect(kind, self.client, out);
        (self.since_ns, self.stage, self.pinged) = (now_ns, Stage::AwaitConnack, false);
    }

    /// Subscribes to the filters of its group.
    pub fn subscribe(&mut self, kind: &Kind, now_ns: u64, out: &mut Vec<u8>) {
        wire::subscribe(kind, self.client, out);
        (self.since_ns, self.stage) = (now_ns, Stage::AwaitSuback);
    }

    /// Sends a PINGREQ; `false` if the last one has no answer yet.
    pub fn ping(&mut self, version: Version, out: &mut Vec<u8>) -> bool {
        if self.stage != Stage::Ready {
            return true;
        }
        wire::ping(version, out);
        !std::mem::replace(&mut self.pinged, true)
    }

    /// Says goodbye.
    pub fn disconnect(&self, version: Version, out: &mut Vec<u8>) {
        if self.stage != Stage::New {
            wire::disconnect(version, out);
        }
    }

    /// The connection is gone; the next one begins anew.
    pub fn disconnected(&mut self) {
        self.stage = Stage::New;
        if let Some(publisher) = &mut self.publisher {
            publisher.disconnected();
        }
    }

    /// Takes all whole packets at the front of `bytes` and returns how many bytes they were.
    ///
    /// # Errors
    /// If the connection is of no use any more.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        ours: Ours<'_>,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Ended> {
        let mut used = 0;
        loop {
            let frame = split(&bytes[used..], u32::MAX)
                .map_err(|error| Ended::because(format!("bad packet: {}", error.what)))?;
            let Some(frame) = frame else { break };
            used += frame.size;
            self.on_frame(frame, ours, context, out)?;
        }
        if let Some(subscriber) = &mut self.subscriber {
            subscriber.settle(context);
        }
        Ok(used)
    }

    #[inline]
    fn on_frame(
        &mut self,
        frame: RawFrame<'_>,
        ours: Ours<'_>,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        let version = ours.kind.group.version;
        match (PacketType::of(frame.first), &mut self.publisher) {
            (Some(PacketType::Publish), _) => {
                let new = || Box::new(Subscriber::new(version, ours.expected.cloned()));
                let subscriber = self.subscriber.get_or_insert_with(new);
                subscriber.on_publish(frame, self.since_ns, context, out)
            }
            (
                Some(PacketType::Puback | PacketType::Pubrec | PacketType::Pubcomp),
                Some(publisher),
            ) => publisher.on_frame(frame, context, out),
            (Some(PacketType::Pubrel), _) => subscriber::release(version, frame, out),
            _ => self.on_control(frame, ours, context, out),
        }
    }

    #[cold]
    fn on_control(
        &mut self,
        frame: RawFrame<'_>,
        ours: Ours<'_>,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        let packet = decode(frame, ours.kind.group.version, Side::Client)
            .map_err(|error| Ended::because(format!("bad packet: {}", error.what)))?;
        match (self.stage, packet) {
            (Stage::AwaitConnack, Packet::Connack(connack)) => {
                if connack.reason.0 != 0 {
                    let code = connack.reason.0;
                    return Err(Ended::because(format!("CONNECT refused: {code:#04x}")));
                }
                context.record_always(LatencyKind::Connack, self.since_ns);
                context.recorder.totals.connected += 1;
                context.recorder.totals.open += 1;
                if let (Some(publisher), Some(most)) =
                    (&mut self.publisher, connack.properties.receive_maximum)
                {
                    publisher.limit_to(most);
                }
                self.stage = Stage::Ready;
                // A session that the server has kept has its subscriptions.
                let subscribed = connack.session_present && !ours.kind.group.clean;
                if subscribed {
                    context.recorder.totals.subscribed += 1;
                } else if !ours.kind.group.subscribe.is_empty() && !self.waits {
                    self.subscribe(ours.kind, context.now_ns, out);
                }
                Ok(())
            }
            (Stage::AwaitSuback, Packet::Suback(suback)) => {
                if let Some(code) = suback.codes.iter().find(|&&code| code >= 0x80) {
                    return Err(Ended::because(format!("SUBSCRIBE refused: {code:#04x}")));
                }
                context.record_always(LatencyKind::Suback, self.since_ns);
                context.recorder.totals.subscribed += 1;
                self.stage = Stage::Ready;
                Ok(())
            }
            (_, Packet::Pingresp) => {
                self.pinged = false;
                Ok(())
            }
            (_, Packet::Disconnect(disconnect)) => {
                let code = disconnect.reason.0;
                let why = format!("DISCONNECT by the broker: {code:#04x}");
                Err(Ended { why, taken_over: code == SESSION_TAKEN_OVER })
            }
            _ => Err(Ended::unexpected(frame)),
        }
    }
}

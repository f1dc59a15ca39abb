//! The client: handshake first, then its role.

use pondhawk::protocol::{Packet, PacketType, QoS, RawFrame, Role as Side, Version, decode, split};

use super::board::Board;
use super::publisher::Publisher;
use super::recorder::Recorder;
use super::subscriber::Subscriber;
use super::wire;

/// Why a client's connection ended.
#[derive(Debug)]
pub struct Ended(pub String);

impl Ended {
    /// A packet that makes no sense at this point.
    #[cold]
    pub fn unexpected(frame: RawFrame<'_>) -> Self {
        match PacketType::of(frame.first) {
            Some(ty) => Self(format!("unexpected {ty:?}")),
            None => Self(format!("unknown packet type {:#04x}", frame.first)),
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
    /// Called with a flow, the deliveries before and after: the flow's publisher may have room.
    pub progress: &'a mut dyn FnMut(u32, u64, u64),
}

impl Context<'_> {
    /// Counts deliveries.
    #[inline]
    pub fn delivered(&mut self, flow: u32, count: u64) {
        let before = self.board.deliver(flow, count);
        (self.progress)(flow, before, before + count);
    }
}

/// How far a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// CONNECT not yet written.
    New,
    /// CONNECT written at this time.
    AwaitConnack(u64),
    /// SUBSCRIBE written.
    AwaitSuback,
    /// Handshake complete.
    Ready,
}

/// What a client is for.
#[derive(Debug)]
pub enum Role {
    /// Publishes one flow.
    Publisher(Publisher),
    /// Hears flows, possibly none.
    Subscriber(Subscriber),
}

/// One MQTT client.
#[derive(Debug)]
pub struct Client {
    client_id: String,
    version: Version,
    subscription: Option<(String, QoS)>,
    stage: Stage,
    /// What it does once ready.
    pub role: Role,
}

impl Client {
    /// A client that subscribes to `subscription`, if any, as soon as it is connected.
    pub fn new(
        client_id: String,
        version: Version,
        subscription: Option<(String, QoS)>,
        role: Role,
    ) -> Self {
        Self { client_id, version, subscription, stage: Stage::New, role }
    }

    /// How far the client is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Begins the handshake; `opened_ns` is when the TCP connection was begun.
    pub fn connect(&mut self, opened_ns: u64, out: &mut Vec<u8>) {
        wire::connect(&self.client_id, self.version, out);
        self.stage = Stage::AwaitConnack(opened_ns);
    }

    /// Subscribes to one more filter.
    pub fn subscribe(&mut self, filter: &str, qos: QoS, out: &mut Vec<u8>) {
        wire::subscribe(filter, qos, self.version, out);
        self.stage = Stage::AwaitSuback;
    }

    /// Says goodbye.
    pub fn disconnect(&self, out: &mut Vec<u8>) {
        wire::disconnect(self.version, out);
    }

    /// Takes all whole packets at the front of `bytes` and returns how many bytes they were.
    ///
    /// # Errors
    /// If the connection is of no use any more.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Ended> {
        let mut used = 0;
        loop {
            let frame = split(&bytes[used..], u32::MAX)
                .map_err(|error| Ended(format!("bad packet: {}", error.what)))?;
            let Some(frame) = frame else { break };
            used += frame.size;
            match (self.stage, &mut self.role) {
                (Stage::Ready, Role::Publisher(publisher)) => {
                    publisher.on_frame(frame, context, out)?;
                }
                (Stage::Ready, Role::Subscriber(subscriber)) => {
                    subscriber.on_frame(frame, context, out)?;
                }
                _ => self.on_handshake(frame, context, out)?,
            }
        }
        if let Role::Subscriber(subscriber) = &mut self.role {
            subscriber.settle(context);
        }
        Ok(used)
    }

    #[cold]
    fn on_handshake(
        &mut self,
        frame: RawFrame<'_>,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        let packet = decode(frame, self.version, Side::Client)
            .map_err(|error| Ended(format!("bad packet: {}", error.what)))?;
        match (self.stage, packet) {
            (Stage::AwaitConnack(since), Packet::Connack(connack)) => {
                if connack.reason.0 != 0 {
                    return Err(Ended(format!("CONNECT refused: {:#04x}", connack.reason.0)));
                }
                context.recorder.connect.record_ns(context.now_ns.saturating_sub(since));
                context.recorder.totals.connected += 1;
                self.on_connected(connack.properties.receive_maximum, out);
                Ok(())
            }
            (Stage::AwaitSuback, Packet::Suback(suback)) => {
                if let Some(code) = suback.codes.iter().find(|&&code| code >= 0x80) {
                    return Err(Ended(format!("SUBSCRIBE refused: {code:#04x}")));
                }
                context.recorder.totals.subscribed += 1;
                self.stage = Stage::Ready;
                Ok(())
            }
            _ => Err(Ended::unexpected(frame)),
        }
    }

    fn on_connected(&mut self, receive_maximum: Option<u16>, out: &mut Vec<u8>) {
        if let (Role::Publisher(publisher), Some(maximum)) = (&mut self.role, receive_maximum) {
            publisher.limit_to(maximum);
        }
        self.stage = Stage::Ready;
        if let Some((filter, qos)) = self.subscription.take() {
            self.subscribe(&filter, qos, out);
        }
    }
}

//! What a shard tells the log.

use super::{Close, Peer};
use crate::metrics::DropReason;
use crate::protocol::{Packet, PacketType, Publish, QoS, ReasonCode, Version};

/// Something worth a log line. Made only when the log wants it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A Client is connected.
    Connected {
        /// Its address.
        peer: Peer,
        /// Its ClientId.
        client_id: Box<str>,
        /// Protocol version.
        version: Version,
        /// Clean Start.
        clean_start: bool,
        /// Keep Alive in seconds.
        keep_alive: u16,
        /// User Name.
        username: Option<Box<str>>,
    },
    /// A Client connects whose session has a connection already; that one is closed.
    TakenOver {
        /// ClientId.
        client_id: Box<str>,
    },
    /// A connection has ended.
    Closed {
        /// Its address.
        peer: Peer,
        /// ClientId, empty before CONNECT.
        client_id: Box<str>,
        /// How.
        close: Close,
        /// Reason code in the Client's DISCONNECT, or in ours.
        reason: ReasonCode,
    },
    /// Messages for a Client are being dropped; said once until its queue has emptied.
    Dropping {
        /// ClientId.
        client_id: Box<str>,
        /// Why the first of them was.
        reason: DropReason,
    },
    /// A Client has more unacknowledged publications than the Receive Maximum that it was told;
    /// said once for each connection.
    ReceiveMaximumExceeded {
        /// ClientId.
        client_id: Box<str>,
    },
    /// A subscription was made.
    Subscribed {
        /// ClientId.
        client_id: Box<str>,
        /// Topic Filter.
        filter: Box<str>,
        /// Granted QoS or failure.
        code: ReasonCode,
    },
    /// A subscription was removed.
    Unsubscribed {
        /// ClientId.
        client_id: Box<str>,
        /// Topic Filter.
        filter: Box<str>,
    },
    /// A packet came in or goes out.
    Packet {
        /// ClientId, or the address where there is none yet.
        client_id: Box<str>,
        /// Which way.
        way: Way,
        /// The packet.
        packet: Traced,
    },
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the Client.
    Received,
    /// To the Client.
    Sending,
    /// From the Client, who may not publish that.
    Denied,
}

/// A packet, or a part of one, as far as the log tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    /// A type of which nothing more is told.
    Plain(PacketType),
    /// CONNACK.
    Connack {
        /// Session Present.
        session_present: bool,
        /// Reason Code, or return code.
        code: u8,
    },
    /// PUBLISH.
    Publish {
        /// DUP, QoS and RETAIN as a fixed header's low bits.
        flags: u8,
        /// Packet Identifier, 0 at QoS 0.
        packet_id: u16,
        /// Topic Name.
        topic: Box<str>,
        /// Payload bytes.
        payload: usize,
    },
    /// PUBACK, PUBREC, PUBREL, PUBCOMP.
    Ack {
        /// Which of them.
        kind: PacketType,
        /// Packet Identifier.
        packet_id: u16,
        /// Reason Code.
        code: u8,
    },
    /// DISCONNECT or AUTH with its Reason Code.
    Reason {
        /// Which of them.
        kind: PacketType,
        /// Reason Code.
        code: u8,
    },
    /// A Topic Filter of the SUBSCRIBE just told of, with the QoS asked for, or of the UNSUBSCRIBE.
    Filter {
        /// Topic Filter.
        filter: Box<str>,
        /// Maximum QoS.
        qos: Option<u8>,
    },
    /// The Will of the CONNECT just told of, if it has one: topic, payload bytes, flags.
    Will(Option<(Box<str>, usize, u8)>),
}

impl Traced {
    /// An incoming PUBLISH, its alias resolved.
    pub fn publish(topic: &str, publish: &Publish<'_>) -> Self {
        Self::Publish {
            flags: flags(publish.dup, publish.qos, publish.retain),
            packet_id: publish.packet_id,
            topic: topic.into(),
            payload: publish.payload.len(),
        }
    }

    /// An incoming packet that is no PUBLISH.
    pub fn of(packet: &Packet<'_>) -> Self {
        let kind = packet.packet_type();
        match packet {
            Packet::Puback(ack)
            | Packet::Pubrec(ack)
            | Packet::Pubrel(ack)
            | Packet::Pubcomp(ack) => {
                Self::Ack { kind, packet_id: ack.packet_id, code: ack.reason.0 }
            }
            Packet::Auth(auth) => Self::Reason { kind, code: auth.reason.0 },
            _ => Self::Plain(kind),
        }
    }
}

/// The low bits of PUBLISH's fixed header.
pub fn flags(dup: bool, qos: QoS, retain: bool) -> u8 {
    u8::from(dup) << 3 | (qos as u8) << 1 | u8::from(retain)
}

//! Why a connection ends, and what its machine tells the shard.

use std::net::SocketAddr;

use crate::metrics::DropReason;
use crate::protocol::{DecodeError, ReasonCode, Version};

/// Why a connection ends. It decides what is sent, what is logged and what becomes of the Will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The Client sent DISCONNECT; the Will is published only if it asked for that (0x04).
    Disconnected {
        /// The Will is to be published.
        with_will: bool,
    },
    /// The network connection ended without DISCONNECT.
    PeerGone,
    /// The Client broke the protocol or a limit: DISCONNECT (v5) with the reason.
    Refused {
        /// Reason code of the DISCONNECT.
        reason: ReasonCode,
        /// What was wrong, for the log and the Reason String.
        what: &'static str,
    },
    /// Nothing may be sent: what came first was no CONNECT, or CONNACK has said it already.
    Silent {
        /// What was wrong, for the log.
        what: &'static str,
    },
}

impl Close {
    /// The broker refuses with `reason`.
    pub fn refused(reason: ReasonCode, what: &'static str) -> Self {
        Self::Refused { reason, what }
    }
}

impl From<DecodeError> for Close {
    fn from(error: DecodeError) -> Self {
        Self::Refused { reason: error.reason, what: error.what }
    }
}

/// What follows from one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on with the next packet.
    Continue,
    /// Close the connection.
    Close(Close),
    /// The session lives on that shard: the connection goes there, CONNECT unconsumed.
    Move(u16),
}

impl From<Result<(), Close>> for Flow {
    fn from(result: Result<(), Close>) -> Self {
        result.map_or_else(Self::Close, |()| Self::Continue)
    }
}

impl From<Close> for Flow {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

/// Something worth a log line. Made only when the log wants it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A Client is connected.
    Connected {
        /// Its address.
        peer: SocketAddr,
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
    /// A connection attempt was refused.
    ConnectRefused {
        /// Its address.
        peer: SocketAddr,
        /// Why.
        what: Box<str>,
    },
    /// A connection has ended.
    Closed {
        /// Its address.
        peer: SocketAddr,
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
    /// An Application Message came in.
    Published {
        /// ClientId.
        client_id: Box<str>,
        /// Topic Name.
        topic: Box<str>,
        /// DUP, QoS and RETAIN as a fixed header's low bits.
        flags: u8,
        /// Packet Identifier, 0 at QoS 0.
        packet_id: u16,
        /// Payload bytes.
        payload: usize,
    },
}

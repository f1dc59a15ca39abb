//! Why a connection ends, and what its machine tells the shard.

use crate::protocol::{DecodeError, ReasonCode};

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
    /// Nothing may be sent, and the log has it already.
    Reported,
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

//! What is wrong with a packet that cannot be decoded.

use super::reason::ReasonCode;

/// The peer broke the protocol: what to answer, which clause, and a phrase for the log.
///
/// Always the peer's fault; the connection is closed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DecodeError {
    /// The v5 Reason Code for CONNACK or DISCONNECT.
    pub reason: ReasonCode,
    /// The clause of MQTT 5.0 that was violated, such as `MQTT-3.3.2-2`, or empty.
    pub clause: &'static str,
    /// What was found, in lower case and without a full stop.
    pub what: &'static str,
}

impl DecodeError {
    /// An error with the given reason.
    #[cold]
    pub const fn new(reason: ReasonCode, clause: &'static str, what: &'static str) -> Self {
        Self { reason, clause, what }
    }

    /// The bytes cannot be parsed (0x81).
    #[cold]
    pub const fn malformed(clause: &'static str, what: &'static str) -> Self {
        Self::new(ReasonCode::MALFORMED_PACKET, clause, what)
    }

    /// The bytes parse, but say something that is not allowed (0x82).
    #[cold]
    pub const fn protocol(clause: &'static str, what: &'static str) -> Self {
        Self::new(ReasonCode::PROTOCOL_ERROR, clause, what)
    }
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (0x{:02X})", self.what, self.reason.0)?;
        if self.clause.is_empty() { Ok(()) } else { write!(f, " [{}]", self.clause) }
    }
}

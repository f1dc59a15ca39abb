//! Quality of Service levels.

/// The delivery guarantee of one Application Message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// No acknowledgement, no Packet Identifier.
    #[default]
    AtMostOnce = 0,
    /// PUBACK; may arrive more than once.
    AtLeastOnce = 1,
    /// PUBREC, PUBREL, PUBCOMP; arrives exactly once.
    ExactlyOnce = 2,
}

impl QoS {
    /// The level for a wire value, or `None` from 3 upward.
    #[inline]
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

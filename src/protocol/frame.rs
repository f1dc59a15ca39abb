//! The fixed header: cutting whole Control Packets out of a byte stream.

use super::error::DecodeError;
use super::reason::ReasonCode;

/// The largest Remaining Length that four bytes can hold, in bytes.
pub const MAX_REMAINING_LENGTH: usize = 268_435_455;

/// One whole Control Packet, not looked into yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFrame<'a> {
    /// The first byte: packet type and flags.
    pub first: u8,
    /// Everything after the fixed header.
    pub body: &'a [u8],
    /// The size of the whole packet in bytes, fixed header included.
    pub size: usize,
}

impl RawFrame<'_> {
    /// Whether the Remaining Length took more bytes than needed, which 3.1.1 allows and v5 does
    /// not [MQTT-1.5.5-1].
    #[inline]
    pub(super) fn is_overlong(&self) -> bool {
        self.size != 1 + super::wire::varint_len(self.body.len()) + self.body.len()
    }
}

/// The type of a Control Packet; the value is the upper four bits of the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the specification's own names")]
pub enum PacketType {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// All types, ascending.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::Connack,
        Self::Publish,
        Self::Puback,
        Self::Pubrec,
        Self::Pubrel,
        Self::Pubcomp,
        Self::Subscribe,
        Self::Suback,
        Self::Unsubscribe,
        Self::Unsuback,
        Self::Pingreq,
        Self::Pingresp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The type that a packet's first byte announces, or `None` for the forbidden type 0.
    #[inline]
    pub const fn of(first_byte: u8) -> Option<Self> {
        match first_byte >> 4 {
            0 => None,
            nibble => Some(Self::ALL[nibble as usize - 1]),
        }
    }

    /// The specification's name, in upper case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }

    /// The flags this type must carry in the lower half of its first byte [MQTT-2.1.3-1].
    /// PUBLISH has flags of its own; its answer here is 0.
    #[inline]
    pub const fn fixed_flags(self) -> u8 {
        match self {
            Self::Pubrel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            _ => 0,
        }
    }

    /// The first byte of such a packet, with [`PacketType::fixed_flags`].
    #[inline]
    pub const fn first_byte(self) -> u8 {
        (self as u8) << 4 | self.fixed_flags()
    }
}

/// Cuts the first Control Packet off `buf`.
///
/// `Ok(None)` asks for more bytes. `max_packet_size` is in bytes and counts the whole packet.
///
/// # Errors
/// - 0x81 when the Remaining Length has a fifth byte.
/// - 0x95 when the packet is larger than `max_packet_size`, as soon as its length is known: the
///   body is neither waited for nor allocated.
#[inline]
pub fn split(buf: &[u8], max_packet_size: u32) -> Result<Option<RawFrame<'_>>, DecodeError> {
    let [first, rest @ ..] = buf else { return Ok(None) };
    let (length, header) = match rest {
        [] => return Ok(None),
        // Nearly every packet: one length byte.
        [byte, ..] if byte & 0x80 == 0 => (*byte as usize, 2),
        _ => match long_length(rest)? {
            None => return Ok(None),
            Some((length, bytes)) => (length, 1 + bytes),
        },
    };
    let size = header + length;
    if size > max_packet_size as usize {
        let what = "packet exceeds the maximum packet size";
        return Err(DecodeError::new(ReasonCode::PACKET_TOO_LARGE, "MQTT-3.1.2-24", what));
    }
    Ok(buf.get(header..size).map(|body| RawFrame { first: *first, body, size }))
}

/// A Remaining Length of up to four bytes, with the number of bytes it took.
fn long_length(rest: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let mut length = 0;
    for (i, &byte) in rest.iter().take(4).enumerate() {
        length |= ((byte & 0x7F) as usize) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((length, i + 1)));
        }
    }
    if rest.len() < 4 {
        return Ok(None);
    }
    Err(DecodeError::malformed("MQTT-1.5.5-1", "remaining length is longer than four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LIMIT: u32 = u32::MAX;

    #[test]
    fn waits_for_the_whole_packet_and_leaves_the_next() {
        let stream = [0x30, 3, 0, 1, b'a', 0xC0, 0];
        for end in 0..5 {
            assert_eq!(split(&stream[..end], NO_LIMIT), Ok(None), "{end}");
        }
        let frame = split(&stream, NO_LIMIT).unwrap().unwrap();
        assert_eq!((frame.first, frame.body, frame.size), (0x30, &stream[2..5], 5));
        let next = split(&stream[frame.size..], NO_LIMIT).unwrap().unwrap();
        assert_eq!((next.first, next.body, next.size), (0xC0, &[][..], 2));
    }

    #[test]
    fn remaining_length_borders() {
        // Table 2-5 of the specification.
        let cases: [(&[u8], usize); 8] = [
            (&[0x00], 0),
            (&[0x7F], 127),
            (&[0x80, 0x01], 128),
            (&[0xFF, 0x7F], 16_383),
            (&[0x80, 0x80, 0x01], 16_384),
            (&[0xFF, 0xFF, 0x7F], 2_097_151),
            (&[0x80, 0x80, 0x80, 0x01], 2_097_152),
            (&[0xFF, 0xFF, 0xFF, 0x7F], MAX_REMAINING_LENGTH),
        ];
        for (bytes, length) in cases {
            let mut buf = vec![0x30];
            buf.extend_from_slice(bytes);
            let size = buf.len() + length;
            assert_eq!(split(&buf, size as u32).map(|f| f.is_some()), Ok(length == 0));
            let error = split(&buf, size as u32 - 1).unwrap_err();
            assert_eq!(error.reason, ReasonCode::PACKET_TOO_LARGE, "{length}");
            if length < 1 << 22 {
                buf.resize(size, 7);
                let frame = split(&buf, size as u32).unwrap().unwrap();
                assert_eq!((frame.body.len(), frame.size), (length, size));
                assert!(!frame.is_overlong());
            }
        }
    }

    #[test]
    fn a_fifth_length_byte_is_malformed_at_once() {
        assert_eq!(split(&[0x10, 0xFF, 0xFF, 0xFF], 10), Ok(None));
        let error = split(&[0x10, 0xFF, 0xFF, 0xFF, 0xFF], 10).unwrap_err();
        assert_eq!(error.reason, ReasonCode::MALFORMED_PACKET);
    }

    #[test]
    fn an_overlong_length_is_noticed() {
        let frame = split(&[0xC0, 0x80, 0x00], NO_LIMIT).unwrap().unwrap();
        assert!(frame.is_overlong());
    }

    #[test]
    fn types_of_all_first_bytes() {
        for first in 0..=u8::MAX {
            let ty = PacketType::of(first);
            assert_eq!(ty.map_or(0, |ty| ty as u8), first >> 4);
        }
    }
}

//! SUBACK and UNSUBACK, which have one shape.

use super::ack::{read_explanation, write_explanation};
use super::error::DecodeError;
use super::frame::PacketType;
use super::reason::ReasonCode;
use super::user_properties::UserProperties;
use super::version::Version;
use super::wire::{Reader, put};

/// The SUBACK or UNSUBACK packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suback<'a> {
    /// Packet Identifier of the request; not zero.
    pub packet_id: u16,
    /// Reason String.
    pub reason_string: Option<&'a str>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
    /// One Reason Code for each filter of the request, in its order. A v3 UNSUBACK has none.
    pub codes: &'a [u8],
}

/// The one failure code of a v3 SUBACK.
const FAILURE_V3: u8 = 0x80;

pub(super) fn decode(
    body: &[u8],
    version: Version,
    ty: PacketType,
) -> Result<Suback<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut suback = Suback { packet_id: reader.packet_id()?, ..Suback::default() };
    if version.is_v5() {
        (suback.reason_string, suback.user_properties) = read_explanation(&mut reader, ty)?;
    } else if ty == PacketType::Unsuback {
        reader.finish()?;
        return Ok(suback);
    }
    suback.codes = reader.into_rest();
    if suback.codes.is_empty() {
        return Err(DecodeError::protocol("", "no reason code"));
    }
    let defined = |&code: &u8| match version {
        Version::V5 => ReasonCode(code).valid_in(ty),
        _ => matches!(code, 0..=2 | FAILURE_V3),
    };
    if !suback.codes.iter().all(defined) {
        return Err(DecodeError::protocol("", "reason code is not defined for this packet"));
    }
    Ok(suback)
}

impl Suback<'_> {
    pub(super) fn encode(&self, ty: PacketType, version: Version, out: &mut Vec<u8>) {
        out.push(ty.first_byte());
        put::with_length(out, |out| {
            put::two(out, self.packet_id);
            if version.is_v5() {
                write_explanation(self.reason_string, &self.user_properties, out);
                out.extend_from_slice(self.codes);
            } else if ty == PacketType::Suback {
                out.extend(self.codes.iter().map(|&code| code.min(FAILURE_V3)));
            }
        });
    }
}

//! PUBACK, PUBREC, PUBREL and PUBCOMP, which have one shape.

use super::error::DecodeError;
use super::frame::PacketType;
use super::property::{Properties, Property, Scope};
use super::reason::ReasonCode;
use super::user_properties::UserProperties;
use super::version::Version;
use super::wire::{Reader, put};

/// One step of a QoS 1 or QoS 2 exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Packet Identifier of the PUBLISH; not zero.
    pub packet_id: u16,
    /// Reason Code; [`ReasonCode::SUCCESS`] in v3.
    pub reason: ReasonCode,
    /// Reason String.
    pub reason_string: Option<&'a str>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
}

pub(super) fn decode(
    body: &[u8],
    version: Version,
    ty: PacketType,
) -> Result<Ack<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut ack = Ack { packet_id: reader.packet_id()?, ..Ack::default() };
    // The Reason Code may be left out for Success, and the Property Length when it is zero.
    if version.is_v5() && !reader.is_empty() {
        ack.reason = read_reason(&mut reader, ty)?;
        if !reader.is_empty() {
            (ack.reason_string, ack.user_properties) = read_explanation(&mut reader, ty)?;
        }
    }
    reader.finish()?;
    Ok(ack)
}

impl Ack<'_> {
    pub(super) fn encode(&self, ty: PacketType, version: Version, out: &mut Vec<u8>) {
        if !version.is_v5() || self.reason_string.is_none() && self.user_properties.is_empty() {
            return encode_ack(ty, version, self.packet_id, self.reason, out);
        }
        out.push(ty.first_byte());
        put::with_length(out, |out| {
            put::two(out, self.packet_id);
            out.push(self.reason.0);
            write_explanation(self.reason_string, &self.user_properties, out);
        });
    }
}

/// Appends a PUBACK, PUBREC, PUBREL or PUBCOMP in its shortest form.
///
/// v3 has no Reason Code: there a failed exchange looks like a successful one.
#[inline]
pub fn encode_ack(
    ty: PacketType,
    version: Version,
    packet_id: u16,
    reason: ReasonCode,
    out: &mut Vec<u8>,
) {
    let [high, low] = packet_id.to_be_bytes();
    if reason == ReasonCode::SUCCESS || !version.is_v5() {
        out.extend_from_slice(&[ty.first_byte(), 2, high, low]);
    } else {
        out.extend_from_slice(&[ty.first_byte(), 3, high, low, reason.0]);
    }
}

/// Reads a Reason Code that must be defined for `ty`.
pub(super) fn read_reason(
    reader: &mut Reader<'_>,
    ty: PacketType,
) -> Result<ReasonCode, DecodeError> {
    let reason = ReasonCode(reader.byte()?);
    if reason.valid_in(ty) {
        return Ok(reason);
    }
    Err(DecodeError::protocol("", "reason code is not defined for this packet"))
}

/// Reads the section of packets that have no more than a Reason String and User Properties.
pub(super) fn read_explanation<'a>(
    reader: &mut Reader<'a>,
    ty: PacketType,
) -> Result<(Option<&'a str>, UserProperties<'a>), DecodeError> {
    let mut reason_string = None;
    let mut properties = Properties::take(reader, Scope::of(ty))?;
    while let Some(property) = properties.next()? {
        if let Property::ReasonString(text) = property {
            reason_string = Some(text);
        }
    }
    Ok((reason_string, properties.user_properties()))
}

/// Appends a section of a Reason String and User Properties.
pub(super) fn write_explanation(
    reason_string: Option<&str>,
    user_properties: &UserProperties<'_>,
    out: &mut Vec<u8>,
) {
    put::with_length(out, |out| {
        Property::write_some(reason_string, Property::ReasonString, out);
        user_properties.write(out);
    });
}

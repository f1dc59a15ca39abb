//! Decoding: which packets may arrive, and the dispatch to their families.

use super::error::DecodeError;
use super::frame::{PacketType, RawFrame};
use super::packet::Packet;
use super::version::Version;
use super::{ack, auth, connack, connect, disconnect, publish, suback, subscribe};

/// Whose ears hear the packet: it decides which packets the other side may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Decodes what clients send.
    Server,
    /// Decodes what servers send.
    Client,
}

impl Role {
    /// Whether the other side may send packets of this type [MQTT-2.1.2].
    const fn hears(self, ty: PacketType, version: Version) -> bool {
        use PacketType::*;
        match ty {
            Connect | Subscribe | Unsubscribe | Pingreq => matches!(self, Self::Server),
            Connack | Suback | Unsuback | Pingresp => matches!(self, Self::Client),
            Disconnect => matches!(self, Self::Server) || version.is_v5(),
            Publish | Puback | Pubrec | Pubrel | Pubcomp | Auth => true,
        }
    }
}

/// Decodes a packet that [`split`](super::split) cut out.
///
/// `version` is the connection's; for CONNECT it is ignored and read from the packet.
///
/// # Errors
/// The first violation found; see [`DecodeError`]. In particular 0x81 for packet type 0 (and 15 in
/// v3), 0x82 for a packet that only the own side may send, 0x84 for a CONNECT with an unknown
/// Protocol Name or Level.
#[inline]
pub fn decode<'a>(
    frame: RawFrame<'a>,
    version: Version,
    role: Role,
) -> Result<Packet<'a>, DecodeError> {
    if frame.first >> 4 == PacketType::Publish as u8 {
        return publish::decode_publish(frame, version, role).map(Packet::Publish);
    }
    decode_other(frame, version, role)
}

/// Every packet but PUBLISH, kept out of line so that PUBLISH stays short.
fn decode_other<'a>(
    frame: RawFrame<'a>,
    version: Version,
    role: Role,
) -> Result<Packet<'a>, DecodeError> {
    let ty = PacketType::of(frame.first)
        .ok_or(DecodeError::malformed("", "packet type 0 is reserved"))?;
    admit(&frame, ty, version, role)?;
    let body = frame.body;
    Ok(match ty {
        PacketType::Connect => Packet::Connect(connect::decode(&frame)?),
        PacketType::Connack => Packet::Connack(connack::decode(body, version)?),
        PacketType::Publish => Packet::Publish(publish::decode_publish(frame, version, role)?),
        PacketType::Puback => Packet::Puback(ack::decode(body, version, ty)?),
        PacketType::Pubrec => Packet::Pubrec(ack::decode(body, version, ty)?),
        PacketType::Pubrel => Packet::Pubrel(ack::decode(body, version, ty)?),
        PacketType::Pubcomp => Packet::Pubcomp(ack::decode(body, version, ty)?),
        PacketType::Subscribe => Packet::Subscribe(subscribe::decode_subscribe(body, version)?),
        PacketType::Suback => Packet::Suback(suback::decode(body, version, ty)?),
        PacketType::Unsubscribe => {
            Packet::Unsubscribe(subscribe::decode_unsubscribe(body, version)?)
        }
        PacketType::Unsuback => Packet::Unsuback(suback::decode(body, version, ty)?),
        PacketType::Pingreq => empty(body, Packet::Pingreq)?,
        PacketType::Pingresp => empty(body, Packet::Pingresp)?,
        PacketType::Disconnect => Packet::Disconnect(disconnect::decode(body, version, role)?),
        PacketType::Auth => Packet::Auth(auth::decode(body, role)?),
    })
}

/// Checks the fixed header: who sends it, in which version, with which flags.
fn admit(
    frame: &RawFrame<'_>,
    ty: PacketType,
    version: Version,
    role: Role,
) -> Result<(), DecodeError> {
    if !role.hears(ty, version) {
        return Err(DecodeError::protocol("", "packet type does not come from this side"));
    }
    if ty == PacketType::Auth && !version.is_v5() {
        return Err(DecodeError::malformed("", "packet type 15 is reserved before MQTT 5.0"));
    }
    // 3.1 lets senders set DUP on PUBREL, SUBSCRIBE and UNSUBSCRIBE, and reserves nothing.
    let lenient = version == Version::V31 && ty != PacketType::Connect;
    if frame.first & 0x0F != ty.fixed_flags() && !lenient {
        return Err(DecodeError::malformed("MQTT-2.1.3-1", "reserved flags of the fixed header"));
    }
    // CONNECT brings its own version and checks this itself.
    if version.is_v5() && ty != PacketType::Connect {
        check_shortest(frame)?;
    }
    Ok(())
}

/// Refuses a Remaining Length that is longer than it need be [MQTT-1.5.5-1].
#[inline]
pub(super) fn check_shortest(frame: &RawFrame<'_>) -> Result<(), DecodeError> {
    if frame.is_overlong() {
        let what = "remaining length is not in its shortest form";
        return Err(DecodeError::malformed("MQTT-1.5.5-1", what));
    }
    Ok(())
}

fn empty<'a>(body: &[u8], packet: Packet<'a>) -> Result<Packet<'a>, DecodeError> {
    if body.is_empty() { Ok(packet) } else { Err(DecodeError::malformed("", "ping has a body")) }
}

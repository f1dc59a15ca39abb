//! The little of MQTT that the hot path reads by itself, and the packets of the handshake.
//!
//! PUBLISH and acknowledgements are not decoded in full: the generator must cost less than the
//! broker it loads, and knows where the payload is. Everything else goes through the codec.

use pondhawk::protocol::{
    Connect, ConnectProperties, Packet, QoS, RawFrame, Subscribe, SubscribeOptions, Version, encode,
};

use super::machine::Ended;

/// What matters of an incoming PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// QoS of the delivery.
    pub qos: QoS,
    /// Packet Identifier; 0 for QoS 0.
    pub packet_id: u16,
    /// The last `size` bytes of the packet, or fewer.
    pub payload: &'a [u8],
}

/// Reads an incoming PUBLISH whose payload is known to have `size` bytes.
///
/// # Errors
/// If the packet is too short for what its header says.
#[inline]
pub fn delivery(frame: RawFrame<'_>, size: usize) -> Result<Delivery<'_>, Ended> {
    let truncated = || Ended("truncated PUBLISH".to_owned());
    let qos = QoS::from_u8((frame.first >> 1) & 3).ok_or_else(truncated)?;
    let (topic_len, rest) = frame.body.split_first_chunk::<2>().ok_or_else(truncated)?;
    let rest = rest.get(usize::from(u16::from_be_bytes(*topic_len))..).ok_or_else(truncated)?;
    let (packet_id, rest) = match qos {
        QoS::AtMostOnce => (0, rest),
        _ => {
            let (id, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
            (u16::from_be_bytes(*id), rest)
        }
    };
    let payload = &rest[rest.len().saturating_sub(size)..];
    Ok(Delivery { qos, packet_id, payload })
}

/// Packet identifier of a PUBACK, PUBREC, PUBREL or PUBCOMP, and whether its reason is an error.
///
/// # Errors
/// If the packet is too short.
#[inline]
pub fn acknowledgement(frame: RawFrame<'_>) -> Result<(u16, bool), Ended> {
    let (id, rest) = frame.body.split_first_chunk::<2>().ok_or_else(|| Ended::unexpected(frame))?;
    let refused = rest.first().is_some_and(|&reason| reason >= 0x80);
    Ok((u16::from_be_bytes(*id), refused))
}

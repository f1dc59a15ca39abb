//! The little of MQTT that the hot path reads by itself, and the packets of the handshake.
//!
//! PUBLISH and acknowledgements are not decoded in full: the generator must cost less than the
//! broker it loads, and knows where the payload is. Everything else goes through the codec.

use pondhawk::protocol::{
    Connect, ConnectProperties, Disconnect, Packet, QoS, RawFrame, Subscribe, SubscribeFilters,
    SubscribeOptions, UserProperties, Version, encode,
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

/// Appends a CONNECT with Clean Start and no Keep Alive.
pub fn connect(client_id: &str, version: Version, out: &mut Vec<u8>) {
    let connect = Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_id,
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    };
    encode(&Packet::Connect(Box::new(connect)), version, out);
}

/// Appends a SUBSCRIBE to one filter.
pub fn subscribe(filter: &str, qos: QoS, version: Version, out: &mut Vec<u8>) {
    let filters = [(filter, SubscribeOptions::at(qos))];
    let subscribe = Subscribe {
        // Subscribers have one SUBSCRIBE open at a time and publish nothing.
        packet_id: 1,
        subscription_id: None,
        user_properties: UserProperties::default(),
        filters: SubscribeFilters::from_slice(&filters),
    };
    encode(&Packet::Subscribe(subscribe), version, out);
}

/// Appends a DISCONNECT.
pub fn disconnect(version: Version, out: &mut Vec<u8>) {
    encode(&Packet::Disconnect(Disconnect::default()), version, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use pondhawk::protocol::split;

    fn frame(bytes: &[u8]) -> RawFrame<'_> {
        split(bytes, u32::MAX).unwrap().unwrap()
    }

    #[test]
    fn the_payload_is_found_behind_topic_identifier_and_properties() {
        let qos_0 = [0x30, 6, 0, 1, b't', b'a', b'b', b'c'];
        let expected = Delivery { qos: QoS::AtMostOnce, packet_id: 0, payload: b"abc" };
        assert_eq!(delivery(frame(&qos_0), 3).unwrap(), expected);
        // QoS 1, packet 0x0102, a Message Expiry property.
        let v5 = [0x32, 12, 0, 1, b't', 1, 2, 5, 2, 0, 0, 0, 9, b'a'];
        let expected = Delivery { qos: QoS::AtLeastOnce, packet_id: 0x0102, payload: b"a" };
        assert_eq!(delivery(frame(&v5), 1).unwrap(), expected);
    }

    #[test]
    fn a_truncated_publish_is_an_error() {
        for bytes in [&[0x30, 1, 0][..], &[0x30, 3, 0, 9, b't'], &[0x32, 4, 0, 1, b't', 0]] {
            assert!(delivery(frame(bytes), 16).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn refusals_are_told_from_success() {
        assert_eq!(acknowledgement(frame(&[0x40, 2, 0, 7])).unwrap(), (7, false));
        assert_eq!(acknowledgement(frame(&[0x40, 3, 0, 7, 0x10])).unwrap(), (7, false));
        assert_eq!(acknowledgement(frame(&[0x40, 3, 0, 7, 0x97])).unwrap(), (7, true));
        assert!(acknowledgement(frame(&[0x40, 1, 0])).is_err());
    }
}

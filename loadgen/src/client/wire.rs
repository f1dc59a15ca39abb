//! The little of MQTT that the hot path reads by itself, and the packets of the handshake.
//!
//! PUBLISH and acknowledgements are not decoded in full: the generator must cost less than the
//! broker it loads, and knows where the payload is. Everything else goes through the codec.

use pondhawk::protocol::{
    Connect, ConnectProperties, Disconnect, ForwardProperties, Packet, QoS, RawFrame, Subscribe,
    SubscribeFilters, SubscribeOptions, UserProperties, Version, Will, encode,
};

use super::kind::Kind;
use super::machine::Ended;
use super::stamp::{STAMP_LEN, Stamp, WILL_FLOW};

/// What matters of an incoming PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// QoS of the delivery.
    pub qos: QoS,
    /// Packet Identifier; 0 for QoS 0.
    pub packet_id: u16,
    /// RETAIN: the message was retained when the client subscribed.
    pub retained: bool,
    /// The payload.
    pub payload: &'a [u8],
}

/// Reads an incoming PUBLISH.
///
/// # Errors
/// If the packet is too short for what its header says.
#[inline]
pub fn delivery(frame: RawFrame<'_>, version: Version) -> Result<Delivery<'_>, Ended> {
    let truncated = || Ended::because("truncated PUBLISH");
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
    let payload = match version {
        Version::V5 => behind_properties(rest).ok_or_else(truncated)?,
        _ => rest,
    };
    Ok(Delivery { qos, packet_id, retained: frame.first & 1 == 1, payload })
}

/// The Topic Name of a PUBLISH that was read before.
pub fn topic(frame: RawFrame<'_>) -> &[u8] {
    let split = frame.body.split_first_chunk::<2>();
    let topic = split.and_then(|(len, rest)| rest.get(..usize::from(u16::from_be_bytes(*len))));
    topic.unwrap_or_default()
}

/// What follows a Property Length and so many bytes.
#[inline]
fn behind_properties(bytes: &[u8]) -> Option<&[u8]> {
    let mut len = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        len |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes.get(at + 1 + len..);
        }
    }
    None
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

/// Appends the CONNECT of a client.
pub fn connect(kind: &Kind, client: u32, out: &mut Vec<u8>) {
    let group = &kind.group;
    let index = kind.index_of(client);
    let client_id = kind.client_id(client);
    let username = group.username.as_ref().map(|name| name.render(index, 0));
    let password = group.password.as_ref().map(|word| word.render(index, 0));
    let topic = group.will.as_ref().map(|will| will.topic.render(index, 0));
    let mut payload = [0; STAMP_LEN];
    Stamp { intended_ns: 0, flow: WILL_FLOW, sequence: client }.fill(&mut payload);
    let will = group.will.as_ref().zip(topic.as_deref()).map(|(will, topic)| Will {
        qos: will.qos,
        retain: will.retain,
        topic,
        payload: &payload,
        delay_s: 0,
        message_expiry: None,
        forward: ForwardProperties::default(),
    });
    let connect = Connect {
        version: group.version,
        bridge: false,
        clean_start: group.clean,
        keep_alive: group.keep_alive.as_secs() as u16,
        client_id: &client_id,
        username: username.as_deref(),
        password: password.as_deref().map(str::as_bytes),
        will,
        properties: ConnectProperties {
            session_expiry: group.session_expiry_s,
            receive_maximum: group.receive_maximum,
            ..ConnectProperties::default()
        },
    };
    encode(&Packet::Connect(Box::new(connect)), group.version, out);
}

/// Appends a SUBSCRIBE to the filters of a client.
pub fn subscribe(kind: &Kind, client: u32, out: &mut Vec<u8>) {
    let index = kind.index_of(client);
    let filters: Vec<_> = kind.group.subscribe.iter().map(|f| f.render(index, 0)).collect();
    let options = SubscribeOptions::at(kind.group.subscribe_qos);
    let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), options)).collect();
    let subscribe = Subscribe {
        // One SUBSCRIBE is open at a time. The identifiers of publications count up from 1; a
        // client that both publishes and subscribes publishes after its SUBACK.
        packet_id: u16::MAX,
        subscription_id: None,
        user_properties: UserProperties::default(),
        filters: SubscribeFilters::from_slice(&filters),
    };
    encode(&Packet::Subscribe(subscribe), kind.group.version, out);
}

/// Appends a PINGREQ.
pub fn ping(version: Version, out: &mut Vec<u8>) {
    encode(&Packet::Pingreq, version, out);
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
        let qos_0 = [0x31, 6, 0, 1, b't', b'a', b'b', b'c'];
        let expected =
            Delivery { qos: QoS::AtMostOnce, packet_id: 0, retained: true, payload: b"abc" };
        assert_eq!(delivery(frame(&qos_0), Version::V311).unwrap(), expected);
        // QoS 1, packet 0x0102, a Message Expiry property.
        let v5 = [0x32, 12, 0, 1, b't', 1, 2, 5, 2, 0, 0, 0, 9, b'a'];
        let expected =
            Delivery { qos: QoS::AtLeastOnce, packet_id: 0x0102, retained: false, payload: b"a" };
        assert_eq!(delivery(frame(&v5), Version::V5).unwrap(), expected);
    }

    #[test]
    fn a_truncated_publish_is_an_error() {
        for bytes in [&[0x30, 1, 0][..], &[0x30, 3, 0, 9, b't'], &[0x32, 4, 0, 1, b't', 0]] {
            assert!(delivery(frame(bytes), Version::V311).is_err(), "{bytes:?}");
        }
        let properties_too_long = [0x30, 5, 0, 1, b't', 9, 0];
        assert!(delivery(frame(&properties_too_long), Version::V5).is_err());
    }

    #[test]
    fn refusals_are_told_from_success() {
        assert_eq!(acknowledgement(frame(&[0x40, 2, 0, 7])).unwrap(), (7, false));
        assert_eq!(acknowledgement(frame(&[0x40, 3, 0, 7, 0x10])).unwrap(), (7, false));
        assert_eq!(acknowledgement(frame(&[0x40, 3, 0, 7, 0x97])).unwrap(), (7, true));
        assert!(acknowledgement(frame(&[0x40, 1, 0])).is_err());
    }
}

//! PUBLISH: the packet that the speed of everything hangs on.

use smallvec::SmallVec;

use super::decode::{Role, check_shortest};
use super::error::DecodeError;
use super::forward::{ForwardProperties, ForwardSpan};
use super::frame::{PacketType, RawFrame};
use super::property::{Properties, Property, Scope};
use super::publish_head::PublishHead;
use super::qos::QoS;
use super::text;
use super::version::Version;
use super::wire::Reader;

/// The Subscription Identifiers of one PUBLISH; four fit without an allocation.
pub type SubscriptionIds = SmallVec<[u32; 4]>;

/// The PUBLISH packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish<'a> {
    /// DUP.
    pub dup: bool,
    /// QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Topic Name: valid, or empty with a Topic Alias in its place.
    pub topic: &'a str,
    /// Packet Identifier; 0 exactly at QoS 0.
    pub packet_id: u16,
    /// Topic Alias; not zero.
    pub topic_alias: Option<u16>,
    /// Message Expiry Interval in seconds.
    pub message_expiry: Option<u32>,
    /// Subscription Identifiers, in order; only from a server.
    pub subscription_ids: SubscriptionIds,
    /// The properties forwarded unaltered.
    pub forward: ForwardProperties<'a>,
    /// The payload.
    pub payload: &'a [u8],
}

const DUP: u8 = 1 << 3;
const RETAIN: u8 = 1;

/// Decodes a frame whose type is PUBLISH, as [`decode`](super::decode()) does for it.
///
/// # Errors
/// See [`decode`](super::decode()). A Topic Name with wildcards or too many levels is 0x90.
#[inline]
pub fn decode_publish<'a>(
    frame: RawFrame<'a>,
    version: Version,
    role: Role,
) -> Result<Publish<'a>, DecodeError> {
    debug_assert_eq!(PacketType::of(frame.first), Some(PacketType::Publish));
    let qos = QoS::from_u8(frame.first >> 1 & 0b11)
        .ok_or(DecodeError::malformed("MQTT-3.3.1-4", "QoS is 3"))?;
    let dup = frame.first & DUP != 0;
    if dup && qos == QoS::AtMostOnce {
        return Err(DecodeError::malformed("MQTT-3.3.1-2", "DUP is set at QoS 0"));
    }
    let mut reader = Reader::new(frame.body);
    let topic = text::check_topic_name(reader.binary()?)?;
    let packet_id = if qos == QoS::AtMostOnce { 0 } else { reader.packet_id()? };
    let mut properties = PublishProperties::default();
    if version.is_v5() {
        check_shortest(&frame)?;
        properties.read(&mut reader, role)?;
    }
    if topic.is_empty() && properties.topic_alias.is_none() {
        let what = "topic name is empty and there is no topic alias";
        return Err(DecodeError::protocol("MQTT-4.7.3-1", what));
    }
    let PublishProperties { topic_alias, message_expiry, subscription_ids, forward } = properties;
    Ok(Publish {
        dup,
        qos,
        retain: frame.first & RETAIN != 0,
        topic,
        packet_id,
        topic_alias,
        message_expiry,
        subscription_ids,
        forward,
        payload: reader.into_rest(),
    })
}

/// The properties of PUBLISH while they are read.
#[derive(Default)]
struct PublishProperties<'a> {
    topic_alias: Option<u16>,
    message_expiry: Option<u32>,
    subscription_ids: SubscriptionIds,
    forward: ForwardProperties<'a>,
}

impl<'a> PublishProperties<'a> {
    #[inline]
    fn read(&mut self, reader: &mut Reader<'a>, role: Role) -> Result<(), DecodeError> {
        let properties = Properties::take(reader, Scope::of(PacketType::Publish))?;
        if properties.section().is_empty() { Ok(()) } else { self.set(properties, role) }
    }

    /// Out of line, so that a PUBLISH without properties stays short.
    #[inline(never)]
    fn set(&mut self, mut properties: Properties<'a>, role: Role) -> Result<(), DecodeError> {
        let mut span = ForwardSpan::default();
        let mut start = 0;
        while let Some(property) = properties.next()? {
            let end = properties.position();
            match property {
                Property::TopicAlias(alias) => self.topic_alias = Some(alias),
                Property::MessageExpiry(seconds) => self.message_expiry = Some(seconds),
                Property::SubscriptionIdentifier(_) if role == Role::Server => {
                    let what = "subscription identifier in a client's PUBLISH";
                    return Err(DecodeError::protocol("MQTT-3.3.4-6", what));
                }
                Property::SubscriptionIdentifier(id) => self.subscription_ids.push(id),
                _ => span.add(start, end),
            }
            start = end;
        }
        self.forward = span.view(properties.section());
        Ok(())
    }
}

impl Publish<'_> {
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let head = PublishHead {
            version,
            dup: self.dup,
            qos: self.qos,
            retain: self.retain,
            packet_id: self.packet_id,
            topic: self.topic,
            alias: self.topic_alias,
            message_expiry: self.message_expiry,
            subscription_ids: &self.subscription_ids,
            forward: self.forward,
            payload_len: self.payload.len(),
        };
        head.encode(out);
        out.extend_from_slice(self.payload);
    }
}

/// The first byte of a PUBLISH.
#[inline]
pub(super) fn first_byte(dup: bool, qos: QoS, retain: bool) -> u8 {
    PacketType::Publish.first_byte()
        | if dup { DUP } else { 0 }
        | (qos as u8) << 1
        | if retain { RETAIN } else { 0 }
}

//! Encoding a PUBLISH once for many subscribers.

use super::forward::ForwardProperties;
use super::frame::MAX_REMAINING_LENGTH;
use super::property::Property;
use super::publish::first_byte;
use super::qos::QoS;
use super::version::Version;
use super::wire::{put, varint_len};

/// Everything of a PUBLISH before its payload.
///
/// A sender builds it once for all subscribers that get the same bytes, and patches the Packet
/// Identifier for each.
#[derive(Clone, Copy, Debug)]
pub struct PublishHead<'a> {
    /// The receiver's version; v3 leaves all properties out.
    pub version: Version,
    /// DUP.
    pub dup: bool,
    /// QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Packet Identifier; not written at QoS 0.
    pub packet_id: u16,
    /// Topic Name; empty when only the alias is sent.
    pub topic: &'a str,
    /// Topic Alias.
    pub alias: Option<u16>,
    /// Message Expiry Interval in seconds.
    pub message_expiry: Option<u32>,
    /// Subscription Identifiers of the matching subscriptions.
    pub subscription_ids: &'a [u32],
    /// The properties forwarded unaltered.
    pub forward: ForwardProperties<'a>,
    /// The length of the payload that will follow, in bytes.
    pub payload_len: usize,
}

impl PublishHead<'_> {
    /// The size of the whole packet in bytes, payload included: what counts against the
    /// receiver's Maximum Packet Size.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        let remaining = self.remaining_length(self.properties_len());
        1 + varint_len(remaining) + remaining
    }

    /// Appends everything up to the payload. Returns where in `out` the two bytes of the Packet
    /// Identifier stand, `None` at QoS 0.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) -> Option<usize> {
        let properties_len = self.properties_len();
        let remaining = self.remaining_length(properties_len);
        debug_assert!(remaining <= MAX_REMAINING_LENGTH, "the caller checks encoded_len");
        out.reserve(1 + varint_len(remaining) + remaining);
        out.push(first_byte(self.dup, self.qos, self.retain));
        put::varint(out, remaining as u32);
        put::text(out, self.topic);
        let packet_id_at = (self.qos != QoS::AtMostOnce).then_some(out.len());
        if packet_id_at.is_some() {
            put::two(out, self.packet_id);
        }
        if self.version.is_v5() {
            put::varint(out, properties_len as u32);
            if properties_len > 0 {
                self.write_properties(out);
            }
        }
        packet_id_at
    }

    #[inline]
    fn remaining_length(&self, properties_len: usize) -> usize {
        let packet_id = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        let properties =
            if self.version.is_v5() { varint_len(properties_len) + properties_len } else { 0 };
        2 + self.topic.len() + packet_id + properties + self.payload_len
    }

    #[inline]
    fn properties_len(&self) -> usize {
        if !self.version.is_v5() {
            return 0;
        }
        let expiry = if self.message_expiry.is_some() { 5 } else { 0 };
        let alias = if self.alias.is_some() { 3 } else { 0 };
        let ids: usize = self.subscription_ids.iter().map(|&id| 1 + varint_len(id as usize)).sum();
        expiry + alias + ids + self.forward.len()
    }

    fn write_properties(&self, out: &mut Vec<u8>) {
        Property::write_some(self.message_expiry, Property::MessageExpiry, out);
        Property::write_some(self.alias, Property::TopicAlias, out);
        for &id in self.subscription_ids {
            Property::SubscriptionIdentifier(id).write(out);
        }
        self.forward.write_to(out);
    }
}

//! The properties of an Application Message that a server forwards unaltered and in order.

use super::property::Property;
use super::user_properties::UserProperties;
use super::wire::Reader;

/// Payload Format Indicator, Content Type, Response Topic, Correlation Data and User Properties
/// of one message, kept in their encoded form [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16],
/// [MQTT-3.3.2-17], [MQTT-3.3.2-18], [MQTT-3.3.2-20].
///
/// Forwarding is then a copy of bytes. The view is the stretch of the received property section
/// from the first of these properties to the last. Others (Message Expiry, Topic Alias,
/// Subscription Identifier, Will Delay) may stand between; they are counted, and only then does
/// [`ForwardProperties::write_to`] walk the properties. A [`Message`](super::Message) stores them
/// without gaps.
#[derive(Clone, Copy, Default)]
pub struct ForwardProperties<'a> {
    stretch: &'a [u8],
    /// Bytes of the stretch that belong to other properties.
    foreign: usize,
}

/// Identifier, and the lengths of an empty name and value, in bytes.
const USER_PROPERTY_LEN_MIN: usize = 5;

impl<'a> ForwardProperties<'a> {
    /// Takes bytes that [`ForwardProperties::write_to`] or [`ForwardValues::write_to`] wrote.
    /// Other bytes are not unsafe, but they would go out as they are.
    #[inline]
    pub fn from_slice(bytes: &'a [u8]) -> Self {
        let properties = Self { stretch: bytes, foreign: 0 };
        debug_assert!(properties.is_well_formed(), "only forwarded properties, whole and valid");
        properties
    }

    /// The encoded size in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.stretch.len() - self.foreign
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.stretch.is_empty()
    }

    /// Appends the encoded properties, without a Property Length.
    #[inline]
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if self.foreign == 0 {
            out.extend_from_slice(self.stretch);
        } else {
            self.runs().for_each(|run| out.extend_from_slice(run));
        }
    }

    /// The encoded bytes in pieces, in order: one piece unless other properties stand between.
    pub(super) fn runs(&self) -> impl Iterator<Item = &'a [u8]> {
        let stretch = self.stretch;
        let whole = (self.foreign == 0).then_some(stretch);
        let mut rest = Reader::new(if self.foreign == 0 { &[] } else { stretch });
        let pieces = std::iter::from_fn(move || {
            loop {
                let start = stretch.len() - rest.remaining();
                let property = Property::read(&mut rest).ok()?;
                if property.is_forwarded() {
                    return stretch.get(start..stretch.len() - rest.remaining());
                }
            }
        });
        whole.into_iter().chain(pieces)
    }

    /// The values. Linear in the encoded size.
    pub fn parse(&self) -> ForwardValues<'a> {
        let mut values = ForwardValues::default();
        let mut user_properties = 0;
        let mut rest = Reader::new(self.stretch);
        while let Ok(property) = Property::read(&mut rest) {
            match property {
                Property::PayloadFormat(is_utf8) => values.payload_format = Some(is_utf8),
                Property::ContentType(text) => values.content_type = Some(text),
                Property::ResponseTopic(topic) => values.response_topic = Some(topic),
                Property::CorrelationData(data) => values.correlation_data = Some(data),
                Property::UserProperty(_) => user_properties += 1,
                _ => {}
            }
        }
        values.user_properties = UserProperties::from_section(self.stretch, user_properties);
        values
    }

    /// Whether more than `limit` User Properties are among them. They are only counted when the
    /// size allows so many.
    #[inline]
    pub fn has_more_user_properties_than(&self, limit: usize) -> bool {
        self.stretch.len() / USER_PROPERTY_LEN_MIN > limit
            && self.parse().user_properties.len() > limit
    }

    fn is_well_formed(&self) -> bool {
        let mut rest = Reader::new(self.stretch);
        while !rest.is_empty() {
            if !Property::read(&mut rest).is_ok_and(|property| property.is_forwarded()) {
                return false;
            }
        }
        true
    }
}

impl PartialEq for ForwardProperties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.runs().flatten().eq(other.runs().flatten())
    }
}

impl Eq for ForwardProperties<'_> {}

impl std::fmt::Debug for ForwardProperties<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parse().fmt(f)
    }
}

/// The values of [`ForwardProperties`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForwardValues<'a> {
    /// Payload Format Indicator: `true` when the payload is UTF-8 text.
    pub payload_format: Option<bool>,
    /// Content Type.
    pub content_type: Option<&'a str>,
    /// Response Topic; holds no wildcard.
    pub response_topic: Option<&'a str>,
    /// Correlation Data.
    pub correlation_data: Option<&'a [u8]>,
    /// User Properties, in order.
    pub user_properties: UserProperties<'a>,
}

impl ForwardValues<'_> {
    /// Appends the encoded properties, for [`ForwardProperties::from_slice`].
    pub fn write_to(&self, out: &mut Vec<u8>) {
        Property::write_some(self.payload_format, Property::PayloadFormat, out);
        Property::write_some(self.content_type, Property::ContentType, out);
        Property::write_some(self.response_topic, Property::ResponseTopic, out);
        Property::write_some(self.correlation_data, Property::CorrelationData, out);
        self.user_properties.write(out);
    }
}

/// Finds the stretch while a property section is decoded.
#[derive(Debug, Default)]
pub(super) struct ForwardSpan {
    start: usize,
    end: usize,
    forwarded: usize,
}

impl ForwardSpan {
    /// Notes a forwarded property at `start..end` of the section.
    pub(super) fn add(&mut self, start: usize, end: usize) {
        if self.forwarded == 0 {
            self.start = start;
        }
        self.end = end;
        self.forwarded += end - start;
    }

    /// The view of what was noted.
    pub(super) fn view<'a>(&self, section: &'a [u8]) -> ForwardProperties<'a> {
        let stretch = &section[self.start..self.end];
        ForwardProperties { stretch, foreign: stretch.len() - self.forwarded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_encoding() {
        let values = ForwardValues {
            payload_format: Some(true),
            content_type: Some("text/plain"),
            response_topic: Some("answers/1"),
            correlation_data: Some(&[0, 1, 2]),
            user_properties: UserProperties::from_pairs(&[("a", "1"), ("a", ""), ("", "é")]),
        };
        let mut bytes = Vec::new();
        values.write_to(&mut bytes);
        let properties = ForwardProperties::from_slice(&bytes);
        assert_eq!(properties.len(), bytes.len());
        assert_eq!(properties.parse(), values);
        assert_eq!(properties.parse().user_properties.len(), 3);
    }

    #[test]
    fn properties_between_are_left_out() {
        // User Property, Subscription Identifier 5, Payload Format, Message Expiry, User Property.
        let section = [
            0x0B, 7, 0x26, 0, 1, b'k', 0, 1, b'v', 0x0B, 5, 0x01, 1, 0x02, 0, 0, 0, 9, 0x26, 0, 0,
            0, 0, 0x23, 0, 1,
        ];
        let mut span = ForwardSpan::default();
        span.add(2, 9);
        span.add(11, 13);
        span.add(18, 23);
        let properties = span.view(&section);
        let mut out = Vec::new();
        properties.write_to(&mut out);
        assert_eq!(out, [0x26, 0, 1, b'k', 0, 1, b'v', 0x01, 1, 0x26, 0, 0, 0, 0]);
        assert_eq!(properties.len(), out.len());
        assert_eq!(properties, ForwardProperties::from_slice(&out));
        let values = properties.parse();
        assert_eq!(values.payload_format, Some(true));
        assert!(values.user_properties.iter().eq([("k", "v"), ("", "")]));
    }

    #[test]
    fn nothing_is_nothing() {
        let properties = ForwardSpan::default().view(&[0x23, 0, 1]);
        assert!(properties.is_empty());
        assert_eq!(properties.len(), 0);
        assert_eq!(properties.parse(), ForwardValues::default());
    }
}

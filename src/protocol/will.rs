//! The Will Message inside CONNECT.

use super::error::DecodeError;
use super::forward::{ForwardProperties, ForwardSpan};
use super::property::{Properties, Property, Scope};
use super::qos::QoS;
use super::text;
use super::topic::check_topic_name;
use super::version::Version;
use super::wire::{Reader, put};

/// A message the server publishes when the client is gone without having said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Will<'a> {
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Will Topic: a valid Topic Name.
    pub topic: &'a str,
    /// Will Payload; in 3.1 the Will Message.
    pub payload: &'a [u8],
    /// Will Delay Interval in seconds.
    pub delay_s: u32,
    /// Message Expiry Interval in seconds.
    pub message_expiry: Option<u32>,
    /// The properties forwarded unaltered.
    pub forward: ForwardProperties<'a>,
}

impl<'a> Will<'a> {
    /// Reads Will Properties, Will Topic and Will Payload.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        version: Version,
        qos: QoS,
        retain: bool,
    ) -> Result<Self, DecodeError> {
        let mut will = Self { qos, retain, ..Self::default() };
        if version.is_v5() {
            will.read_properties(reader)?;
        }
        will.topic = text::check_topic_name(reader.binary()?)?;
        if will.topic.is_empty() {
            check_topic_name(will.topic)?;
        }
        will.payload = reader.binary()?;
        Ok(will)
    }

    fn read_properties(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        let mut properties = Properties::take(reader, Scope::WILL)?;
        let mut span = ForwardSpan::default();
        let mut start = 0;
        while let Some(property) = properties.next()? {
            let end = properties.position();
            match property {
                Property::WillDelay(seconds) => self.delay_s = seconds,
                Property::MessageExpiry(seconds) => self.message_expiry = Some(seconds),
                _ => span.add(start, end),
            }
            start = end;
        }
        self.forward = span.view(properties.section());
        Ok(())
    }

    /// Appends what [`Will::read`] reads.
    pub(super) fn write(&self, version: Version, out: &mut Vec<u8>) {
        if version.is_v5() {
            put::with_length(out, |out| {
                if self.delay_s > 0 {
                    Property::WillDelay(self.delay_s).write(out);
                }
                Property::write_some(self.message_expiry, Property::MessageExpiry, out);
                self.forward.write_to(out);
            });
        }
        put::text(out, self.topic);
        put::binary(out, self.payload);
    }
}

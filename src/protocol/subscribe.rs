//! SUBSCRIBE and UNSUBSCRIBE.

use super::error::DecodeError;
use super::filters::{Entry, FilterList};
use super::frame::PacketType;
use super::property::{Properties, Property, Scope};
use super::qos::QoS;
use super::user_properties::UserProperties;
use super::version::Version;
use super::wire::{Reader, put};

/// The Topic Filters of a SUBSCRIBE, each with its Subscription Options.
pub type SubscribeFilters<'a> = FilterList<'a, (&'a str, SubscribeOptions)>;

/// The Topic Filters of an UNSUBSCRIBE.
pub type UnsubscribeFilters<'a> = FilterList<'a, &'a str>;

/// The SUBSCRIBE packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Packet Identifier; not zero.
    pub packet_id: u16,
    /// Subscription Identifier for all its filters; not zero.
    pub subscription_id: Option<u32>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
    /// The filters; at least one.
    pub filters: SubscribeFilters<'a>,
}

/// The UNSUBSCRIBE packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Packet Identifier; not zero.
    pub packet_id: u16,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
    /// The filters; at least one.
    pub filters: UnsubscribeFilters<'a>,
}

/// Subscription Options. In v3 there is only the QoS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscribeOptions {
    /// The highest QoS the client wants to receive.
    pub qos: QoS,
    /// No Local: not the client's own messages.
    pub no_local: bool,
    /// Retain As Published: forward the RETAIN flag as it came.
    pub retain_as_published: bool,
    /// Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
    pub retain_handling: u8,
}

impl SubscribeOptions {
    const NO_LOCAL: u8 = 1 << 2;
    const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
    const RETAIN_HANDLING_SHIFT: u8 = 4;
    const RESERVED: u8 = 0xC0;

    /// Options with the given QoS and nothing else.
    pub const fn at(qos: QoS) -> Self {
        Self { qos, no_local: false, retain_as_published: false, retain_handling: 0 }
    }

    /// The byte of the wire.
    #[inline]
    pub const fn to_u8(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8 * Self::NO_LOCAL)
            | (self.retain_as_published as u8 * Self::RETAIN_AS_PUBLISHED)
            | self.retain_handling << Self::RETAIN_HANDLING_SHIFT
    }

    /// Reads the byte of the wire.
    ///
    /// # Errors
    /// 0x81 for reserved bits [MQTT-3.8.3-5], 0x82 for QoS 3 or Retain Handling 3.
    #[inline]
    pub const fn from_u8(byte: u8) -> Result<Self, DecodeError> {
        if byte & Self::RESERVED != 0 {
            return Err(DecodeError::malformed("MQTT-3.8.3-5", "reserved subscription options"));
        }
        let Some(qos) = QoS::from_u8(byte & 0b11) else {
            return Err(DecodeError::protocol("", "subscription QoS is 3"));
        };
        let retain_handling = byte >> Self::RETAIN_HANDLING_SHIFT;
        if retain_handling > 2 {
            return Err(DecodeError::protocol("", "retain handling is 3"));
        }
        Ok(Self {
            qos,
            no_local: byte & Self::NO_LOCAL != 0,
            retain_as_published: byte & Self::RETAIN_AS_PUBLISHED != 0,
            retain_handling,
        })
    }
}

impl<'a> Entry<'a> for (&'a str, SubscribeOptions) {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok((reader.text()?, SubscribeOptions::from_u8(reader.byte()?)?))
    }
}

pub(super) fn decode_subscribe(
    body: &[u8],
    version: Version,
) -> Result<Subscribe<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let packet_id = reader.packet_id()?;
    let mut subscription_id = None;
    let mut user_properties = UserProperties::default();
    if version.is_v5() {
        let mut properties = Properties::take(&mut reader, Scope::of(PacketType::Subscribe))?;
        while let Some(property) = properties.next()? {
            if let Property::SubscriptionIdentifier(id) = property {
                subscription_id = Some(id);
            }
        }
        user_properties = properties.user_properties();
    }
    let filters = SubscribeFilters::take(reader)?;
    if filters.is_empty() {
        return Err(DecodeError::protocol("MQTT-3.8.3-2", "SUBSCRIBE without a topic filter"));
    }
    let plain = |(_, options): (_, SubscribeOptions)| options == SubscribeOptions::at(options.qos);
    if !version.is_v5() && !filters.iter().all(plain) {
        // [MQTT-3.8.3-4] of 3.1.1.
        return Err(DecodeError::malformed("MQTT-3.8.3-4", "reserved bits beside the QoS"));
    }
    Ok(Subscribe { packet_id, subscription_id, user_properties, filters })
}

pub(super) fn decode_unsubscribe(
    body: &[u8],
    version: Version,
) -> Result<Unsubscribe<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let packet_id = reader.packet_id()?;
    let mut user_properties = UserProperties::default();
    if version.is_v5() {
        let mut properties = Properties::take(&mut reader, Scope::of(PacketType::Unsubscribe))?;
        while properties.next()?.is_some() {}
        user_properties = properties.user_properties();
    }
    let filters = UnsubscribeFilters::take(reader)?;
    if filters.is_empty() {
        return Err(DecodeError::protocol("MQTT-3.10.3-2", "UNSUBSCRIBE without a topic filter"));
    }
    Ok(Unsubscribe { packet_id, user_properties, filters })
}

impl Subscribe<'_> {
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        out.push(PacketType::Subscribe.first_byte());
        put::with_length(out, |out| {
            put::two(out, self.packet_id);
            if version.is_v5() {
                put::with_length(out, |out| {
                    let id = self.subscription_id;
                    Property::write_some(id, Property::SubscriptionIdentifier, out);
                    self.user_properties.write(out);
                });
            }
            for (filter, options) in self.filters {
                put::text(out, filter);
                out.push(if version.is_v5() { options.to_u8() } else { options.qos as u8 });
            }
        });
    }
}

impl Unsubscribe<'_> {
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        out.push(PacketType::Unsubscribe.first_byte());
        put::with_length(out, |out| {
            put::two(out, self.packet_id);
            if version.is_v5() {
                put::with_length(out, |out| self.user_properties.write(out));
            }
            for filter in self.filters {
                put::text(out, filter);
            }
        });
    }
}

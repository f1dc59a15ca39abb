//! The v5 properties: one table with identifier, type and the packets each is allowed in.

use super::error::DecodeError;
use super::frame::PacketType;
use super::frame::PacketType::{
    Auth, Connack, Connect, Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback,
    Subscribe, Unsuback, Unsubscribe,
};
use super::reason::ReasonCode;
use super::text;
use super::user_properties::UserProperties;
use super::wire::{Reader, put};

/// Where a property section stands: in a packet of some type, or before a Will Message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope(u32);

impl Scope {
    pub(super) const WILL: Self = Self(1);

    #[inline]
    pub(super) const fn of(packet: PacketType) -> Self {
        Self(1 << packet as u8)
    }
}

/// The table's word for [`Scope::WILL`], in the place of a packet type.
#[expect(non_upper_case_globals, reason = "stands among the packet types in the table")]
const Will: u8 = 0;

macro_rules! properties {
    ($($name:ident: $kind:ident($type:ty) = $id:literal, [$($packet:ident)*];)*) => {
        /// One property with its value.
        #[expect(clippy::enum_variant_names, reason = "the specification calls it User Property")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Property<'a> {
            $($name($type),)*
        }

        impl<'a> Property<'a> {
            /// Reads the identifier and the value, which is checked to be of its type.
            #[inline]
            fn read_value(id: u8, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
                match id {
                    $($id => reader.$kind().map(Self::$name),)*
                    _ => Err(UNKNOWN),
                }
            }

            /// Appends the identifier and the value.
            pub(super) fn write(self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$name(value) => {
                        out.push($id);
                        put::$kind(out, value);
                    })*
                }
            }

            /// The scopes that allow the property `id`, as a bit set; 0 for an unknown one.
            #[inline]
            const fn scopes(id: u8) -> u32 {
                match id {
                    $($id => 0 $(| 1 << $packet as u8)*,)*
                    _ => 0,
                }
            }
        }
    };
}

// MQTT 5.0, table 2-4.
properties! {
    PayloadFormat: boolean(bool) = 0x01, [Publish Will];
    MessageExpiry: four(u32) = 0x02, [Publish Will];
    ContentType: text(&'a str) = 0x03, [Publish Will];
    ResponseTopic: text(&'a str) = 0x08, [Publish Will];
    CorrelationData: binary(&'a [u8]) = 0x09, [Publish Will];
    SubscriptionIdentifier: varint(u32) = 0x0B, [Publish Subscribe];
    SessionExpiry: four(u32) = 0x11, [Connect Connack Disconnect];
    AssignedClientIdentifier: text(&'a str) = 0x12, [Connack];
    ServerKeepAlive: two(u16) = 0x13, [Connack];
    AuthenticationMethod: text(&'a str) = 0x15, [Connect Connack Auth];
    AuthenticationData: binary(&'a [u8]) = 0x16, [Connect Connack Auth];
    RequestProblemInformation: boolean(bool) = 0x17, [Connect];
    WillDelay: four(u32) = 0x18, [Will];
    RequestResponseInformation: boolean(bool) = 0x19, [Connect];
    ResponseInformation: text(&'a str) = 0x1A, [Connack];
    ServerReference: text(&'a str) = 0x1C, [Connack Disconnect];
    ReasonString: text(&'a str) = 0x1F,
        [Connack Puback Pubrec Pubrel Pubcomp Suback Unsuback Disconnect Auth];
    ReceiveMaximum: two(u16) = 0x21, [Connect Connack];
    TopicAliasMaximum: two(u16) = 0x22, [Connect Connack];
    TopicAlias: two(u16) = 0x23, [Publish];
    MaximumQoS: boolean(bool) = 0x24, [Connack];
    RetainAvailable: boolean(bool) = 0x25, [Connack];
    UserProperty: pair((&'a str, &'a str)) = 0x26,
        [Connect Connack Publish Will Puback Pubrec Pubrel Pubcomp Subscribe Suback Unsubscribe
            Unsuback Disconnect Auth];
    MaximumPacketSize: four(u32) = 0x27, [Connect Connack];
    WildcardSubscriptionAvailable: boolean(bool) = 0x28, [Connack];
    SubscriptionIdentifiersAvailable: boolean(bool) = 0x29, [Connack];
    SharedSubscriptionAvailable: boolean(bool) = 0x2A, [Connack];
}

const UNKNOWN: DecodeError = DecodeError::malformed("", "property identifier is unknown");
const NOT_ALLOWED: DecodeError = DecodeError::protocol("", "property is not allowed here");
const TWICE: DecodeError = DecodeError::protocol("", "property appears more than once");

const USER_PROPERTY: u8 = 0x26;
const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;

impl<'a> Property<'a> {
    /// Reads one property from a section that was checked before.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let id = reader.byte()?;
        Self::read_value(id, reader)
    }

    /// Whether a server forwards this property with the message, unaltered.
    pub(super) const fn is_forwarded(&self) -> bool {
        matches!(
            self,
            Self::PayloadFormat(_)
                | Self::ContentType(_)
                | Self::ResponseTopic(_)
                | Self::CorrelationData(_)
                | Self::UserProperty(_)
        )
    }

    /// Appends the property when there is one.
    pub(super) fn write_some<T>(
        value: Option<T>,
        property: impl FnOnce(T) -> Self,
        out: &mut Vec<u8>,
    ) {
        if let Some(value) = value {
            property(value).write(out);
        }
    }

    /// Checks what the type of the value leaves open.
    #[inline]
    fn check_value(self) -> Result<Self, DecodeError> {
        let error = match self {
            Self::ReceiveMaximum(0) => DecodeError::protocol("", "receive maximum is zero"),
            Self::MaximumPacketSize(0) => DecodeError::protocol("", "maximum packet size is zero"),
            Self::SubscriptionIdentifier(0) => {
                DecodeError::protocol("", "subscription identifier is zero")
            }
            Self::TopicAlias(0) => DecodeError::new(
                ReasonCode::TOPIC_ALIAS_INVALID,
                "MQTT-3.3.2-8",
                "topic alias is zero",
            ),
            Self::ResponseTopic(topic) if text::has_wildcard(topic.as_bytes()) => {
                DecodeError::protocol("MQTT-3.3.2-14", "response topic holds a wildcard")
            }
            _ => return Ok(self),
        };
        Err(error)
    }
}

/// A property section while it is decoded.
#[derive(Debug)]
pub(super) struct Properties<'a> {
    section: &'a [u8],
    rest: Reader<'a>,
    scope: Scope,
    /// The identifiers met so far, as a bit set.
    seen: u64,
    user_properties: usize,
}

impl<'a> Properties<'a> {
    /// Reads the Property Length and takes the section off `reader`.
    #[inline]
    pub(super) fn take(reader: &mut Reader<'a>, scope: Scope) -> Result<Self, DecodeError> {
        let len = reader.varint()?;
        let section = reader.bytes(len as usize)?;
        let rest = Reader::new(section);
        Ok(Self { section, rest, scope, seen: 0, user_properties: 0 })
    }

    /// The next property, or `None` at the end of the section.
    ///
    /// # Errors
    /// 0x81 for an unknown identifier or a value cut short, 0x82 for a property that does not
    /// belong here, is there twice or is out of range, 0x94 for Topic Alias 0.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Property<'a>>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let id = self.rest.byte()?;
        self.admit(id)?;
        Property::read_value(id, &mut self.rest)?.check_value().map(Some)
    }

    /// Checks that the scope allows `id`, and not only once when it is a repetition.
    #[inline]
    fn admit(&mut self, id: u8) -> Result<(), DecodeError> {
        let scopes = Property::scopes(id);
        if scopes & self.scope.0 == 0 {
            return Err(if scopes == 0 { UNKNOWN } else { NOT_ALLOWED });
        }
        if id == USER_PROPERTY {
            self.user_properties += 1;
            return Ok(());
        }
        // Identifiers of the table are below 64.
        let bit = 1_u64 << id;
        let repeats = id == SUBSCRIPTION_IDENTIFIER && self.scope == Scope::of(Publish);
        if self.seen & bit != 0 && !repeats {
            return Err(TWICE);
        }
        self.seen |= bit;
        Ok(())
    }

    /// The whole section.
    pub(super) fn section(&self) -> &'a [u8] {
        self.section
    }

    /// How far into the section the next property stands, in bytes.
    pub(super) fn position(&self) -> usize {
        self.section.len() - self.rest.remaining()
    }

    /// The User Properties passed so far, in their order.
    pub(super) fn user_properties(&self) -> UserProperties<'a> {
        UserProperties::from_section(self.section, self.user_properties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [u8; 27] = [
        1, 2, 3, 8, 9, 11, 17, 18, 19, 21, 22, 23, 24, 25, 26, 28, 31, 33, 34, 35, 36, 37, 38, 39,
        40, 41, 42,
    ];

    fn all_scopes() -> impl Iterator<Item = Scope> {
        PacketType::ALL.into_iter().map(Scope::of).chain([Scope::WILL])
    }

    fn next(section: &[u8], scope: Scope) -> Result<(), ReasonCode> {
        let mut bytes = vec![section.len() as u8];
        bytes.extend_from_slice(section);
        let mut properties = Properties::take(&mut Reader::new(&bytes), scope).unwrap();
        while properties.next().map_err(|error| error.reason)?.is_some() {}
        Ok(())
    }

    #[test]
    fn unknown_identifiers_are_malformed_everywhere() {
        for id in (0..=u8::MAX).filter(|id| !IDS.contains(id)) {
            for scope in all_scopes() {
                let result = next(&[id, 0, 0, 0, 0], scope);
                assert_eq!(result, Err(ReasonCode::MALFORMED_PACKET), "{id}");
            }
        }
    }

    #[test]
    fn each_property_is_allowed_in_its_packets_only() {
        // Without a value: what is allowed is cut short, the rest is refused before it is read.
        for id in IDS {
            for scope in all_scopes() {
                let allowed = Property::scopes(id) & scope.0 != 0;
                let result = next(&[id], scope);
                let expected =
                    if allowed { ReasonCode::MALFORMED_PACKET } else { ReasonCode::PROTOCOL_ERROR };
                assert_eq!(result, Err(expected), "{id:#x} in {scope:?}");
            }
        }
        // The columns of table 2-4, counted by hand.
        let allows = |scope: Scope, id: u8| Property::scopes(id) & scope.0 != 0;
        let count = |scope| IDS.iter().filter(|&&id| allows(scope, id)).count();
        let counts = PacketType::ALL.map(|ty| count(Scope::of(ty)));
        assert_eq!(counts, [9, 17, 8, 2, 2, 2, 2, 2, 2, 1, 2, 0, 0, 4, 4]);
        assert_eq!(count(Scope::WILL), 7);
    }

    #[test]
    fn a_second_occurrence_is_a_protocol_error() {
        let connack = Scope::of(Connack);
        assert_eq!(next(&[0x13, 0, 1, 0x13, 0, 1], connack), Err(ReasonCode::PROTOCOL_ERROR));
        assert_eq!(next(&[0x2A, 1, 0x29, 1, 0x28, 1], connack), Ok(()));
        let pairs = [0x26, 0, 1, b'a', 0, 0, 0x26, 0, 1, b'a', 0, 0];
        assert_eq!(next(&pairs, connack), Ok(()));
        assert_eq!(next(&[0x0B, 1, 0x0B, 1], Scope::of(Publish)), Ok(()));
        let twice = next(&[0x0B, 1, 0x0B, 1], Scope::of(Subscribe));
        assert_eq!(twice, Err(ReasonCode::PROTOCOL_ERROR));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let protocol = Err(ReasonCode::PROTOCOL_ERROR);
        assert_eq!(next(&[0x21, 0, 0], Scope::of(Connect)), protocol);
        assert_eq!(next(&[0x27, 0, 0, 0, 0], Scope::of(Connect)), protocol);
        assert_eq!(next(&[0x0B, 0], Scope::of(Subscribe)), protocol);
        let alias = next(&[0x23, 0, 0], Scope::of(Publish));
        assert_eq!(alias, Err(ReasonCode::TOPIC_ALIAS_INVALID));
        assert_eq!(next(&[0x08, 0, 3, b'a', b'/', b'+'], Scope::WILL), protocol);
        for id in [0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A] {
            let scope = all_scopes().find(|s| Property::scopes(id) & s.0 != 0).unwrap();
            assert_eq!(next(&[id, 0], scope), Ok(()), "{id:#x}");
            assert_eq!(next(&[id, 1], scope), Ok(()), "{id:#x}");
            assert_eq!(next(&[id, 2], scope), protocol, "{id:#x}");
        }
    }
}

//! CONNACK: the server's answer to CONNECT.

use super::auth::check_authentication;
use super::error::DecodeError;
use super::frame::PacketType;
use super::property::{Properties, Property, Scope};
use super::qos::QoS;
use super::reason::ReasonCode;
use super::user_properties::UserProperties;
use super::version::Version;
use super::wire::{Reader, put};

/// The CONNACK packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connack<'a> {
    /// Whether the server had a Session for the client; 3.1 cannot say it.
    pub session_present: bool,
    /// v5: the Reason Code. v3: the return code, 0 to 5.
    pub reason: ReasonCode,
    /// Properties, v5 only.
    pub properties: ConnackProperties<'a>,
}

/// The properties of CONNACK; `None` is "not in the packet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnackProperties<'a> {
    /// Session Expiry Interval in seconds, when it is not what the client asked for.
    pub session_expiry: Option<u32>,
    /// Receive Maximum; not zero.
    pub receive_maximum: Option<u16>,
    /// Maximum QoS; below [`QoS::ExactlyOnce`].
    pub maximum_qos: Option<QoS>,
    /// Retain Available.
    pub retain_available: Option<bool>,
    /// Maximum Packet Size in bytes; not zero.
    pub maximum_packet_size: Option<u32>,
    /// Assigned Client Identifier.
    pub assigned_client_id: Option<&'a str>,
    /// Topic Alias Maximum.
    pub topic_alias_maximum: Option<u16>,
    /// Reason String.
    pub reason_string: Option<&'a str>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
    /// Wildcard Subscription Available.
    pub wildcard_available: Option<bool>,
    /// Subscription Identifiers Available.
    pub subscription_ids_available: Option<bool>,
    /// Shared Subscription Available.
    pub shared_available: Option<bool>,
    /// Server Keep Alive in seconds.
    pub server_keep_alive: Option<u16>,
    /// Response Information.
    pub response_information: Option<&'a str>,
    /// Server Reference.
    pub server_reference: Option<&'a str>,
    /// Authentication Method.
    pub authentication_method: Option<&'a str>,
    /// Authentication Data; only with a method.
    pub authentication_data: Option<&'a [u8]>,
}

pub(super) fn decode(body: &[u8], version: Version) -> Result<Connack<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let flags = reader.byte()?;
    let reason = ReasonCode(reader.byte()?);
    // In 3.1 the first byte is reserved and says nothing.
    if version > Version::V31 && flags > 1 {
        return Err(DecodeError::malformed("MQTT-3.2.2-1", "reserved CONNACK flags"));
    }
    let session_present = version > Version::V31 && flags == 1;
    let defined =
        if version.is_v5() { reason.valid_in(PacketType::Connack) } else { reason.0 <= 5 };
    if !defined {
        return Err(DecodeError::protocol("MQTT-3.2.2-8", "reason code is not defined"));
    }
    if session_present && reason != ReasonCode::SUCCESS {
        let what = "session present in a refusing CONNACK";
        return Err(DecodeError::protocol("MQTT-3.2.2-6", what));
    }
    let mut connack = Connack { session_present, reason, ..Connack::default() };
    if version.is_v5() {
        connack.properties = ConnackProperties::read(&mut reader)?;
    }
    reader.finish()?;
    Ok(connack)
}

impl Connack<'_> {
    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        out.push(PacketType::Connack.first_byte());
        put::with_length(out, |out| {
            out.push((self.session_present && version > Version::V31).into());
            out.push(match version {
                Version::V5 => self.reason.0,
                // A code that is v3's already stays.
                _ if !self.reason.is_error() => self.reason.0,
                _ => self.reason.connack_v3(),
            });
            if version.is_v5() {
                put::with_length(out, |out| self.properties.write(out));
            }
        });
    }
}

impl<'a> ConnackProperties<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut this = Self::default();
        let mut properties = Properties::take(reader, Scope::of(PacketType::Connack))?;
        while let Some(property) = properties.next()? {
            this.set(property);
        }
        this.user_properties = properties.user_properties();
        check_authentication(this.authentication_method, this.authentication_data)?;
        Ok(this)
    }

    fn set(&mut self, property: Property<'a>) {
        match property {
            Property::SessionExpiry(v) => self.session_expiry = Some(v),
            Property::ReceiveMaximum(v) => self.receive_maximum = Some(v),
            Property::MaximumQoS(v) => self.maximum_qos = QoS::from_u8(v.into()),
            Property::RetainAvailable(v) => self.retain_available = Some(v),
            Property::MaximumPacketSize(v) => self.maximum_packet_size = Some(v),
            Property::AssignedClientIdentifier(v) => self.assigned_client_id = Some(v),
            Property::TopicAliasMaximum(v) => self.topic_alias_maximum = Some(v),
            Property::ReasonString(v) => self.reason_string = Some(v),
            Property::WildcardSubscriptionAvailable(v) => self.wildcard_available = Some(v),
            Property::SubscriptionIdentifiersAvailable(v) => {
                self.subscription_ids_available = Some(v);
            }
            Property::SharedSubscriptionAvailable(v) => self.shared_available = Some(v),
            Property::ServerKeepAlive(v) => self.server_keep_alive = Some(v),
            Property::ResponseInformation(v) => self.response_information = Some(v),
            Property::ServerReference(v) => self.server_reference = Some(v),
            Property::AuthenticationMethod(v) => self.authentication_method = Some(v),
            Property::AuthenticationData(v) => self.authentication_data = Some(v),
            _ => {}
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        // Maximum QoS 2 is said by leaving it out.
        let limited = self.maximum_qos.filter(|&qos| qos < QoS::ExactlyOnce);
        let maximum_qos = limited.map(|qos| qos == QoS::AtLeastOnce);
        Property::write_some(self.session_expiry, Property::SessionExpiry, out);
        Property::write_some(self.receive_maximum, Property::ReceiveMaximum, out);
        Property::write_some(maximum_qos, Property::MaximumQoS, out);
        Property::write_some(self.retain_available, Property::RetainAvailable, out);
        Property::write_some(self.maximum_packet_size, Property::MaximumPacketSize, out);
        Property::write_some(self.assigned_client_id, Property::AssignedClientIdentifier, out);
        Property::write_some(self.topic_alias_maximum, Property::TopicAliasMaximum, out);
        Property::write_some(self.reason_string, Property::ReasonString, out);
        self.user_properties.write(out);
        Property::write_some(self.wildcard_available, Property::WildcardSubscriptionAvailable, out);
        Property::write_some(
            self.subscription_ids_available,
            Property::SubscriptionIdentifiersAvailable,
            out,
        );
        Property::write_some(self.shared_available, Property::SharedSubscriptionAvailable, out);
        Property::write_some(self.server_keep_alive, Property::ServerKeepAlive, out);
        Property::write_some(self.response_information, Property::ResponseInformation, out);
        Property::write_some(self.server_reference, Property::ServerReference, out);
        Property::write_some(self.authentication_method, Property::AuthenticationMethod, out);
        Property::write_some(self.authentication_data, Property::AuthenticationData, out);
    }
}

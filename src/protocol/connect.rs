//! CONNECT: the first packet of a connection.

use super::auth::check_authentication;
use super::decode::check_shortest;
use super::error::DecodeError;
use super::frame::{PacketType, RawFrame};
use super::property::{Properties, Property, Scope};
use super::qos::QoS;
use super::reason::ReasonCode;
use super::user_properties::UserProperties;
use super::version::Version;
use super::will::Will;
use super::wire::{Reader, put};

/// The CONNECT packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The version of the connection.
    pub version: Version,
    /// The upper bit of the Protocol Level, with which a v3 bridge makes itself known.
    pub bridge: bool,
    /// Clean Start; in v3 Clean Session.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive: u16,
    /// Client Identifier; may be empty in every version.
    pub client_id: &'a str,
    /// User Name.
    pub username: Option<&'a str>,
    /// Password; in v3 only with a User Name.
    pub password: Option<&'a [u8]>,
    /// The Will Message.
    pub will: Option<Will<'a>>,
    /// Properties; the defaults in v3.
    pub properties: ConnectProperties<'a>,
}

/// The properties of CONNECT, with the specification's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectProperties<'a> {
    /// Session Expiry Interval in seconds; `u32::MAX` never expires.
    pub session_expiry: u32,
    /// Receive Maximum; not zero.
    pub receive_maximum: u16,
    /// Maximum Packet Size in bytes; not zero, `u32::MAX` when the client sets no limit.
    pub maximum_packet_size: u32,
    /// Topic Alias Maximum.
    pub topic_alias_maximum: u16,
    /// Request Response Information.
    pub request_response_information: bool,
    /// Request Problem Information.
    pub request_problem_information: bool,
    /// Authentication Method.
    pub authentication_method: Option<&'a str>,
    /// Authentication Data; only with a method.
    pub authentication_data: Option<&'a [u8]>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
}

impl Default for ConnectProperties<'_> {
    fn default() -> Self {
        Self {
            session_expiry: 0,
            receive_maximum: u16::MAX,
            maximum_packet_size: u32::MAX,
            topic_alias_maximum: 0,
            request_response_information: false,
            request_problem_information: true,
            authentication_method: None,
            authentication_data: None,
            user_properties: UserProperties::default(),
        }
    }
}

const BRIDGE: u8 = 0x80;

/// The Connect Flags.
#[derive(Clone, Copy)]
struct Flags(u8);

impl Flags {
    const RESERVED: u8 = 1;
    const CLEAN_START: u8 = 1 << 1;
    const WILL: u8 = 1 << 2;
    const WILL_QOS_SHIFT: u8 = 3;
    const WILL_RETAIN: u8 = 1 << 5;
    const PASSWORD: u8 = 1 << 6;
    const USERNAME: u8 = 1 << 7;

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    fn will_qos(self) -> Result<QoS, DecodeError> {
        QoS::from_u8(self.0 >> Self::WILL_QOS_SHIFT & 0b11)
            .ok_or(DecodeError::malformed("MQTT-3.1.2-12", "will QoS is 3"))
    }

    /// Checks the combinations. 3.1 calls none of them wrong, but for a password alone.
    fn check(self, version: Version) -> Result<(), DecodeError> {
        if version > Version::V31 {
            if self.has(Self::RESERVED) {
                return Err(DecodeError::malformed("MQTT-3.1.2-3", "reserved connect flag is set"));
            }
            if !self.has(Self::WILL) && self.will_qos()? != QoS::AtMostOnce {
                return Err(DecodeError::malformed("MQTT-3.1.2-11", "will QoS without a will"));
            }
            if !self.has(Self::WILL) && self.has(Self::WILL_RETAIN) {
                return Err(DecodeError::malformed("MQTT-3.1.2-13", "will retain without a will"));
            }
        }
        if !version.is_v5() && self.has(Self::PASSWORD) && !self.has(Self::USERNAME) {
            // [MQTT-3.1.2-22] of 3.1.1; v5 allows it.
            return Err(DecodeError::malformed("MQTT-3.1.2-22", "password without a user name"));
        }
        Ok(())
    }
}

pub(super) fn decode<'a>(frame: &RawFrame<'a>) -> Result<Box<Connect<'a>>, DecodeError> {
    let mut reader = Reader::new(frame.body);
    let (version, bridge) = read_version(&mut reader)?;
    if version.is_v5() {
        check_shortest(frame)?;
    }
    let flags = Flags(reader.byte()?);
    flags.check(version)?;
    let keep_alive = reader.two()?;
    let properties = match version {
        Version::V5 => ConnectProperties::read(&mut reader)?,
        _ => ConnectProperties::default(),
    };
    let client_id = reader.text()?;
    let will = if flags.has(Flags::WILL) {
        let qos = flags.will_qos()?;
        Some(Will::read(&mut reader, version, qos, flags.has(Flags::WILL_RETAIN))?)
    } else {
        None
    };
    let username = announced(flags.has(Flags::USERNAME), version, &reader)
        .then(|| reader.text())
        .transpose()?;
    let password = announced(flags.has(Flags::PASSWORD), version, &reader)
        .then(|| reader.binary())
        .transpose()?;
    reader.finish()?;
    let clean_start = flags.has(Flags::CLEAN_START);
    Ok(Box::new(Connect {
        version,
        bridge,
        clean_start,
        keep_alive,
        client_id,
        username,
        password,
        will,
        properties,
    }))
}

/// Whether a field follows. In 3.1 the end of the packet takes precedence over the flag, for
/// clients older than the flags.
fn announced(flag: bool, version: Version, reader: &Reader<'_>) -> bool {
    flag && !(version == Version::V31 && reader.is_empty())
}

/// Reads Protocol Name and Level; the upper bit of a v3 level marks a bridge.
fn read_version(reader: &mut Reader<'_>) -> Result<(Version, bool), DecodeError> {
    let name = reader.binary()?;
    let level = reader.byte()?;
    let bridge = level & BRIDGE != 0;
    let version = match (name, level & !BRIDGE) {
        (b"MQIsdp", 3) => Version::V31,
        (b"MQTT", 4) => Version::V311,
        (b"MQTT", 5) if !bridge => Version::V5,
        (b"MQTT", _) => return Err(unsupported("MQTT-3.1.2-2", "protocol level is not served")),
        _ => return Err(unsupported("MQTT-3.1.2-1", "protocol name is not served")),
    };
    Ok((version, bridge))
}

#[cold]
fn unsupported(clause: &'static str, what: &'static str) -> DecodeError {
    DecodeError::new(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, clause, what)
}

impl Connect<'_> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(PacketType::Connect.first_byte());
        put::with_length(out, |out| {
            put::text(out, self.version.protocol_name());
            let bridge = self.bridge && !self.version.is_v5();
            out.push(self.version as u8 | if bridge { BRIDGE } else { 0 });
            out.push(self.flags());
            put::two(out, self.keep_alive);
            if self.version.is_v5() {
                put::with_length(out, |out| self.properties.write(out));
            }
            put::text(out, self.client_id);
            if let Some(will) = &self.will {
                will.write(self.version, out);
            }
            if let Some(username) = self.username {
                put::text(out, username);
            }
            if let Some(password) = self.password {
                put::binary(out, password);
            }
        });
    }

    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let will = self.will.as_ref().map_or(0, |will| {
            Flags::WILL
                | (will.qos as u8) << Flags::WILL_QOS_SHIFT
                | flag(will.retain, Flags::WILL_RETAIN)
        });
        flag(self.clean_start, Flags::CLEAN_START)
            | will
            | flag(self.password.is_some(), Flags::PASSWORD)
            | flag(self.username.is_some(), Flags::USERNAME)
    }
}

impl<'a> ConnectProperties<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut this = Self::default();
        let mut properties = Properties::take(reader, Scope::of(PacketType::Connect))?;
        while let Some(property) = properties.next()? {
            match property {
                Property::SessionExpiry(v) => this.session_expiry = v,
                Property::ReceiveMaximum(v) => this.receive_maximum = v,
                Property::MaximumPacketSize(v) => this.maximum_packet_size = v,
                Property::TopicAliasMaximum(v) => this.topic_alias_maximum = v,
                Property::RequestResponseInformation(v) => this.request_response_information = v,
                Property::RequestProblemInformation(v) => this.request_problem_information = v,
                Property::AuthenticationMethod(v) => this.authentication_method = Some(v),
                Property::AuthenticationData(v) => this.authentication_data = Some(v),
                _ => {}
            }
        }
        this.user_properties = properties.user_properties();
        check_authentication(this.authentication_method, this.authentication_data)?;
        Ok(this)
    }

    /// Appends what differs from the defaults.
    fn write(&self, out: &mut Vec<u8>) {
        let unset = Self::default();
        let changes = [
            (self.session_expiry != unset.session_expiry)
                .then_some(Property::SessionExpiry(self.session_expiry)),
            (self.receive_maximum != unset.receive_maximum)
                .then_some(Property::ReceiveMaximum(self.receive_maximum)),
            (self.maximum_packet_size != unset.maximum_packet_size)
                .then_some(Property::MaximumPacketSize(self.maximum_packet_size)),
            (self.topic_alias_maximum != unset.topic_alias_maximum)
                .then_some(Property::TopicAliasMaximum(self.topic_alias_maximum)),
            self.request_response_information.then_some(Property::RequestResponseInformation(true)),
            (!self.request_problem_information)
                .then_some(Property::RequestProblemInformation(false)),
            self.authentication_method.map(Property::AuthenticationMethod),
            self.authentication_data.map(Property::AuthenticationData),
        ];
        changes.into_iter().flatten().for_each(|property| property.write(out));
        self.user_properties.write(out);
    }
}

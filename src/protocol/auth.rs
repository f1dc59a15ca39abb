//! AUTH: one step of an extended authentication exchange, v5 only.

use super::ack::read_reason;
use super::decode::Role;
use super::error::DecodeError;
use super::frame::PacketType;
use super::property::{Properties, Property, Scope};
use super::reason::ReasonCode;
use super::user_properties::UserProperties;
use super::version::Version;
use super::wire::{Reader, put};

/// The AUTH packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, Continue authentication, or Re-authenticate.
    pub reason: ReasonCode,
    /// Authentication Method.
    pub method: Option<&'a str>,
    /// Authentication Data; only with a method.
    pub data: Option<&'a [u8]>,
    /// Reason String.
    pub reason_string: Option<&'a str>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
}

pub(super) fn decode(body: &[u8], role: Role) -> Result<Auth<'_>, DecodeError> {
    let mut auth = Auth::default();
    let mut reader = Reader::new(body);
    // An empty body means Success without properties.
    if !body.is_empty() {
        auth.reason = read_reason(&mut reader, PacketType::Auth)?;
    }
    let own_word = match role {
        Role::Server => ReasonCode::SUCCESS,
        Role::Client => ReasonCode::REAUTHENTICATE,
    };
    if auth.reason == own_word {
        let what = "this side does not send AUTH with this reason code";
        return Err(DecodeError::protocol("MQTT-3.15.2-1", what));
    }
    if !reader.is_empty() {
        auth.read_properties(&mut reader)?;
    }
    reader.finish()?;
    Ok(auth)
}

impl<'a> Auth<'a> {
    fn read_properties(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        let mut properties = Properties::take(reader, Scope::of(PacketType::Auth))?;
        while let Some(property) = properties.next()? {
            match property {
                Property::AuthenticationMethod(method) => self.method = Some(method),
                Property::AuthenticationData(data) => self.data = Some(data),
                Property::ReasonString(text) => self.reason_string = Some(text),
                _ => {}
            }
        }
        self.user_properties = properties.user_properties();
        check_authentication(self.method, self.data)
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        debug_assert!(version.is_v5(), "AUTH exists in MQTT 5.0 only");
        out.push(PacketType::Auth.first_byte());
        put::with_length(out, |out| {
            if *self == Self::default() {
                return;
            }
            out.push(self.reason.0);
            put::with_length(out, |out| {
                Property::write_some(self.method, Property::AuthenticationMethod, out);
                Property::write_some(self.data, Property::AuthenticationData, out);
                Property::write_some(self.reason_string, Property::ReasonString, out);
                self.user_properties.write(out);
            });
        });
    }
}

/// Refuses Authentication Data without an Authentication Method.
pub(super) fn check_authentication(
    method: Option<&str>,
    data: Option<&[u8]>,
) -> Result<(), DecodeError> {
    if data.is_some() && method.is_none() {
        let what = "authentication data without an authentication method";
        return Err(DecodeError::protocol("", what));
    }
    Ok(())
}

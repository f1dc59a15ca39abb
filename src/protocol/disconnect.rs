//! DISCONNECT: the end of a connection, told in advance.

use super::ack::read_reason;
use super::decode::Role;
use super::error::DecodeError;
use super::frame::PacketType;
use super::property::{Properties, Property, Scope};
use super::reason::ReasonCode;
use super::user_properties::UserProperties;
use super::version::Version;
use super::wire::{Reader, put};

/// The DISCONNECT packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Reason Code; [`ReasonCode::SUCCESS`] in v3.
    pub reason: ReasonCode,
    /// Session Expiry Interval in seconds; only from a client.
    pub session_expiry: Option<u32>,
    /// Reason String.
    pub reason_string: Option<&'a str>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
    /// Server Reference.
    pub server_reference: Option<&'a str>,
}

pub(super) fn decode(
    body: &[u8],
    version: Version,
    role: Role,
) -> Result<Disconnect<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut disconnect = Disconnect::default();
    // The Reason Code may be left out for Success, and the Property Length when it is zero.
    if version.is_v5() && !reader.is_empty() {
        disconnect.reason = read_reason(&mut reader, PacketType::Disconnect)?;
        if !reader.is_empty() {
            disconnect.read_properties(&mut reader)?;
        }
    }
    reader.finish()?;
    if role == Role::Client && disconnect.session_expiry.is_some() {
        let what = "session expiry interval in a server's DISCONNECT";
        return Err(DecodeError::protocol("MQTT-3.14.2-2", what));
    }
    Ok(disconnect)
}

impl<'a> Disconnect<'a> {
    fn read_properties(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        let mut properties = Properties::take(reader, Scope::of(PacketType::Disconnect))?;
        while let Some(property) = properties.next()? {
            match property {
                Property::SessionExpiry(seconds) => self.session_expiry = Some(seconds),
                Property::ReasonString(text) => self.reason_string = Some(text),
                Property::ServerReference(server) => self.server_reference = Some(server),
                _ => {}
            }
        }
        self.user_properties = properties.user_properties();
        Ok(())
    }

    pub(super) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        out.push(PacketType::Disconnect.first_byte());
        put::with_length(out, |out| {
            if !version.is_v5() || *self == Self::default() {
                return;
            }
            out.push(self.reason.0);
            if *self == (Self { reason: self.reason, ..Self::default() }) {
                return;
            }
            put::with_length(out, |out| {
                Property::write_some(self.session_expiry, Property::SessionExpiry, out);
                Property::write_some(self.reason_string, Property::ReasonString, out);
                Property::write_some(self.server_reference, Property::ServerReference, out);
                self.user_properties.write(out);
            });
        });
    }
}

//! Reason codes: one table with name, value and the packets each may appear in.

use super::frame::PacketType;
use super::frame::PacketType::{
    Auth, Connack, Disconnect, Puback, Pubcomp, Pubrec, Pubrel, Suback, Unsuback,
};

/// A v5 Reason Code as it stands on the wire. In a v3 CONNACK: the return code, 0 to 5.
///
/// Any byte can be held; [`ReasonCode::valid_in`] says whether MQTT 5.0 defines it for a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode(pub u8);

macro_rules! reason_codes {
    ($($doc:literal $name:ident = $value:literal, $text:literal, [$($packet:ident)*];)*) => {
        impl ReasonCode {
            $(#[doc = $doc] pub const $name: Self = Self($value);)*

            /// All defined codes, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in the specification's words; `Unknown` for an undefined code.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    _ => "Unknown",
                }
            }

            /// The packet types that may carry this code, as a bit set indexed by type.
            const fn packets(self) -> u16 {
                match self.0 {
                    $($value => 0 $(| 1 << $packet as u8)*,)*
                    _ => 0,
                }
            }
        }
    };
}

// MQTT 5.0, table 2-6.
reason_codes! {
    "Success; also Normal disconnection and Granted QoS 0."
    SUCCESS = 0x00, "Success",
        [Connack Puback Pubrec Pubrel Pubcomp Suback Unsuback Disconnect Auth];
    "The subscription was accepted at QoS 1 at most."
    GRANTED_QOS_1 = 0x01, "Granted QoS 1", [Suback];
    "The subscription was accepted at QoS 2 at most."
    GRANTED_QOS_2 = 0x02, "Granted QoS 2", [Suback];
    "The client leaves and wants its Will Message published."
    DISCONNECT_WITH_WILL = 0x04, "Disconnect with Will Message", [Disconnect];
    "The message was accepted, nobody subscribes to it."
    NO_MATCHING_SUBSCRIBERS = 0x10, "No matching subscribers", [Puback Pubrec];
    "UNSUBSCRIBE named a filter that is not subscribed."
    NO_SUBSCRIPTION_EXISTED = 0x11, "No subscription existed", [Unsuback];
    "One more step of an authentication exchange."
    CONTINUE_AUTHENTICATION = 0x18, "Continue authentication", [Auth];
    "The client starts a re-authentication."
    REAUTHENTICATE = 0x19, "Re-authenticate", [Auth];
    "No more specific code applies or may be told."
    UNSPECIFIED_ERROR = 0x80, "Unspecified error",
        [Connack Puback Pubrec Suback Unsuback Disconnect];
    "The packet could not be parsed."
    MALFORMED_PACKET = 0x81, "Malformed Packet", [Connack Disconnect];
    "The packet parses but is not allowed here."
    PROTOCOL_ERROR = 0x82, "Protocol Error", [Connack Disconnect];
    "Valid, but this implementation does not accept it."
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83, "Implementation specific error",
        [Connack Puback Pubrec Suback Unsuback Disconnect];
    "The Protocol Name or Level is not served."
    UNSUPPORTED_PROTOCOL_VERSION = 0x84, "Unsupported Protocol Version", [Connack];
    "The Client Identifier is valid but not accepted."
    CLIENT_IDENTIFIER_NOT_VALID = 0x85, "Client Identifier not valid", [Connack];
    "Wrong credentials."
    BAD_USER_NAME_OR_PASSWORD = 0x86, "Bad User Name or Password", [Connack];
    "The client may not do this."
    NOT_AUTHORIZED = 0x87, "Not authorized",
        [Connack Puback Pubrec Suback Unsuback Disconnect];
    "The server is not available."
    SERVER_UNAVAILABLE = 0x88, "Server unavailable", [Connack];
    "The server is busy; try again later."
    SERVER_BUSY = 0x89, "Server busy", [Connack Disconnect];
    "The client was banned."
    BANNED = 0x8A, "Banned", [Connack];
    "The server is going down."
    SERVER_SHUTTING_DOWN = 0x8B, "Server shutting down", [Disconnect];
    "The authentication method is not supported or not the current one."
    BAD_AUTHENTICATION_METHOD = 0x8C, "Bad authentication method", [Connack Disconnect];
    "Nothing came for one and a half times the Keep Alive."
    KEEP_ALIVE_TIMEOUT = 0x8D, "Keep Alive timeout", [Disconnect];
    "Another connection uses the same Client Identifier."
    SESSION_TAKEN_OVER = 0x8E, "Session taken over", [Disconnect];
    "The Topic Filter is well formed but not accepted, or wildcards are misplaced."
    TOPIC_FILTER_INVALID = 0x8F, "Topic Filter invalid", [Suback Unsuback Disconnect];
    "The Topic Name is well formed but not accepted, or holds wildcards."
    TOPIC_NAME_INVALID = 0x90, "Topic Name invalid", [Connack Puback Pubrec Disconnect];
    "The Packet Identifier is already in use."
    PACKET_IDENTIFIER_IN_USE = 0x91, "Packet identifier in use",
        [Puback Pubrec Suback Unsuback];
    "The Packet Identifier is not known."
    PACKET_IDENTIFIER_NOT_FOUND = 0x92, "Packet Identifier not found", [Pubrel Pubcomp];
    "More unacknowledged publications than the Receive Maximum."
    RECEIVE_MAXIMUM_EXCEEDED = 0x93, "Receive Maximum exceeded", [Disconnect];
    "The Topic Alias is zero or above the maximum."
    TOPIC_ALIAS_INVALID = 0x94, "Topic Alias invalid", [Disconnect];
    "The packet is larger than the Maximum Packet Size."
    PACKET_TOO_LARGE = 0x95, "Packet too large", [Connack Disconnect];
    "The client publishes too fast."
    MESSAGE_RATE_TOO_HIGH = 0x96, "Message rate too high", [Disconnect];
    "A limit was reached."
    QUOTA_EXCEEDED = 0x97, "Quota exceeded", [Connack Puback Pubrec Suback Disconnect];
    "An operator closed the connection."
    ADMINISTRATIVE_ACTION = 0x98, "Administrative action", [Disconnect];
    "The payload is not what the Payload Format Indicator says."
    PAYLOAD_FORMAT_INVALID = 0x99, "Payload format invalid",
        [Connack Puback Pubrec Disconnect];
    "Retained messages are not supported."
    RETAIN_NOT_SUPPORTED = 0x9A, "Retain not supported", [Connack Disconnect];
    "The QoS is above the Maximum QoS."
    QOS_NOT_SUPPORTED = 0x9B, "QoS not supported", [Connack Disconnect];
    "Use another server for now."
    USE_ANOTHER_SERVER = 0x9C, "Use another server", [Connack Disconnect];
    "Use another server from now on."
    SERVER_MOVED = 0x9D, "Server moved", [Connack Disconnect];
    "Shared Subscriptions are not supported."
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E, "Shared Subscriptions not supported",
        [Suback Disconnect];
    "Connections arrive too fast."
    CONNECTION_RATE_EXCEEDED = 0x9F, "Connection rate exceeded", [Connack Disconnect];
    "The connection's authorised time is over."
    MAXIMUM_CONNECT_TIME = 0xA0, "Maximum connect time", [Disconnect];
    "Subscription Identifiers are not supported."
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1, "Subscription Identifiers not supported",
        [Suback Disconnect];
    "Wildcard subscriptions are not supported."
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2, "Wildcard Subscriptions not supported",
        [Suback Disconnect];
}

impl ReasonCode {
    /// Whether the code reports a failure (0x80 and above).
    #[inline]
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// Whether MQTT 5.0 defines this code for this packet type.
    #[inline]
    pub const fn valid_in(self, packet: PacketType) -> bool {
        self.packets() & (1 << packet as u8) != 0
    }

    /// The v3 CONNACK return code that says nearly the same: 0 for a success, 1 to 5 for an
    /// error, 3 (server unavailable) when v3 has no word for it.
    pub const fn connack_v3(self) -> u8 {
        match self {
            Self(0..=0x7F) => 0,
            Self::UNSUPPORTED_PROTOCOL_VERSION => 1,
            Self::CLIENT_IDENTIFIER_NOT_VALID => 2,
            Self::BAD_USER_NAME_OR_PASSWORD | Self::BAD_AUTHENTICATION_METHOD => 4,
            Self::NOT_AUTHORIZED | Self::BANNED => 5,
            _ => 3,
        }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_and_a_packet() {
        assert!(ReasonCode::ALL.is_sorted());
        assert_eq!(ReasonCode::ALL.len(), 43);
        for &code in ReasonCode::ALL {
            assert_ne!(code.name(), "Unknown");
            assert_ne!(code.packets(), 0, "{code}");
        }
        assert_eq!(ReasonCode(0x7F).name(), "Unknown");
        assert!(!ReasonCode(0x03).valid_in(Suback));
    }

    #[test]
    fn codes_are_bound_to_their_packets() {
        assert!(ReasonCode::SUCCESS.valid_in(Auth));
        assert!(!ReasonCode::SUCCESS.valid_in(PacketType::Publish));
        assert!(ReasonCode::PACKET_IDENTIFIER_NOT_FOUND.valid_in(Pubrel));
        assert!(!ReasonCode::PACKET_IDENTIFIER_NOT_FOUND.valid_in(Puback));
        assert!(!ReasonCode::DISCONNECT_WITH_WILL.valid_in(Connack));
    }

    #[test]
    fn v3_connack_codes_stay_in_range() {
        for byte in 0..=u8::MAX {
            let code = ReasonCode(byte);
            assert_eq!(code.connack_v3() == 0, !code.is_error());
            assert!(code.connack_v3() <= 5);
        }
        assert_eq!(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION.connack_v3(), 1);
        assert_eq!(ReasonCode::QUOTA_EXCEEDED.connack_v3(), 3);
    }
}

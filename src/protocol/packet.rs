//! The packet model: one type for what any version can say.

use super::ack::Ack;
use super::auth::Auth;
use super::connack::Connack;
use super::connect::Connect;
use super::disconnect::Disconnect;
use super::frame::PacketType;
use super::publish::Publish;
use super::suback::Suback;
use super::subscribe::{Subscribe, Unsubscribe};

/// A Control Packet that borrows its strings and payload.
///
/// Fields that a version does not have hold their defaults when decoded, and are left out when
/// encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the specification's own names")]
pub enum Packet<'a> {
    Connect(Box<Connect<'a>>),
    Connack(Connack<'a>),
    Publish(Publish<'a>),
    Puback(Ack<'a>),
    Pubrec(Ack<'a>),
    Pubrel(Ack<'a>),
    Pubcomp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    Suback(Suback<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Unsuback(Suback<'a>),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl Packet<'_> {
    /// The packet's type.
    #[inline]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::Connack(_) => PacketType::Connack,
            Self::Publish(_) => PacketType::Publish,
            Self::Puback(_) => PacketType::Puback,
            Self::Pubrec(_) => PacketType::Pubrec,
            Self::Pubrel(_) => PacketType::Pubrel,
            Self::Pubcomp(_) => PacketType::Pubcomp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Suback(_) => PacketType::Suback,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::Unsuback(_) => PacketType::Unsuback,
            Self::Pingreq => PacketType::Pingreq,
            Self::Pingresp => PacketType::Pingresp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// Whether it carries more than `limit` User Properties; those of a Will are counted apart.
    pub fn has_more_user_properties_than(&self, limit: usize) -> bool {
        let own = match self {
            Self::Publish(publish) => return publish.forward.has_more_user_properties_than(limit),
            Self::Connect(connect) => {
                let will = connect.will.as_ref();
                if will.is_some_and(|will| will.forward.has_more_user_properties_than(limit)) {
                    return true;
                }
                connect.properties.user_properties
            }
            Self::Connack(connack) => connack.properties.user_properties,
            Self::Puback(ack) | Self::Pubrec(ack) | Self::Pubrel(ack) | Self::Pubcomp(ack) => {
                ack.user_properties
            }
            Self::Subscribe(subscribe) => subscribe.user_properties,
            Self::Unsubscribe(unsubscribe) => unsubscribe.user_properties,
            Self::Suback(suback) | Self::Unsuback(suback) => suback.user_properties,
            Self::Disconnect(disconnect) => disconnect.user_properties,
            Self::Auth(auth) => auth.user_properties,
            Self::Pingreq | Self::Pingresp => return false,
        };
        own.len() > limit
    }
}

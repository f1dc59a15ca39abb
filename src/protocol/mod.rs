//! The MQTT codec: one packet model for MQTT 3.1, 3.1.1 and 5.0, sans-IO.
//!
//! [`split`] cuts one Control Packet off the front of a buffer, [`decode()`] turns it into a
//! [`Packet`] that borrows from that buffer, and [`encode()`] appends a packet to an output buffer.
//! The version is a parameter; there is one set of types. The broker, the command-line clients and
//! the load generator share this code.
//!
//! # Owns
//! Nothing that lives: no sockets, clocks, locks or globals. The only heap allocations are the box
//! of a [`Connect`], once in a connection's life; more than four Subscription Identifiers in a
//! PUBLISH that a client receives; and a [`Message`] the broker decides to keep.
//!
//! # Guarantees
//! - [`decode()`] checks everything that a packet alone can tell: flags, lengths, UTF-8,
//!   identifiers, properties (allowed here, in range, at most once), reason codes, no byte missing
//!   or left over. What needs the state of the connection (aliases, quotas, client identifiers) is
//!   the caller's.
//! - The declared length never allocates, and is checked before the body has arrived.
//! - The cost is linear in the packet's size, whatever it holds.
//! - A view handed out ([`UserProperties`], [`SubscribeFilters`], [`ForwardProperties`]) was
//!   validated when it was decoded; iterating it cannot fail.
//! - Errors name the v5 Reason Code to answer with and, where there is one, the violated clause.
//!   Clauses are numbered as in MQTT 5.0 unless the text says otherwise.

mod ack;
mod auth;
mod connack;
mod connect;
mod decode;
mod disconnect;
mod encode;
mod error;
mod filters;
mod forward;
mod frame;
mod message;
mod packet;
mod property;
mod publish;
mod publish_head;
mod qos;
mod reason;
mod suback;
mod subscribe;
mod text;
mod topic;
mod user_properties;
mod version;
mod will;
mod wire;

#[cfg(test)]
mod tests;

pub use ack::{Ack, encode_ack};
pub use auth::Auth;
pub use connack::{Connack, ConnackProperties};
pub use connect::{Connect, ConnectProperties};
pub use decode::{Role, decode};
pub use disconnect::Disconnect;
pub use encode::encode;
pub use error::DecodeError;
pub use filters::{FilterIter, FilterList};
pub use forward::{ForwardProperties, ForwardValues};
pub use frame::{MAX_PACKET_SIZE, MAX_REMAINING_LENGTH, PacketType, RawFrame, packet_size, split};
pub use message::{Message, MessageInit};
pub use packet::Packet;
pub use publish::{Publish, SubscriptionIds, decode_publish};
pub use publish_head::PublishHead;
pub use qos::QoS;
pub use reason::ReasonCode;
pub use suback::Suback;
pub use subscribe::{
    Subscribe, SubscribeFilters, SubscribeOptions, Unsubscribe, UnsubscribeFilters,
};
pub use topic::{MAX_LEVELS, check_topic_filter, check_topic_name, filter_matches, split_shared};
pub use user_properties::{UserProperties, UserPropertyIter};
pub use version::Version;
pub use will::Will;
pub use wire::bytes_read;

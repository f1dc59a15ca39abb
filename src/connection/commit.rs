//! The commit point: the one place where an acknowledgement leaves.
//!
//! PUBACK, PUBREC and SUBACK say that the broker has taken responsibility. With state kept in
//! memory that is so as soon as the message is routed, so they are written at once. When a store
//! has to answer first, this is where they wait; nothing else in the machine knows about it.

use super::Host;
use crate::protocol::{PacketType, ReasonCode, Version, encode_ack};
use crate::util::Key;

/// Acknowledges `packet_id` on `connection`.
pub(super) fn acknowledge<H: Host>(
    host: &mut H,
    connection: Key,
    kind: PacketType,
    version: Version,
    packet_id: u16,
    reason: ReasonCode,
) {
    encode_ack(kind, version, packet_id, reason, host.link(connection).out.bytes());
    host.sent(connection);
}

//! Writing packets that the Client may be unable to take: its Maximum Packet Size is a promise of
//! the broker's, whatever the packet.

use super::{Close, Host};
use crate::protocol::{Packet, ReasonCode, Version, encode};
use crate::util::Key;

/// Why a connection ends whose answer is too large to be sent.
pub(super) const ANSWER_TOO_LARGE: Close = Close::Refused {
    reason: ReasonCode::PACKET_TOO_LARGE,
    what: "answer larger than the client's maximum packet size",
};

/// Appends the packet unless it is larger than the Client takes [MQTT-3.1.2-24]; returns whether
/// it did.
///
/// PUBLISH is checked before it is encoded. Acknowledgements, PINGRESP and a DISCONNECT without
/// words are no larger than the smallest CONNACK, and without that there is no Session.
#[must_use]
pub(super) fn write_within<H: Host>(
    host: &mut H,
    connection: Key,
    version: Version,
    packet: &Packet<'_>,
) -> bool {
    let link = host.link(connection);
    let limit = link.maximum_packet_size as usize;
    let out = link.out.bytes();
    let start = out.len();
    encode(packet, version, out);
    if out.len() - start > limit {
        out.truncate(start);
        return false;
    }
    host.sent(connection, packet.packet_type());
    true
}

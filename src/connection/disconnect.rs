//! DISCONNECT, both ways.

use super::{Close, Flow, Host, Traced, Way};
use crate::protocol::{
    Disconnect, Packet, PacketType, ReasonCode, UserProperties, Version, encode,
};
use crate::util::Key;

/// The Client's DISCONNECT.
pub(super) fn handle<H: Host>(host: &mut H, session: Key, packet: &Disconnect<'_>) -> Flow {
    if let Some(interval) = packet.session_expiry {
        let maximum = host.config().session.expiry_s;
        let session = host.session(session);
        if session.expiry_s == 0 && interval != 0 {
            // [MQTT-3.14.2-2]: it may not bring an ended session back to life.
            let what = "session expiry raised from zero";
            return Close::refused(ReasonCode::PROTOCOL_ERROR, what).into();
        }
        session.expiry_s = interval.min(maximum);
    }
    // Only 0x00 removes the Will [MQTT-3.14.4-3].
    Close::Disconnected { with_will: packet.reason != ReasonCode::SUCCESS }.into()
}

/// Writes the broker's DISCONNECT to a version 5 Client; version 3 has none.
pub fn write_disconnect<H: Host>(
    host: &mut H,
    connection: Key,
    reason: ReasonCode,
    what: &'static str,
) {
    debug_assert!(reason.valid_in(PacketType::Disconnect), "{reason:?} [MQTT-3.14.2-1]");
    let reference = host.config().server_reference.clone();
    let reference = reference.as_deref().filter(|_| {
        matches!(
            reason,
            ReasonCode::SERVER_SHUTTING_DOWN
                | ReasonCode::SERVER_BUSY
                | ReasonCode::USE_ANOTHER_SERVER
                | ReasonCode::SERVER_MOVED
        )
    });
    let link = host.link(connection);
    if link.version != Version::V5 || link.closing {
        return;
    }
    let mut packet = Disconnect {
        reason,
        session_expiry: None,
        reason_string: Some(what).filter(|what| !what.is_empty()),
        user_properties: UserProperties::default(),
        server_reference: reference,
    };
    let limit = link.maximum_packet_size as usize;
    let out = link.out.bytes();
    let start = out.len();
    encode(&Packet::Disconnect(packet), Version::V5, out);
    if out.len() - start > limit {
        // [MQTT-3.14.2-3]: the reason without the words.
        out.truncate(start);
        packet.reason_string = None;
        packet.server_reference = None;
        encode(&Packet::Disconnect(packet), Version::V5, out);
    }
    host.sent(connection, PacketType::Disconnect);
    let kind = PacketType::Disconnect;
    host.trace_link(connection, Way::Sending, || Traced::Reason { kind, code: reason.0 });
}

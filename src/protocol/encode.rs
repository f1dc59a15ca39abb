//! Encoding: the dispatch to the packet families.

use super::frame::PacketType;
use super::packet::Packet;
use super::version::Version;

/// Appends `packet` to `out` in the wire form of `version`.
///
/// For CONNECT the version in the packet counts. What the version cannot say is left out; v5
/// reason codes become the nearest v3 codes in CONNACK and SUBACK.
///
/// The caller keeps strings within 65 535 bytes and the packet within 256 MiB.
pub fn encode(packet: &Packet<'_>, version: Version, out: &mut Vec<u8>) {
    match packet {
        Packet::Connect(connect) => connect.encode(out),
        Packet::Connack(connack) => connack.encode(version, out),
        Packet::Publish(publish) => publish.encode(version, out),
        Packet::Puback(ack) => ack.encode(PacketType::Puback, version, out),
        Packet::Pubrec(ack) => ack.encode(PacketType::Pubrec, version, out),
        Packet::Pubrel(ack) => ack.encode(PacketType::Pubrel, version, out),
        Packet::Pubcomp(ack) => ack.encode(PacketType::Pubcomp, version, out),
        Packet::Subscribe(subscribe) => subscribe.encode(version, out),
        Packet::Suback(suback) => suback.encode(PacketType::Suback, version, out),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
        Packet::Unsuback(unsuback) => unsuback.encode(PacketType::Unsuback, version, out),
        Packet::Pingreq => out.extend_from_slice(&[PacketType::Pingreq.first_byte(), 0]),
        Packet::Pingresp => out.extend_from_slice(&[PacketType::Pingresp.first_byte(), 0]),
        Packet::Disconnect(disconnect) => disconnect.encode(version, out),
        Packet::Auth(auth) => auth.encode(version, out),
    }
}

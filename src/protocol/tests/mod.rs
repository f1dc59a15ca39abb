//! Behaviour of the codec as a whole, packet by packet.
//!
//! `bytes` holds packets written by hand after the specification, since an encoder and a decoder
//! of one make can agree on a mistake. `refused` holds what must not decode. `generated` holds
//! the properties that hold for every packet: round trips, cuts at each byte, random input.

mod bytes;
mod generated;
mod refused;

use super::*;

/// Cuts and decodes one whole packet.
fn read(bytes: &[u8], version: Version, role: Role) -> Result<Packet<'_>, DecodeError> {
    let frame = split(bytes, u32::MAX)?.expect("a whole packet");
    assert_eq!(frame.size, bytes.len(), "one packet and nothing behind it");
    decode(frame, version, role)
}

/// A packet from its first byte and body.
fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 128, "one length byte");
    let mut bytes = vec![first, body.len() as u8];
    bytes.extend_from_slice(body);
    bytes
}

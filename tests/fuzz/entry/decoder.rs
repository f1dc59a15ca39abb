//! Bytes as a stream of Control Packets: what is decoded, encoded and decoded again is the same.

use pondhawk::protocol::{Packet, Role, Version, decode, encode, split};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// The first byte chooses version and side, the rest is the stream.
fn choose(data: &[u8]) -> Option<(Version, Role, &[u8])> {
    let (choice, stream) = data.split_first()?;
    Some((VERSIONS[*choice as usize % 3], ROLES[*choice as usize / 3 % 2], stream))
}

fn each_packet(data: &[u8], mut each: impl FnMut(Packet<'_>, Version, Role)) {
    let Some((version, role, mut stream)) = choose(data) else { return };
    while let Ok(Some(frame)) = split(stream, u32::MAX) {
        let size = frame.size;
        assert!(size >= 2 && size <= stream.len(), "a frame of {size} in {}", stream.len());
        match decode(frame, version, role) {
            Ok(packet) => each(packet, version, role),
            Err(error) => assert!(error.reason.is_error(), "refused for {}", error.reason.0),
        }
        stream = &stream[size..];
    }
}

/// Decodes only.
pub fn decode_all(data: &[u8]) {
    each_packet(data, |packet, _, _| drop(packet));
}

/// Decodes, and takes each packet around once more.
pub fn run(data: &[u8]) {
    each_packet(data, |packet, version, role| {
        // CONNECT brings its own version.
        let version = match &packet {
            Packet::Connect(connect) => connect.version,
            _ => version,
        };
        let mut first = Vec::new();
        encode(&packet, version, &mut first);
        let frame = split(&first, u32::MAX).expect("a sound frame").expect("a whole frame");
        assert_eq!(frame.size, first.len(), "{packet:?}");
        let again = decode(frame, version, role).expect("what we encode, we decode");
        assert_eq!(again, packet);
        let mut second = Vec::new();
        encode(&again, version, &mut second);
        assert_eq!(second, first, "encoding is a function of the packet");
    });
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, first];
    varint(body.len(), &mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value > 127 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn users(count: usize) -> Vec<u8> {
    let mut properties = Vec::new();
    varint(count * 7, &mut properties);
    properties.extend([0x26, 0, 1, b'n', 0, 1, b'v'].repeat(count));
    properties
}

/// A PUBLISH with `count` User Properties, an alias between each few.
pub fn stuffed_publish(count: usize) -> Vec<u8> {
    packet(0x30, &[&[0, 1, b't'], users(count).as_slice(), b"payload"].concat())
}

/// A CONNECT with `count` User Properties and as many in its Will.
pub fn stuffed_connect(count: usize) -> Vec<u8> {
    let (own, will) = (users(count), users(count));
    packet(
        0x10,
        &[
            b"\x00\x04MQTT\x05\x06\x00\x3C".as_slice(),
            &own,
            &[0, 1, b'c'],
            &will,
            &[0, 1, b'w', 0, 1, b'x'],
        ]
        .concat(),
    )
}

/// A SUBSCRIBE with `count` Topic Filters.
pub fn stuffed_subscribe(count: usize) -> Vec<u8> {
    packet(0x82, &[&[0, 1, 0], [0, 3, b'a', b'/', b'+', 1].repeat(count).as_slice()].concat())
}

/// Bytes the decoder looked at; only counted in builds with debug assertions.
pub fn work_of(data: &[u8]) -> u64 {
    let before = pondhawk::protocol::bytes_read();
    decode_all(data);
    pondhawk::protocol::bytes_read() - before
}

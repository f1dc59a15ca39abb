//! A publisher's PUBLISH packets.

use pondhawk::protocol::{ForwardProperties, PublishHead, QoS, Version};

use super::stamp::{STAMP_LEN, Stamp};

/// What does not change between the PUBLISH packets of a topic.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Protocol version.
    pub version: Version,
    /// QoS.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
}

/// A PUBLISH frame of which only the packet identifier and the stamp change.
#[derive(Debug)]
pub struct Frame {
    bytes: Box<[u8]>,
    packet_id_at: Option<usize>,
    stamp_at: usize,
}

impl Frame {
    /// Encodes the frame; `size` is the payload's length, at least [`STAMP_LEN`].
    pub fn new(topic: &str, shape: Shape, size: usize) -> Self {
        let mut bytes = Vec::new();
        let nothing = Stamp { intended_ns: 0, flow: 0, sequence: 0 };
        let packet_id = u16::from(shape.qos != QoS::AtMostOnce);
        let (packet_id_at, stamp_at) = append(topic, shape, size, packet_id, nothing, &mut bytes);
        Self { bytes: bytes.into(), packet_id_at, stamp_at }
    }

    /// Appends the frame with its identifier (0 for QoS 0) and stamp.
    #[inline]
    pub fn append(&self, packet_id: u16, stamp: Stamp, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let frame = &mut out[start..];
        if let Some(at) = self.packet_id_at {
            frame[at..at + 2].copy_from_slice(&packet_id.to_be_bytes());
        }
        let len = self.bytes.len() - self.stamp_at;
        if let Some(payload) = frame[self.stamp_at..].first_chunk_mut::<STAMP_LEN>() {
            stamp.write(payload, len);
        }
    }
}

/// Encodes a PUBLISH and appends it; returns where the packet identifier and the payload stand.
pub fn append(
    topic: &str,
    shape: Shape,
    size: usize,
    packet_id: u16,
    stamp: Stamp,
    out: &mut Vec<u8>,
) -> (Option<usize>, usize) {
    let size = size.max(STAMP_LEN);
    let head = PublishHead {
        version: shape.version,
        dup: false,
        qos: shape.qos,
        retain: shape.retain,
        packet_id,
        topic,
        alias: None,
        message_expiry: None,
        subscription_ids: &[],
        forward: ForwardProperties::default(),
        payload_len: size,
    };
    let packet_id_at = head.encode(out);
    let stamp_at = out.len();
    out.resize(stamp_at + size, 0);
    stamp.fill(&mut out[stamp_at..]);
    (packet_id_at, stamp_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { intended_ns: 99, flow: 3, sequence: 12 };

    fn shape(version: Version, qos: QoS) -> Shape {
        Shape { version, qos, retain: false }
    }

    #[test]
    fn qos_0_in_3_1_1_is_header_topic_payload() {
        let mut out = Vec::new();
        Frame::new("a/b", shape(Version::V311, QoS::AtMostOnce), 16).append(0, STAMP, &mut out);
        assert_eq!(out[..7], [0x30, 21, 0, 3, b'a', b'/', b'b']);
        assert_eq!(Stamp::read(&out[7..], 100), Ok(STAMP));
        assert_eq!(out.len(), 23);
    }

    #[test]
    fn qos_1_in_5_has_its_identifier_before_the_properties() {
        let mut out = Vec::new();
        let frame = Frame::new("a/b", shape(Version::V5, QoS::AtLeastOnce), 18);
        frame.append(0x1234, STAMP, &mut out);
        assert_eq!(out[..10], [0x32, 26, 0, 3, b'a', b'/', b'b', 0x12, 0x34, 0]);
        assert_eq!(Stamp::read(&out[10..], 100), Ok(STAMP));
        assert_eq!(out.len(), 28);
    }

    #[test]
    fn retained_frames_say_so_and_frames_follow_each_other() {
        let retained = Shape { retain: true, ..shape(Version::V311, QoS::AtMostOnce) };
        let frame = Frame::new("t", retained, 16);
        let mut out = Vec::new();
        frame.append(0, STAMP, &mut out);
        frame.append(0, Stamp { sequence: 13, ..STAMP }, &mut out);
        assert_eq!(out.len(), 2 * frame.bytes.len());
        assert_eq!(out[..5], out[frame.bytes.len()..frame.bytes.len() + 5]);
        assert_eq!(out[0], 0x31);
    }
}

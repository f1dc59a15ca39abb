//! A publisher's PUBLISH, encoded once.

use pondhawk::protocol::{ForwardProperties, PublishHead, QoS, Version};

use super::stamp::{STAMP_LEN, Stamp};

/// A PUBLISH frame of which only the packet identifier and the stamp change.
#[derive(Debug)]
pub struct Template {
    frame: Box<[u8]>,
    packet_id_at: Option<usize>,
    stamp_at: usize,
}

impl Template {
    /// Encodes the frame; `size` is the payload's length, at least [`STAMP_LEN`].
    pub fn new(topic: &str, qos: QoS, version: Version, size: usize) -> Self {
        let size = size.max(STAMP_LEN);
        let head = PublishHead {
            version,
            dup: false,
            qos,
            retain: false,
            // Any valid identifier: it is written over.
            packet_id: u16::from(qos != QoS::AtMostOnce),
            topic,
            alias: None,
            message_expiry: None,
            subscription_ids: &[],
            forward: ForwardProperties::default(),
            payload_len: size,
        };
        let mut frame = Vec::with_capacity(head.encoded_len());
        let packet_id_at = head.encode(&mut frame);
        let stamp_at = frame.len();
        frame.resize(stamp_at + size, b'.');
        Self { frame: frame.into(), packet_id_at, stamp_at }
    }

    /// Appends the frame with its identifier (0 for QoS 0) and stamp.
    #[inline]
    pub fn append(&self, packet_id: u16, stamp: Stamp, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let frame = &mut out[start..];
        if let Some(at) = self.packet_id_at {
            frame[at..at + 2].copy_from_slice(&packet_id.to_be_bytes());
        }
        if let Some(payload) = frame[self.stamp_at..].first_chunk_mut::<STAMP_LEN>() {
            stamp.write(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { intended_ns: 99, flow: 3, sequence: 12 };

    #[test]
    fn qos_0_in_3_1_1_is_header_topic_payload() {
        let mut out = Vec::new();
        Template::new("a/b", QoS::AtMostOnce, Version::V311, 16).append(0, STAMP, &mut out);
        assert_eq!(out[..7], [0x30, 21, 0, 3, b'a', b'/', b'b']);
        assert_eq!(Stamp::read(&out[7..]), Some(STAMP));
        assert_eq!(out.len(), 23);
    }

    #[test]
    fn qos_1_in_5_has_its_identifier_before_the_properties() {
        let mut out = Vec::new();
        Template::new("a/b", QoS::AtLeastOnce, Version::V5, 18).append(0x1234, STAMP, &mut out);
        assert_eq!(out[..10], [0x32, 26, 0, 3, b'a', b'/', b'b', 0x12, 0x34, 0]);
        assert_eq!(Stamp::read(&out[10..]), Some(STAMP));
        assert_eq!(out[26..], *b"..");
    }

    #[test]
    fn frames_follow_each_other() {
        let template = Template::new("t", QoS::AtMostOnce, Version::V311, 16);
        let mut out = Vec::new();
        template.append(0, STAMP, &mut out);
        template.append(0, Stamp { sequence: 13, ..STAMP }, &mut out);
        assert_eq!(out.len(), 2 * template.frame.len());
        assert_eq!(out[..5], out[template.frame.len()..template.frame.len() + 5]);
    }
}

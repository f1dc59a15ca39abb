//! Where a publisher's bytes go.

use pondhawk::protocol::{Publish, QoS, RawFrame};

/// A publisher that is relayed without being read.
#[derive(Debug)]
pub struct Relay {
    /// Topic Name of the first PUBLISH.
    pub topic: Box<str>,
    /// State of the subscriptions for which `targets` holds.
    pub generation: u64,
    /// Connections subscribed to the topic.
    pub targets: Box<[usize]>,
    /// Where the packet identifier stands; `None` for QoS 0.
    pub packet_id_at: Option<usize>,
    /// The first two bytes of every frame: type with flags, and length.
    head: [u8; 2],
    /// Length of every frame.
    frame: usize,
    /// First byte of the answer to a frame: PUBACK or PUBREC.
    ack: u8,
}

impl Relay {
    /// Learns from the first PUBLISH.
    pub fn learn(frame: RawFrame<'_>, first_length_byte: u8, publish: &Publish<'_>) -> Self {
        let header = frame.size - frame.body.len();
        let packet_id_at = header + 2 + publish.topic.len();
        Self {
            topic: publish.topic.into(),
            generation: 0,
            targets: Box::default(),
            packet_id_at: (publish.qos != QoS::AtMostOnce).then_some(packet_id_at),
            head: [frame.first, first_length_byte],
            frame: frame.size,
            ack: if publish.qos == QoS::ExactlyOnce { 0x50 } else { 0x40 },
        }
    }

    /// How many bytes at the front of `bytes` are whole frames to be relayed.
    #[inline]
    pub fn whole_frames(&self, bytes: &[u8]) -> usize {
        if bytes.len() < self.frame || bytes[..2] != self.head {
            return 0;
        }
        let whole = bytes.len() - bytes.len() % self.frame;
        // If the last frame does not begin where it should, something else stands between: one at a
        // time then.
        let last = whole - self.frame;
        if bytes[last..last + 2] == self.head { whole } else { self.frame }
    }

    /// Appends a PUBACK, or a PUBREC, for each frame of `bytes`, if the frames ask for it.
    #[inline]
    pub fn acknowledge(&self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(at) = self.packet_id_at else { return };
        for frame in bytes.chunks_exact(self.frame) {
            out.extend_from_slice(&[self.ack, 2, frame[at], frame[at + 1]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pondhawk::protocol::{Packet, Role, Version, decode, split};

    const FIRST: [u8; 9] = [0x32, 7, 0, 1, b't', 1, 2, b'x', b'y'];

    fn relay() -> Relay {
        let frame = split(&FIRST, u32::MAX).unwrap().unwrap();
        match decode(frame, Version::V311, Role::Server).unwrap() {
            Packet::Publish(publish) => Relay::learn(frame, FIRST[1], &publish),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whole_frames_are_taken_and_the_rest_is_left() {
        let stream = [FIRST, FIRST, FIRST].concat();
        let relay = relay();
        assert_eq!(relay.whole_frames(&stream), 27);
        assert_eq!(relay.whole_frames(&stream[..26]), 18);
        assert_eq!(relay.whole_frames(&stream[..8]), 0);
    }

    #[test]
    fn other_packets_are_not_relayed() {
        let relay = relay();
        assert_eq!(relay.whole_frames(&[0xE0, 0, 0x32, 7, 0, 0, 0, 0, 0, 0]), 0);
        let mixed = [&FIRST[..], &[0xC0, 0], &FIRST].concat();
        assert_eq!(relay.whole_frames(&mixed), 9);
        assert_eq!(relay.whole_frames(&mixed[9..]), 0);
    }

    #[test]
    fn each_frame_is_acknowledged_with_its_identifier() {
        let mut second = FIRST;
        second[6] = 3;
        let mut out = Vec::new();
        relay().acknowledge(&[FIRST, second].concat(), &mut out);
        assert_eq!(out, [0x40, 2, 1, 2, 0x40, 2, 1, 3]);
    }
}

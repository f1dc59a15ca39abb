//! Encode once for each shape: what differs between two subscribers of one message is the
//! protocol version, the QoS, the RETAIN bit and the packet identifier. The first three make a
//! *shape*, encoded at most once for a message; the identifier is patched into each copy.
//! Subscription Identifiers and Topic Aliases are a subscriber's own and are encoded for it.

use super::Outgoing;
use crate::protocol::{PublishHead, QoS, Version};

/// From this size on a payload is not copied into output buffers but referred to.
/// Below it, copying is cheaper than another element of the gather list.
pub(super) const SPLICE_MIN: usize = 16 * 1024;

const SHAPES: usize = 2 * 3 * 2;

/// Bytes that a shape keeps when there is little to do.
const FRAME_KEPT: usize = 4096;

/// One encoded PUBLISH, with the payload unless that goes by reference.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// Where the packet identifier stands.
    pub(super) id_at: Option<usize>,
    /// Bytes of the whole packet, payload included.
    pub(super) packet_len: usize,
}

/// The shapes of the message being routed; the buffers are kept from message to message.
#[derive(Debug, Default)]
pub struct Shapes {
    frames: [Frame; SHAPES],
    /// One bit for each frame that belongs to the present message.
    valid: u16,
    shared: bool,
}

impl Shapes {
    /// Another message begins; `shared` when it goes to more than one session, so that encoding
    /// it apart from the output buffer pays.
    pub fn reset(&mut self, shared: bool) {
        self.valid = 0;
        self.shared = shared;
    }

    /// Gives back the memory of large frames, between two messages.
    pub fn shrink(&mut self) {
        for frame in &mut self.frames {
            if frame.bytes.capacity() > FRAME_KEPT {
                frame.bytes = Vec::new();
            }
        }
        self.valid = 0;
    }

    /// Gives back all memory, between two messages.
    pub fn release(&mut self) {
        *self = Self::default();
    }

    /// See [`Shapes::reset`].
    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The frame for that shape. `expiry` is the same for all of one message.
    pub(super) fn frame(
        &mut self,
        outgoing: &Outgoing<'_>,
        version: Version,
        qos: QoS,
        retain: bool,
        expiry: Option<u32>,
    ) -> &Frame {
        let v5 = version == Version::V5;
        let index = usize::from(v5) * 6 + qos as usize * 2 + usize::from(retain);
        let frame = &mut self.frames[index];
        if self.valid & (1 << index) == 0 {
            self.valid |= 1 << index;
            frame.bytes.clear();
            let head = PublishHead {
                version,
                dup: false,
                qos,
                retain,
                packet_id: 0,
                topic: outgoing.topic,
                alias: None,
                message_expiry: expiry,
                subscription_ids: &[],
                forward: outgoing.forward,
                payload_len: outgoing.payload.len(),
            };
            frame.packet_len = head.encoded_len();
            frame.id_at = head.encode(&mut frame.bytes);
            if outgoing.payload.len() < SPLICE_MIN {
                frame.bytes.extend_from_slice(outgoing.payload);
            }
        }
        frame
    }
}

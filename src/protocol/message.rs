//! An Application Message that the broker keeps: one reference-counted allocation.

// The bytes are written once into uninitialised memory, and the Topic Name is not validated again
// at each use: both are on the path of every queued message.
#![allow(unsafe_code)]

use std::mem::{MaybeUninit, size_of};
use std::num::NonZeroU64;

use triomphe::{Arc, HeaderWithLength, ThinArc, UniqueArc};

use super::forward::ForwardProperties;
use super::frame::MAX_REMAINING_LENGTH;
use super::qos::QoS;

/// What a [`Message`] is made of; the slices are copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageInit<'a> {
    /// Topic Name; at most 65 535 bytes.
    pub topic: &'a str,
    /// The properties forwarded unaltered.
    pub forward: ForwardProperties<'a>,
    /// The payload.
    pub payload: &'a [u8],
    /// The QoS it was published with.
    pub qos: QoS,
    /// The RETAIN flag it was published with.
    pub retain: bool,
    /// When it expires, in monotonic milliseconds.
    pub expires_at_ms: Option<u64>,
    /// An opaque number for the publishing client, for No Local; 0 is nobody.
    pub publisher: u64,
    /// The shard the message entered on.
    pub origin_shard: u16,
    /// An ordering stamp of the origin.
    pub stamp: u64,
}

/// One Application Message, immutable and shared between threads.
///
/// A clone is eight bytes and a reference count; Topic Name, forwarded properties and payload lie
/// behind the header in the same allocation. It holds nothing that means something only here (no
/// pointers, no filter ids), so that it can be stored and sent elsewhere.
#[derive(Clone)]
pub struct Message(ThinArc<Header, u8>);

/// Followed by the Topic Name, the forwarded properties and the payload, without gaps.
struct Header {
    /// Milliseconds plus one, so that zero is free to mean "never".
    expires_at: Option<NonZeroU64>,
    publisher: u64,
    stamp: u64,
    shape: Shape,
    topic_len: u16,
    origin_shard: u16,
}

/// The length of the forwarded properties, below 2^28 as in any packet, with the QoS and the
/// RETAIN flag in the bits above: apart they would take eight bytes more.
#[derive(Clone, Copy)]
struct Shape(u32);

impl Shape {
    const QOS_SHIFT: u32 = 28;
    const RETAIN: u32 = 1 << 30;

    fn new(forward_len: usize, qos: QoS, retain: bool) -> Self {
        assert!(forward_len <= MAX_REMAINING_LENGTH, "properties fit in a packet");
        let retain = if retain { Self::RETAIN } else { 0 };
        Self(forward_len as u32 | (qos as u32) << Self::QOS_SHIFT | retain)
    }

    #[inline]
    fn forward_len(self) -> usize {
        (self.0 & ((1 << Self::QOS_SHIFT) - 1)) as usize
    }

    #[inline]
    fn qos(self) -> QoS {
        match self.0 >> Self::QOS_SHIFT & 0b11 {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    #[inline]
    fn retain(self) -> bool {
        self.0 & Self::RETAIN != 0
    }
}

impl Message {
    /// Copies everything into one allocation.
    ///
    /// # Panics
    /// When the topic is longer than 65 535 bytes, or the properties than 256 MiB: more than
    /// any packet can carry.
    pub fn new(init: MessageInit<'_>) -> Self {
        let MessageInit { topic, forward, payload, .. } = init;
        let len = topic.len() + forward.len() + payload.len();
        let header = Header {
            expires_at: init.expires_at_ms.map(|ms| NonZeroU64::MIN.saturating_add(ms)),
            publisher: init.publisher,
            stamp: init.stamp,
            shape: Shape::new(forward.len(), init.qos, init.retain),
            topic_len: u16::try_from(topic.len()).expect("a topic name fits in a packet"),
            origin_shard: init.origin_shard,
        };
        let header = HeaderWithLength::new(header, len);
        let mut unique = UniqueArc::from_header_and_uninit_slice(header, len);
        let mut rest = &mut unique.slice[..];
        rest = copy_to(rest, topic.as_bytes());
        for run in forward.runs() {
            rest = copy_to(rest, run);
        }
        rest = copy_to(rest, payload);
        assert!(rest.is_empty(), "the parts add up to the whole");
        // SAFETY: the parts were copied one behind the other from the start of the slice, and the
        // assertion says that they reached its end, so each byte is initialised.
        let unique = unsafe { unique.assume_init_slice_with_header() };
        Self(Arc::into_thin(unique.shareable()))
    }

    /// The Topic Name.
    #[inline]
    pub fn topic(&self) -> &str {
        let bytes = &self.0.slice[..self.header().topic_len.into()];
        // SAFETY: the first `topic_len` bytes were copied from a `&str` in `Message::new`, and
        // nothing writes to them after that.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }

    /// The properties forwarded unaltered.
    #[inline]
    pub fn forward(&self) -> ForwardProperties<'_> {
        let start = usize::from(self.header().topic_len);
        ForwardProperties::from_slice(&self.0.slice[start..self.payload_start()])
    }

    /// The payload.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.0.slice[self.payload_start()..]
    }

    /// The QoS it was published with.
    #[inline]
    pub fn qos(&self) -> QoS {
        self.header().shape.qos()
    }

    /// The RETAIN flag it was published with.
    #[inline]
    pub fn retain(&self) -> bool {
        self.header().shape.retain()
    }

    /// When it expires, in monotonic milliseconds.
    #[inline]
    pub fn expires_at_ms(&self) -> Option<u64> {
        self.header().expires_at.map(|at| at.get() - 1)
    }

    /// The publishing client's opaque number; 0 is nobody.
    #[inline]
    pub fn publisher(&self) -> u64 {
        self.header().publisher
    }

    /// The shard the message entered on.
    #[inline]
    pub fn origin_shard(&self) -> u16 {
        self.header().origin_shard
    }

    /// The ordering stamp of the origin.
    #[inline]
    pub fn stamp(&self) -> u64 {
        self.header().stamp
    }

    /// The heap bytes of the allocation, whoever shares it; without the allocator's overhead.
    #[inline]
    pub fn footprint(&self) -> usize {
        const FIXED: usize = size_of::<usize>() + size_of::<HeaderWithLength<Header>>();
        (FIXED + self.0.slice.len()).next_multiple_of(align_of::<Header>())
    }

    #[inline]
    fn header(&self) -> &Header {
        &self.0.header.header
    }

    #[inline]
    fn payload_start(&self) -> usize {
        usize::from(self.header().topic_len) + self.header().shape.forward_len()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic())
            .field("payload_len", &self.payload().len())
            .field("qos", &self.qos())
            .field("retain", &self.retain())
            .field("expires_at_ms", &self.expires_at_ms())
            .finish_non_exhaustive()
    }
}

/// Copies `from` to the start of `to` and returns the rest of `to`.
#[inline]
fn copy_to<'a>(to: &'a mut [MaybeUninit<u8>], from: &[u8]) -> &'a mut [MaybeUninit<u8>] {
    let (head, rest) = to.split_at_mut(from.len());
    // SAFETY: both are valid for `from.len()` bytes, the exclusive borrow keeps them apart, and
    // `MaybeUninit<u8>` has the layout of `u8`.
    unsafe {
        std::ptr::copy_nonoverlapping(from.as_ptr(), head.as_mut_ptr().cast::<u8>(), from.len());
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ForwardValues, UserProperties};

    #[test]
    fn parts_come_back_as_they_went_in() {
        let values = ForwardValues {
            content_type: Some("text"),
            user_properties: UserProperties::from_pairs(&[("k", "v")]),
            ..Default::default()
        };
        let mut forward = Vec::new();
        values.write_to(&mut forward);
        let message = Message::new(MessageInit {
            topic: "a/é",
            forward: ForwardProperties::from_slice(&forward),
            payload: b"payload",
            qos: QoS::ExactlyOnce,
            retain: true,
            expires_at_ms: Some(0),
            publisher: 7,
            origin_shard: 3,
            stamp: 99,
        });
        let copy = message.clone();
        drop(message);
        assert_eq!(copy.topic(), "a/é");
        assert_eq!(copy.forward().parse(), values);
        assert_eq!(copy.payload(), b"payload");
        assert_eq!((copy.qos(), copy.retain()), (QoS::ExactlyOnce, true));
        assert_eq!((copy.publisher(), copy.origin_shard(), copy.stamp()), (7, 3, 99));
        assert_eq!(copy.expires_at_ms(), Some(0));
    }

    #[test]
    fn empty_parts_are_fine() {
        let message = Message::new(MessageInit { topic: "t", ..Default::default() });
        assert_eq!((message.topic(), message.payload()), ("t", &[][..]));
        assert!(message.forward().is_empty());
        assert_eq!(message.expires_at_ms(), None);
    }

    #[test]
    fn a_message_is_one_thin_pointer_to_a_small_header() {
        assert_eq!(size_of::<Message>(), 8);
        assert_eq!(size_of::<Option<Message>>(), 8);
        let message =
            Message::new(MessageInit { topic: "t", payload: &[0; 15], ..Default::default() });
        assert_eq!(message.footprint(), 8 + 8 + 32 + 16);
    }

    #[test]
    fn messages_cross_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<Message>();
    }
}

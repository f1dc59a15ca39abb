//! Messages that wait for a Client or for room in its window, oldest first.

use super::Delivery;
use crate::metrics::DropReason;
use crate::util::{Empty, Limit, Limits, Ring};

/// How long messages that expire may hold room after a full queue was swept, in milliseconds. A
/// sweep looks at every message; at ten a second it costs nothing beside what is refused. Lifetimes
/// are whole seconds, and what has expired is never sent. A choice.
const SWEEP_PAUSE_MS: u64 = 100;

/// Bounds of a session's queue, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Messages and bytes; 0 means unlimited.
    pub room: Limits,
    /// What happens when either is reached.
    pub policy: QueueFull,
}

/// What happens to a message that finds the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueFull {
    /// The new message is dropped; what was queued first is kept (Mosquitto's policy).
    #[default]
    DropNewest,
    /// The oldest queued message makes room.
    DropOldest,
    /// The new message is dropped and the Client's connection is closed (0x97).
    Disconnect,
}

/// What queueing a delivery has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Why the delivery itself was not kept; `None` if it was.
    pub refused: Option<DropReason>,
    /// Older messages that were dropped to make room.
    pub displaced: usize,
    /// Messages dropped because their lifetime was over.
    pub expired: usize,
}

/// A session's queue.
///
/// A Client that never reads has a full one, which every message for it meets. So that must not
/// cost more with a longer queue: a full queue is searched for expired messages only when one may
/// be there, and not again at once.
#[derive(Debug)]
pub struct Queue {
    ring: Ring<Delivery>,
    /// No message inside expires before this; monotonic ms.
    expiry_ms: u64,
    /// No sweep before this; monotonic ms.
    rested_ms: u64,
}

impl Queue {
    const EMPTY: Self = Self {
        ring: Ring::new(Limits { messages: 0, bytes: 0 }),
        expiry_ms: u64::MAX,
        rested_ms: 0,
    };

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Sum of the messages' footprints.
    pub fn bytes(&self) -> usize {
        self.ring.bytes()
    }

    /// The oldest message.
    pub fn front(&self) -> Option<&Delivery> {
        self.ring.front()
    }

    /// Takes the oldest message.
    pub fn pop_front(&mut self) -> Option<Delivery> {
        self.ring.pop_front()
    }

    /// Keeps the messages that `keep` wants, in their order.
    pub fn retain(&mut self, keep: impl FnMut(&Delivery) -> bool) {
        self.ring.retain(keep);
    }

    /// Queues a delivery within `limits`; messages whose lifetime is over, and with the policy for
    /// it the oldest ones, make room.
    pub fn enqueue(&mut self, delivery: Delivery, now_ms: u64, limits: QueueLimits) -> Enqueued {
        let mut enqueued = Enqueued::default();
        #[cfg(feature = "canary")]
        let limits = match crate::util::canary::Canary::NoByteLimit.sings() {
            true => QueueLimits { room: Limits { bytes: 0, ..limits.room }, ..limits },
            false => limits,
        };
        self.ring.set_limits(limits.room);
        let bytes = delivery.message.footprint();
        let expiry_ms = delivery.message.expires_at_ms().unwrap_or(u64::MAX);
        if self.ring.is_empty() {
            self.expiry_ms = u64::MAX;
        }
        let Err(mut full) = self.ring.push_back(delivery, bytes) else {
            self.expiry_ms = self.expiry_ms.min(expiry_ms);
            return enqueued;
        };
        enqueued.expired = self.sweep(now_ms).unwrap_or(0);
        let fits = limits.room.bytes == 0 || bytes <= limits.room.bytes;
        loop {
            full = match self.ring.push_back(full.item, bytes) {
                Ok(()) => {
                    self.expiry_ms = self.expiry_ms.min(expiry_ms);
                    return enqueued;
                }
                Err(full) => full,
            };
            let makes_room = limits.policy == QueueFull::DropOldest && fits;
            if !makes_room || self.ring.drop_oldest().is_none() {
                enqueued.refused = Some(match full.limit {
                    Limit::Messages => DropReason::QueueFull,
                    Limit::Bytes => DropReason::QueueBytesFull,
                });
                return enqueued;
            }
            enqueued.displaced += 1;
        }
    }

    /// Forgets messages whose expiry has passed, so that they hold no room from live ones. Returns
    /// how many; `None` if it was not worth a look at every message.
    fn sweep(&mut self, now_ms: u64) -> Option<usize> {
        if now_ms < self.expiry_ms || now_ms < self.rested_ms {
            return None;
        }
        let before = self.ring.len();
        let mut first = u64::MAX;
        self.ring.retain(|delivery| {
            let at = delivery.message.expires_at_ms().unwrap_or(u64::MAX);
            let live = at > now_ms;
            first = if live { first.min(at) } else { first };
            live
        });
        self.expiry_ms = first;
        self.rested_ms = now_ms.saturating_add(SWEEP_PAUSE_MS);
        Some(before - self.ring.len())
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Empty for Queue {
    fn empty() -> &'static Self {
        static EMPTY: Queue = Queue::EMPTY;
        &EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::{Queue, QueueFull, QueueLimits, SWEEP_PAUSE_MS};
    use crate::metrics::DropReason;
    use crate::protocol::{Message, MessageInit, QoS};
    use crate::session::{Delivery, SubscriptionIds};
    use crate::util::Limits;

    fn delivery(payload: &[u8], expires_at_ms: Option<u64>) -> Delivery {
        Delivery {
            message: Message::new(MessageInit {
                topic: "a/b",
                payload,
                expires_at_ms,
                ..MessageInit::default()
            }),
            subscription_ids: SubscriptionIds::None,
            group: 0,
            replay: None,
            qos: QoS::AtLeastOnce,
            retain: false,
        }
    }

    fn limits(messages: usize, policy: QueueFull) -> QueueLimits {
        QueueLimits { room: Limits { messages, bytes: 0 }, policy }
    }

    fn payloads(queue: &Queue) -> String {
        queue
            .ring
            .iter()
            .map(|delivery| String::from_utf8_lossy(delivery.message.payload()))
            .collect()
    }

    #[test]
    fn a_full_queue_is_not_searched_when_nothing_in_it_can_have_expired() {
        let mut queue = Queue::default();
        let room = limits(3, QueueFull::DropNewest);
        for name in [b"a", b"b"] {
            assert_eq!(queue.enqueue(delivery(name, None), 5, room).refused, None);
        }
        assert_eq!(queue.enqueue(delivery(b"c", Some(1000)), 5, room).refused, None);
        assert_eq!(queue.sweep(999), None);
        let refused = queue.enqueue(delivery(b"d", Some(1)), 999, room);
        assert_eq!((refused.refused, refused.expired), (Some(DropReason::QueueFull), 0));
        assert_eq!(queue.sweep(1000), Some(1));
        assert_eq!(payloads(&queue), "ab");
        assert_eq!(queue.sweep(u64::MAX - 1), None, "what is left never expires");
    }

    #[test]
    fn a_full_queue_makes_room_from_what_has_expired() {
        let mut queue = Queue::default();
        let room = limits(3, QueueFull::DropOldest);
        for (name, expiry) in [(b"a", None), (b"b", Some(1000)), (b"c", Some(2000))] {
            queue.enqueue(delivery(name, expiry), 0, room);
        }
        let enqueued = queue.enqueue(delivery(b"d", None), 1500, room);
        assert_eq!((enqueued.refused, enqueued.displaced, enqueued.expired), (None, 0, 1));
        assert_eq!(payloads(&queue), "acd");
        let enqueued = queue.enqueue(delivery(b"e", None), 1500, room);
        assert_eq!((enqueued.refused, enqueued.displaced, enqueued.expired), (None, 1, 0));
        assert_eq!(payloads(&queue), "cde");
    }

    #[test]
    fn it_is_not_searched_again_at_once() {
        let mut queue = Queue::default();
        let room = limits(3, QueueFull::DropNewest);
        for (name, expiry) in [(b"a", 1000), (b"b", 1001), (b"c", 3000)] {
            queue.enqueue(delivery(name, Some(expiry)), 0, room);
        }
        assert_eq!(queue.enqueue(delivery(b"d", None), 1000, room).expired, 1);
        let soon = queue.enqueue(delivery(b"e", None), 1001, room);
        assert_eq!((soon.refused, soon.expired), (Some(DropReason::QueueFull), 0));
        let later = queue.enqueue(delivery(b"e", None), 1000 + SWEEP_PAUSE_MS, room);
        assert_eq!((later.refused, later.expired), (None, 1));
        assert_eq!(payloads(&queue), "cde");
    }

    #[test]
    fn an_emptied_queue_forgets_what_would_have_expired() {
        let mut queue = Queue::default();
        let room = limits(1, QueueFull::DropNewest);
        queue.enqueue(delivery(b"a", Some(1000)), 0, room);
        assert!(queue.pop_front().is_some());
        queue.enqueue(delivery(b"b", None), 2000, room);
        assert_eq!(queue.sweep(2000), None);
    }
}

//! A session's outgoing queue: bounded, and without memory while it is empty.

use std::collections::VecDeque;

/// Slots allocated at first use, and the least that shrinking leaves.
const CAPACITY_MIN: usize = 8;

/// The most a [`Ring`] holds. 0 is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Items.
    pub messages: usize,
    /// Sum of the sizes given with the items.
    pub bytes: usize,
}

/// Which of the [`Limits`] stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::messages`].
    Messages,
    /// [`Limits::bytes`].
    Bytes,
}

/// A refused item, handed back, with the limit that refused it.
#[derive(Debug, PartialEq, Eq)]
pub struct Full<T> {
    /// What did not fit.
    pub item: T,
    /// Why.
    pub limit: Limit,
}

/// A queue bounded in items and in bytes.
///
/// An empty ring is two limits and a null pointer. The memory behind it comes with the first item,
/// doubles with need, halves when three quarters stand empty, and goes with the last item.
/// Invariant: `bytes()` is the sum of the sizes of the items inside.
#[derive(Debug)]
pub struct Ring<T> {
    queue: Option<Box<Queue<T>>>,
    limits: Limits,
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<Weighed<T>>,
    bytes: usize,
}

#[derive(Debug)]
struct Weighed<T> {
    item: T,
    /// An MQTT packet is at most 256 MiB, so 32 bits hold its size.
    bytes: u32,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl<T> Ring<T> {
    /// An empty ring.
    pub const fn new(limits: Limits) -> Self {
        Self { queue: None, limits }
    }

    /// The bounds in force.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Replaces the bounds. What is already inside stays, even beyond them.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.items.len())
    }

    /// Whether there is no item; then there is no memory either.
    pub fn is_empty(&self) -> bool {
        self.queue.is_none()
    }

    /// Sum of the items' sizes.
    pub fn bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Slots allocated.
    pub fn capacity(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.items.capacity())
    }

    /// Which limit an item of `bytes` would meet, if any.
    pub fn obstacle(&self, bytes: usize) -> Option<Limit> {
        let Limits { messages: messages_max, bytes: bytes_max } = self.limits;
        if messages_max != 0 && self.len() >= messages_max {
            Some(Limit::Messages)
        } else if bytes_max != 0 && self.bytes().saturating_add(bytes) > bytes_max {
            Some(Limit::Bytes)
        } else {
            None
        }
    }

    /// Appends an item that counts for `bytes`, if both limits allow.
    ///
    /// An item larger than the whole byte limit is refused by an empty ring too: dropping older
    /// ones cannot make room for it.
    pub fn push_back(&mut self, item: T, bytes: usize) -> Result<(), Full<T>> {
        if let Some(limit) = self.obstacle(bytes) {
            return Err(Full { item, limit });
        }
        self.queue_mut().push(item, bytes, VecDeque::push_back);
        Ok(())
    }

    /// Puts an item back where [`Ring::pop_front`] took it. Not limited: it had its place before.
    pub fn push_front(&mut self, item: T, bytes: usize) {
        self.queue_mut().push(item, bytes, VecDeque::push_front);
    }

    /// Takes the oldest item.
    pub fn pop_front(&mut self) -> Option<T> {
        let queue = self.queue.as_mut()?;
        let Weighed { item, bytes } = queue.items.pop_front()?;
        queue.bytes -= bytes as usize;
        self.give_back_memory();
        Some(item)
    }

    /// The oldest item.
    pub fn front(&self) -> Option<&T> {
        Some(&self.queue.as_ref()?.items.front()?.item)
    }

    /// The oldest item.
    pub fn front_mut(&mut self) -> Option<&mut T> {
        Some(&mut self.queue.as_mut()?.items.front_mut()?.item)
    }

    /// All items, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.queue.iter().flat_map(|queue| queue.items.iter().map(|weighed| &weighed.item))
    }

    /// Removes the oldest item to make room for a newer one; the caller counts the drop.
    pub fn drop_oldest(&mut self) -> Option<T> {
        self.pop_front()
    }

    /// Keeps the items that `keep` wants, in their order; for purging what has expired.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let Some(queue) = self.queue.as_mut() else { return };
        let mut bytes_kept = 0;
        queue.items.retain(|weighed| {
            let kept = keep(&weighed.item);
            bytes_kept += if kept { weighed.bytes as usize } else { 0 };
            kept
        });
        queue.bytes = bytes_kept;
        self.give_back_memory();
    }

    /// Removes everything and frees the memory.
    pub fn clear(&mut self) {
        self.queue = None;
    }

    fn queue_mut(&mut self) -> &mut Queue<T> {
        self.queue.get_or_insert_with(|| {
            Box::new(Queue { items: VecDeque::with_capacity(CAPACITY_MIN), bytes: 0 })
        })
    }

    /// Shrinks to half only at a quarter full, so that a length swinging about a power of two does
    /// not reallocate each time.
    fn give_back_memory(&mut self) {
        let Some(queue) = self.queue.as_mut() else { return };
        let (len, capacity) = (queue.items.len(), queue.items.capacity());
        if len == 0 {
            self.queue = None;
        } else if capacity > CAPACITY_MIN && len <= capacity / 4 {
            queue.items.shrink_to((len * 2).max(CAPACITY_MIN));
        }
    }
}

impl<T> Queue<T> {
    fn push(
        &mut self,
        item: T,
        bytes: usize,
        place: impl FnOnce(&mut VecDeque<Weighed<T>>, Weighed<T>),
    ) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes += bytes as usize;
        place(&mut self.items, Weighed { item, bytes });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::{CAPACITY_MIN, Full, Limit, Limits, Ring};

    const UNLIMITED: Limits = Limits { messages: 0, bytes: 0 };

    #[test]
    fn an_empty_ring_is_small_and_owns_nothing() {
        assert!(size_of::<Ring<u64>>() <= 24);
        let mut ring = Ring::new(UNLIMITED);
        assert_eq!(ring.capacity(), 0);
        ring.push_back(1, 10).unwrap();
        assert!(ring.capacity() > 0);
        assert_eq!(ring.pop_front(), Some(1));
        assert_eq!((ring.capacity(), ring.bytes()), (0, 0));
    }

    #[test]
    fn the_message_limit_refuses_and_hands_the_item_back() {
        let mut ring = Ring::new(Limits { messages: 2, bytes: 0 });
        ring.push_back('a', 1).unwrap();
        ring.push_back('b', 1).unwrap();
        assert_eq!(ring.push_back('c', 1), Err(Full { item: 'c', limit: Limit::Messages }));
        assert_eq!(ring.drop_oldest(), Some('a'));
        ring.push_back('c', 1).unwrap();
        assert_eq!(ring.iter().collect::<String>(), "bc");
    }

    #[test]
    fn the_byte_limit_counts_sizes_and_refuses_what_can_never_fit() {
        let mut ring = Ring::new(Limits { messages: 0, bytes: 10 });
        assert_eq!(ring.push_back('x', 11), Err(Full { item: 'x', limit: Limit::Bytes }));
        ring.push_back('a', 10).unwrap();
        assert_eq!(ring.push_back('b', 1), Err(Full { item: 'b', limit: Limit::Bytes }));
        ring.push_back('c', 0).unwrap();
    }

    #[test]
    fn handing_back_ignores_the_limits() {
        let mut ring = Ring::new(Limits { messages: 1, bytes: 1 });
        ring.push_back('b', 1).unwrap();
        ring.push_front('a', 1);
        assert_eq!((ring.len(), ring.bytes()), (2, 2));
        assert_eq!(ring.front(), Some(&'a'));
    }

    #[test]
    fn memory_follows_the_length_down() {
        let mut ring = Ring::new(UNLIMITED);
        for n in 0..4096 {
            ring.push_back(n, 1).unwrap();
        }
        while ring.len() > 10 {
            ring.pop_front();
            assert!(ring.capacity() <= CAPACITY_MIN.max(ring.len() * 8));
        }
        ring.retain(|_| false);
        assert_eq!(ring.capacity(), 0);
    }

    #[derive(Clone, Debug)]
    enum Op {
        PushBack(usize),
        PushFront(usize),
        Pop,
        RetainOdd,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            6 => (0..50usize).prop_map(Op::PushBack),
            1 => (0..50usize).prop_map(Op::PushFront),
            4 => Just(Op::Pop),
            1 => Just(Op::RetainOdd),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_plain_queue_with_a_byte_count(
            ops in prop::collection::vec(op(), 0..400),
            messages in 0..20usize,
            bytes in 0..200usize,
        ) {
            let mut ring = Ring::new(Limits { messages, bytes });
            let mut model: VecDeque<(usize, usize)> = VecDeque::new();
            for (n, op) in ops.into_iter().enumerate() {
                let held: usize = model.iter().map(|entry| entry.1).sum();
                match op {
                    Op::PushBack(size) => {
                        let fits = (messages == 0 || model.len() < messages)
                            && (bytes == 0 || held + size <= bytes);
                        prop_assert_eq!(ring.push_back(n, size).is_ok(), fits);
                        if fits {
                            model.push_back((n, size));
                        }
                    }
                    Op::PushFront(size) => {
                        ring.push_front(n, size);
                        model.push_front((n, size));
                    }
                    Op::Pop => {
                        prop_assert_eq!(ring.pop_front(), model.pop_front().map(|entry| entry.0));
                    }
                    Op::RetainOdd => {
                        ring.retain(|item| item % 2 == 1);
                        model.retain(|entry| entry.0 % 2 == 1);
                    }
                }
                prop_assert_eq!(ring.len(), model.len());
                prop_assert_eq!(ring.bytes(), model.iter().map(|entry| entry.1).sum::<usize>());
                prop_assert_eq!(ring.front(), model.front().map(|entry| &entry.0));
                prop_assert_eq!(ring.is_empty(), ring.capacity() == 0);
                prop_assert!(ring.iter().eq(model.iter().map(|entry| &entry.0)));
            }
        }
    }
}

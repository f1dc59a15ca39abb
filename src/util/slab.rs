//! A slab whose keys go stale: a key of a removed value never finds the value that took its place.

use std::num::NonZeroU32;

use super::compact::{Compact, Home};
use super::sparse::Sparse;

/// The address of one value in a [`GenSlab`].
///
/// `generation` is never 0, so [`Key::to_u64`] is at least 2^32: the numbers below are free for
/// whoever mixes keys with fixed tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The slot; small, dense and reused.
    pub index: u32,
    /// Which insertion into the slab filled the slot.
    pub generation: u32,
}

impl Key {
    /// The key of nothing.
    pub const NONE: Self = Self { index: u32::MAX, generation: u32::MAX };

    /// Both parts in one word, the generation in the upper half.
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The inverse of [`Key::to_u64`].
    pub const fn from_u64(word: u64) -> Self {
        Self { index: word as u32, generation: (word >> 32) as u32 }
    }
}

/// Values at stable, reused, small indexes, guarded by generations; see [`Sparse`] for where they
/// lie and when their memory goes.
///
/// One counter numbers all insertions, so a slot's generation changes with each reuse and needs no
/// memory while the slot is vacant. A stale key could resolve again only after exactly 2^32 further
/// insertions, of which the last took the same slot.
#[derive(Debug)]
pub struct GenSlab<T> {
    slots: Sparse<Slot<T>>,
    /// Of the next insertion.
    generation: NonZeroU32,
}

#[derive(Debug)]
struct Slot<T> {
    /// Never 0, which leaves room to say that a slot is vacant.
    generation: NonZeroU32,
    value: T,
}

impl<T> Compact for GenSlab<T> {
    fn compact(&mut self, home: Home) {
        self.slots.compact(home);
    }
}

impl<T> GenSlab<T> {
    /// An empty slab; allocates at the first insertion.
    pub const fn new() -> Self {
        Self { slots: Sparse::new(), generation: NonZeroU32::MIN }
    }

    /// Stores `value` and returns its key.
    ///
    /// # Panics
    /// When 2^32 slots are occupied.
    pub fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Stores what `make` returns for the key it will have.
    ///
    /// # Panics
    /// When 2^32 slots are occupied.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let generation = self.generation;
        self.generation = generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let index = self.slots.vacant();
        let key = Key { index, generation: generation.get() };
        self.slots.put(index, Slot { generation, value: make(key) });
        key
    }

    /// The value under `key`, unless it was removed.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index)?;
        (slot.generation.get() == key.generation).then_some(&slot.value)
    }

    /// The value under `key`, unless it was removed.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index)?;
        (slot.generation.get() == key.generation).then_some(&mut slot.value)
    }

    /// Takes the value under `key` out; its slot is reused, the key stays dead.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        if !self.contains(key) {
            return None;
        }
        self.slots.take(key.index).map(|slot| slot.value)
    }

    /// Whether `key` still finds its value.
    #[inline]
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// The key of the value that occupies slot `index` now.
    pub fn index_key(&self, index: u32) -> Option<Key> {
        let slot = self.slots.get(index)?;
        Some(Key { index, generation: slot.generation.get() })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Slots allocated, occupied or not.
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// All values with their keys, by ascending index.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots
            .iter()
            .map(|(index, slot)| (Key { index, generation: slot.generation.get() }, &slot.value))
    }

    /// All values with their keys, by ascending index.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.slots.iter_mut().map(|(index, slot)| {
            (Key { index, generation: slot.generation.get() }, &mut slot.value)
        })
    }
}

impl<T> Default for GenSlab<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{GenSlab, Key, NonZeroU32};

    #[test]
    fn a_stale_key_does_not_find_the_slots_next_value() {
        let mut slab = GenSlab::new();
        let old = slab.insert("old");
        assert_eq!(slab.remove(old), Some("old"));
        let new = slab.insert("new");
        assert_eq!(new.index, old.index);
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(new), Some(&"new"));
        assert_eq!(slab.index_key(new.index), Some(new));
    }

    #[test]
    fn keys_survive_the_round_trip_and_leave_the_small_numbers_free() {
        let mut slab = GenSlab::new();
        let key = slab.insert_with(|key| key);
        assert_eq!(slab.get(key), Some(&key));
        assert_eq!(Key::from_u64(key.to_u64()), key);
        assert!(key.to_u64() >= 1 << 32);
    }

    #[test]
    fn the_generation_wraps_past_zero() {
        let mut slab = GenSlab { generation: NonZeroU32::MAX, ..GenSlab::new() };
        assert_eq!(slab.insert(()).generation, u32::MAX);
        assert_eq!(slab.insert(()).generation, 1);
    }

    #[test]
    fn keys_of_a_page_that_was_freed_stay_dead() {
        let mut slab = GenSlab::new();
        let keys: Vec<Key> = (0..100).map(|n| slab.insert(n)).collect();
        for &key in &keys[1..] {
            slab.remove(key);
        }
        assert!(slab.capacity() <= 64, "{}", slab.capacity());
        for n in 100..199 {
            slab.insert(n);
        }
        assert!(keys[1..].iter().all(|&key| !slab.contains(key)));
        assert_eq!(slab.get(keys[0]), Some(&0));
    }

    proptest! {
        #[test]
        fn behaves_as_a_list_of_live_keys(
            ops in prop::collection::vec((0..3u8, 0..64usize), 0..300),
        ) {
            let mut slab = GenSlab::new();
            let mut issued: Vec<(Key, u32, bool)> = Vec::new();
            for (n, (op, pick)) in ops.into_iter().enumerate() {
                let value = n as u32;
                if op > 0 || issued.is_empty() {
                    issued.push((slab.insert(value), value, true));
                } else {
                    let at = pick % issued.len();
                    let (key, value, live) = issued[at];
                    prop_assert_eq!(slab.remove(key), live.then_some(value));
                    issued[at].2 = false;
                }
            }
            for &(key, value, live) in &issued {
                prop_assert_eq!(slab.get(key).copied(), live.then_some(value));
            }
            let live = issued.iter().filter(|entry| entry.2).count();
            prop_assert_eq!(slab.len(), live);
            prop_assert_eq!(slab.iter().count(), live);
            for (key, value) in slab.iter_mut() {
                prop_assert!(issued.contains(&(key, *value, true)));
            }
        }
    }
}

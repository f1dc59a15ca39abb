//! Sets of shards.

use crate::sync::{AtomicU64, Ordering};

/// The most shards that a broker can have.
pub const MAX_SHARDS: usize = 256;

const WORDS: usize = MAX_SHARDS / 64;

/// A set of shards, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ShardSet([u64; WORDS]);

impl ShardSet {
    /// The set without a member.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Whether `shard` is in the set. A number from [`MAX_SHARDS`] up never is.
    #[inline]
    #[must_use]
    pub fn contains(&self, shard: u16) -> bool {
        let (word, bit) = place(shard);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Adds `shard`; true if it was not there.
    ///
    /// # Panics
    /// If `shard` is [`MAX_SHARDS`] or more.
    #[inline]
    pub fn insert(&mut self, shard: u16) -> bool {
        let (word, bit) = place(shard);
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// Takes `shard` out; true if it was there.
    #[inline]
    pub fn remove(&mut self, shard: u16) -> bool {
        let (word, bit) = place(shard);
        let Some(bits) = self.0.get_mut(word) else { return false };
        let held = *bits & bit != 0;
        *bits &= !bit;
        held
    }

    /// Whether no shard is in the set.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    /// How many shards are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// Adds every shard of `other`.
    #[inline]
    pub fn extend(&mut self, other: &ShardSet) {
        for (bits, more) in self.0.iter_mut().zip(other.0) {
            *bits |= more;
        }
    }

    /// The shards in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + use<> {
        self.0.into_iter().enumerate().flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                if bits == 0 {
                    return None;
                }
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                Some((word * 64) as u16 + bit as u16)
            })
        })
    }
}

impl std::fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<u16> for ShardSet {
    fn from_iter<I: IntoIterator<Item = u16>>(shards: I) -> Self {
        let mut set = Self::EMPTY;
        for shard in shards {
            set.insert(shard);
        }
        set
    }
}

/// A shard set that one writer at a time changes while others read.
#[derive(Default)]
pub(super) struct AtomicShardSet([AtomicU64; WORDS]);

impl AtomicShardSet {
    /// Adds `shard`; true if it was not there.
    pub(super) fn insert(&self, shard: u16) -> bool {
        let (word, bit) = place(shard);
        self.0[word].fetch_or(bit, Ordering::Release) & bit == 0
    }

    /// Takes `shard` out; true if it was there.
    pub(super) fn remove(&self, shard: u16) -> bool {
        let (word, bit) = place(shard);
        let Some(bits) = self.0.get(word) else { return false };
        bits.fetch_and(!bit, Ordering::Release) & bit != 0
    }

    /// A copy. Words are read one after another: each shard is seen before or after its own change,
    /// which is all that a match needs, because the version moves after the change.
    pub(super) fn load(&self) -> ShardSet {
        ShardSet(std::array::from_fn(|word| self.0[word].load(Ordering::Acquire)))
    }
}

fn place(shard: u16) -> (usize, u64) {
    (usize::from(shard) / 64, 1 << (shard % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_back_in_order_over_word_borders() {
        let mut set: ShardSet = [255, 0, 63, 64, 130].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 130, 255]);
        assert_eq!(set.len(), 5);
        assert!(set.remove(64) && !set.remove(64) && !set.remove(300));
        assert!(!set.contains(64) && set.contains(63) && !set.contains(300));
    }

    #[test]
    fn the_atomic_set_tells_what_changed() {
        let set = AtomicShardSet::default();
        assert!(set.insert(200) && !set.insert(200));
        assert_eq!(set.load(), [200].into_iter().collect());
        assert!(set.remove(200) && !set.remove(200));
        assert!(set.load().is_empty());
    }
}

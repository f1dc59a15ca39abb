//! From a hash to a slot number.

use hashbrown::HashTable;

use crate::util::compact::compact_table;
use crate::util::shrink::shrunk;
use crate::util::{Compact, Home};

/// Capacity below which the table is never shrunk.
const KEPT: usize = 64;

/// A hash table of slot numbers: 8 bytes an entry, and what is looked for lies in the slots.
///
/// It keeps 32 bits of each hash, so growing it touches no slot: a million entries move in
/// milliseconds, not with a million cache misses.
#[derive(Default)]
pub(super) struct Index(HashTable<Place>);

#[derive(Clone, Copy)]
struct Place {
    hash: u32,
    slot: u32,
}

impl Place {
    /// The table picks by the lowest bits and tags with the highest.
    fn spread(self) -> u64 {
        u64::from(self.hash) << 32 | u64::from(self.hash)
    }

    fn new(hash: u64, slot: u32) -> Self {
        Self { hash: hash as u32, slot }
    }
}

impl Compact for Index {
    fn compact(&mut self, home: Home) {
        compact_table(&mut self.0, home, |place| place.spread());
    }
}

impl Index {
    /// The slot with this hash that `is` it.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let probe = Place::new(hash, 0);
        let eq = |place: &Place| place.hash == probe.hash && is(place.slot);
        self.0.find(probe.spread(), eq).map(|place| place.slot)
    }

    /// Adds a slot that is not in the table.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        let place = Place::new(hash, slot);
        self.0.insert_unique(place.spread(), place, |place| place.spread());
    }

    /// Takes a slot out, if it is there.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        let place = Place::new(hash, slot);
        if let Ok(entry) = self.0.find_entry(place.spread(), |other| other.slot == slot) {
            entry.remove();
        }
        if let Some(enough) = shrunk(self.0.len(), self.0.capacity(), KEPT) {
            self.0.shrink_to(enough, |place| place.spread());
        }
    }

    /// Gives an entry another slot number.
    pub(super) fn renumber(&mut self, hash: u64, from: u32, to: u32) {
        let probe = Place::new(hash, from);
        if let Some(place) = self.0.find_mut(probe.spread(), |other| other.slot == from) {
            place.slot = to;
        }
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        self.0.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_hashes_are_told_apart_by_slot() {
        let mut index = Index::default();
        for slot in 0..200 {
            index.insert(7, slot);
        }
        index.renumber(7, 150, 999);
        index.remove(7, 3);
        assert_eq!(index.find(7, |slot| slot == 150), None);
        assert_eq!(index.find(7, |slot| slot == 999), Some(999));
        assert_eq!(index.find(7, |slot| slot == 3), None);
        assert_eq!(index.find(8, |_| true), None);
    }

    #[test]
    fn memory_comes_back() {
        let mut index = Index::default();
        for slot in 0..10_000 {
            index.insert(u64::from(slot) * 0x9e37_79b9, slot);
        }
        let full = index.bytes();
        for slot in 0..9_990 {
            index.remove(u64::from(slot) * 0x9e37_79b9, slot);
        }
        assert!(index.bytes() < full / 50, "{} of {full}", index.bytes());
        assert_eq!(index.find(9_995 * 0x9e37_79b9, |slot| slot == 9_995), Some(9_995));
    }
}

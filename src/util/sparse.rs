//! Values at small numbers, in pages that go when their last value goes.

use std::ops::{Index, IndexMut};

use super::compact::{Compact, Home};
use super::shrink::{Shrink, shrunk};

/// Slots in a page: one for each bit of a word.
const SLOTS: usize = u64::BITS as usize;

/// Slots of the first page when it is allocated: a small broker has a few connections.
const FIRST: usize = 4;

/// Capacity of the lists of pages that is always kept.
const PAGES_KEPT: usize = 16;

/// The most pages that are moved to bring together what a crowd has left.
const MOVED_PAGES: usize = 4;

/// A list with holes: each value has a small number, and keeps it.
///
/// The slots lie in pages of 64, so that neither growing nor giving back moves a value, a few in
/// the first page excepted: there is no moment at which a million of them are copied. An emptied
/// page is freed at once. Since [`vacant`](Self::vacant) is the lowest free number, values that
/// come later gather at the bottom, and what a crowd has taken comes back even though some stays.
///
/// # Memory
/// A slot is an `Option<T>`; a page costs 32 bytes more, half a byte for each of its slots.
#[derive(Debug)]
pub struct Sparse<T> {
    /// Each as long as its last slot that was ever used; without memory when empty.
    pages: Vec<Vec<Option<T>>>,
    /// For each page, a bit for each slot that has a value. The last one is never 0.
    taken: Vec<u64>,
    /// All pages before this one are full.
    open: usize,
    len: usize,
    capacity: usize,
}

impl<T> Sparse<T> {
    /// An empty list; allocates with the first value.
    pub const fn new() -> Self {
        Self { pages: Vec::new(), taken: Vec::new(), open: 0, len: 0, capacity: 0 }
    }

    /// The value with this number.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        let (page, slot) = split(index);
        self.pages.get(page)?.get(slot)?.as_ref()
    }

    /// The value with this number.
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let (page, slot) = split(index);
        self.pages.get_mut(page)?.get_mut(slot)?.as_mut()
    }

    /// The lowest number without a value.
    ///
    /// # Panics
    /// When 2^32 numbers are taken.
    pub fn vacant(&mut self) -> u32 {
        let later = self.taken.get(self.open..).unwrap_or_default();
        let full = later.iter().position(|&taken| taken != u64::MAX).unwrap_or(later.len());
        self.open += full;
        let slot = self.taken.get(self.open).map_or(0, |taken| taken.trailing_ones());
        let index = self.open as u64 * SLOTS as u64 + u64::from(slot);
        u32::try_from(index).expect("fewer than 2^32 values")
    }

    /// Puts a value at the lowest vacant number, which is returned.
    ///
    /// # Panics
    /// When 2^32 numbers are taken.
    pub fn insert(&mut self, value: T) -> u32 {
        let index = self.vacant();
        self.put(index, value);
        index
    }

    /// Puts a value at a number; returns the one that was there.
    pub fn put(&mut self, index: u32, value: T) -> Option<T> {
        let (page, slot) = split(index);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, Vec::new);
            self.taken.resize(page + 1, 0);
        }
        let slots = &mut self.pages[page];
        if slots.len() <= slot {
            let before = slots.capacity();
            if before <= slot {
                let first = (slot + 1).next_power_of_two().max(FIRST);
                let enough = if page == 0 { first } else { SLOTS };
                slots.reserve_exact(enough - slots.len());
            }
            slots.resize_with(slot + 1, || None);
            self.capacity += slots.capacity() - before;
        }
        self.taken[page] |= 1 << slot;
        let old = slots[slot].replace(value);
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes the value with this number out. The number is free again.
    pub fn take(&mut self, index: u32) -> Option<T> {
        let (page, slot) = split(index);
        let value = self.pages.get_mut(page)?.get_mut(slot)?.take()?;
        self.len -= 1;
        self.taken[page] &= !(1 << slot);
        self.open = self.open.min(page);
        if self.taken[page] == 0 {
            self.free(page);
        }
        if self.pages.len() == 1 {
            self.shorten();
        }
        Some(value)
    }

    /// Makes the only page shorter when few of its slots are in use.
    fn shorten(&mut self) {
        let used = SLOTS - self.taken[0].leading_zeros() as usize;
        let slots = &mut self.pages[0];
        if let Some(enough) = shrunk(used, slots.capacity(), FIRST) {
            slots.truncate(used);
            slots.shrink_to(enough.max(FIRST));
            self.capacity = slots.capacity();
        }
    }

    /// Frees an empty page, and with the last one those before it that are empty.
    fn free(&mut self, page: usize) {
        self.capacity -= self.pages[page].capacity();
        self.pages[page] = Vec::new();
        if page + 1 < self.pages.len() {
            return;
        }
        let left = self.taken.iter().rposition(|&taken| taken != 0).map_or(0, |last| last + 1);
        self.pages.truncate(left);
        self.taken.truncate(left);
        self.pages.shrink(PAGES_KEPT);
        self.taken.shrink(PAGES_KEPT);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots allocated, with a value or without.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// All values with their numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.pages.iter().enumerate().flat_map(|(page, slots)| {
            let values = slots.iter().enumerate();
            values.filter_map(move |(slot, value)| Some((join(page, slot), value.as_ref()?)))
        })
    }

    /// All values with their numbers, ascending.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.pages.iter_mut().enumerate().flat_map(|(page, slots)| {
            let values = slots.iter_mut().enumerate();
            values.filter_map(move |(slot, value)| Some((join(page, slot), value.as_mut()?)))
        })
    }
}

/// Only a few pages are moved.
impl<T> Compact for Sparse<T> {
    fn compact(&mut self, home: Home) {
        if self.pages.len() <= MOVED_PAGES {
            self.pages.iter_mut().for_each(|list| list.compact(home));
            self.capacity = self.pages.iter().map(Vec::capacity).sum();
        }
        self.pages.compact(home);
        self.taken.compact(home);
    }
}

/// # Panics
/// When the number has no value.
impl<T> Index<u32> for Sparse<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: u32) -> &T {
        self.get(index).expect("the number has a value")
    }
}

/// # Panics
/// When the number has no value.
impl<T> IndexMut<u32> for Sparse<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        self.get_mut(index).expect("the number has a value")
    }
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
fn split(index: u32) -> (usize, usize) {
    (index as usize / SLOTS, index as usize % SLOTS)
}

fn join(page: usize, slot: usize) -> u32 {
    (page * SLOTS + slot) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_the_lowest_that_are_free() {
        let mut list = Sparse::new();
        for n in 0..200 {
            assert_eq!(list.insert(n), n);
        }
        for n in [150, 3, 70] {
            assert_eq!(list.take(n), Some(n));
            assert_eq!(list.take(n), None);
        }
        assert_eq!([list.insert(0), list.insert(0), list.insert(0)], [3, 70, 150]);
        assert_eq!(list.insert(7), 200);
        assert_eq!((list.get(200), list.get(201), list.get(u32::MAX)), (Some(&7), None, None));
    }

    #[test]
    fn what_a_crowd_took_comes_back_although_some_stay() {
        let mut list = Sparse::new();
        for n in 0..100_000_u32 {
            list.insert(n);
        }
        for n in (0..100_000).filter(|n| n % 10_000 != 9_999) {
            assert_eq!(list.take(n), Some(n));
        }
        assert_eq!((list.len(), list.capacity()), (10, 10 * SLOTS));
        assert_eq!(list.iter().map(|(n, &value)| (n, value)).nth(9), Some((99_999, 99_999)));
        assert_eq!(list.take(99_999), Some(99_999));
        assert!(list.pages.len() <= 90_000 / SLOTS + 1, "{}", list.pages.len());
        for n in 0..9 {
            list.take(n * 10_000 + 9_999);
        }
        assert_eq!((list.len(), list.capacity(), list.pages.len()), (0, 0, 0));
        assert!(list.pages.capacity() <= PAGES_KEPT && list.taken.capacity() <= PAGES_KEPT);
        assert_eq!(list.insert(1), 0);
    }

    #[test]
    fn a_few_values_take_little_and_many_no_more_than_whole_pages() {
        let mut list = Sparse::new();
        assert_eq!(list.capacity(), 0);
        list.insert(0_u64);
        assert_eq!(list.capacity(), FIRST);
        (0..64).for_each(|n| _ = list.insert(n));
        assert_eq!(list.capacity(), 2 * SLOTS);
        list.put(1000, 5);
        assert_eq!(list.capacity(), 3 * SLOTS);
    }

    #[test]
    fn the_first_page_grows_and_shrinks_with_what_is_in_it() {
        let mut list = Sparse::new();
        (0..1_000).for_each(|n| _ = list.insert(n));
        for n in (2..1_000).rev() {
            list.take(n);
        }
        assert_eq!((list.len(), list.capacity()), (2, FIRST));
        assert_eq!((list.get(0), list.get(1)), (Some(&0), Some(&1)));
        assert_eq!(list.insert(5), 2);
    }

    #[test]
    fn one_that_comes_and_goes_moves_no_other() {
        let mut list = Sparse::new();
        (0..64).for_each(|n| _ = list.insert(n));
        let place = std::ptr::from_ref(list.get(63).expect("it is there"));
        for n in 64..5_000 {
            list.insert(n);
        }
        for n in 64..5_000 {
            list.take(n);
        }
        assert_eq!(std::ptr::from_ref(list.get(63).expect("it stays")), place);
    }

    proptest! {
        #[test]
        fn behaves_as_a_map_of_numbers(
            ops in prop::collection::vec((0..4u8, 0..400u32), 0..600),
        ) {
            let mut list = Sparse::new();
            let mut model = BTreeMap::new();
            for (value, (op, index)) in ops.into_iter().enumerate() {
                match op {
                    0 => prop_assert_eq!(list.put(index, value), model.insert(index, value)),
                    1 => {
                        let free = (0..).find(|n| !model.contains_key(n));
                        prop_assert_eq!(Some(list.insert(value)), free);
                        model.insert(free.unwrap_or(0), value);
                    }
                    2 => prop_assert_eq!(list.take(index), model.remove(&index)),
                    _ => list.compact(Home::of(&model)),
                }
                prop_assert_eq!(list.get(index), model.get(&index));
                prop_assert_eq!(list.len(), model.len());
                let pages = list.pages.iter();
                prop_assert_eq!(list.capacity(), pages.map(Vec::capacity).sum::<usize>());
            }
            let all: Vec<_> = list.iter().map(|(index, &value)| (index, value)).collect();
            prop_assert_eq!(&all, &model.into_iter().collect::<Vec<_>>());
            let mutable: Vec<_> = list.iter_mut().map(|(index, value)| (index, *value)).collect();
            prop_assert_eq!(mutable, all);
        }
    }
}

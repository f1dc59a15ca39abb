//! When a container that has emptied gives its memory back.
//!
//! The standard containers keep the capacity of their greatest hour for ever. One rule for all of
//! them says when to let go: far enough from where they would grow again that one entry coming and
//! going costs nothing, and so rarely that the moving is paid by the removals that came before.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashMap;

/// An eighth is in use before any is given back.
const SHARE: usize = 8;

/// The capacity that is enough for `len` entries when far too much is allocated; `None`: keep it.
///
/// Up to `kept` it is always kept. Twice the entries that are there remain, so that a quarter of
/// what was removed has to come back before the container grows again.
#[inline]
pub fn shrunk(len: usize, capacity: usize, kept: usize) -> Option<usize> {
    (capacity > kept && len <= capacity / SHARE).then_some(len * 2)
}

/// A container that keeps its capacity while it empties.
pub trait Shrink {
    /// Gives back what is far too much, a capacity up to `kept` excepted. Moves what is left, so it
    /// is called where entries are removed one at a time, and then seldom does anything; or now and
    /// then for a list that is emptied again and again.
    fn shrink(&mut self, kept: usize);
}

impl<T> Shrink for Vec<T> {
    fn shrink(&mut self, kept: usize) {
        if let Some(enough) = shrunk(self.len(), self.capacity(), kept) {
            self.shrink_to(enough);
        }
    }
}

impl<T> Shrink for VecDeque<T> {
    fn shrink(&mut self, kept: usize) {
        if let Some(enough) = shrunk(self.len(), self.capacity(), kept) {
            self.shrink_to(enough);
        }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> Shrink for HashMap<K, V, S> {
    fn shrink(&mut self, kept: usize) {
        if let Some(enough) = shrunk(self.len(), self.capacity(), kept) {
            self.shrink_to(enough);
        }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> Shrink for std::collections::HashMap<K, V, S> {
    fn shrink(&mut self, kept: usize) {
        if let Some(enough) = shrunk(self.len(), self.capacity(), kept) {
            self.shrink_to(enough);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emptied_container_gives_its_memory_back() {
        let mut list: Vec<u32> = (0..10_000).collect();
        let mut queue: VecDeque<u32> = (0..10_000).collect();
        let mut map: HashMap<u32, u32, foldhash::fast::FixedState> =
            (0..10_000).map(|n| (n, n)).collect();
        for n in (10..10_000).rev() {
            list.pop();
            queue.pop_front();
            map.remove(&n);
            list.shrink(16);
            queue.shrink(16);
            map.shrink(16);
        }
        assert!(list.capacity() <= 128, "{}", list.capacity());
        assert!(queue.capacity() <= 128, "{}", queue.capacity());
        assert!(map.capacity() <= 128, "{}", map.capacity());
        assert_eq!((list.len(), queue.len(), map.len()), (10, 10, 10));
        assert_eq!((list[9], queue[0], map[&3]), (9, 9_990, 3));
    }

    #[test]
    fn it_moves_as_often_as_it_halves_and_never_for_one_that_comes_and_goes() {
        let mut list: Vec<u32> = (0..1 << 20).collect();
        let mut moves = 0;
        while list.pop().is_some() {
            let before = list.capacity();
            list.shrink(64);
            moves += usize::from(list.capacity() != before);
            list.push(0);
            list.shrink(64);
            assert!(list.capacity() <= before);
            list.pop();
        }
        assert!(moves <= 14, "{moves}");
        assert!(list.capacity() <= 64);
    }
}

//! A list of subscribers that sessions come to and leave at any size.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::index::Index;

/// Longer lists have an index of where each session is.
const SCANNED: usize = 32;

/// One session's subscription to a filter, or its place in a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subscriber<K> {
    /// The session.
    pub session: K,
    /// The Subscription Options, packed as its owner likes.
    pub options: u8,
    /// The Subscription Identifier, 1 to 268 435 455; 0: none.
    pub subscription_id: u32,
}

/// Subscribers in no order of their own. One lies in place; a session is found, added and taken out
/// in constant time, however many there are.
pub(super) struct Subscribers<K> {
    list: SmallVec<[Subscriber<K>; 1]>,
    index: Option<Box<Index>>,
}

impl<K: Copy + Eq + Hash> Subscribers<K> {
    pub(super) fn new() -> Self {
        Self { list: SmallVec::new(), index: None }
    }

    pub(super) fn as_slice(&self) -> &[Subscriber<K>] {
        &self.list
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Where `session` is.
    pub(super) fn position(&self, session: K, hasher: &RandomState) -> Option<usize> {
        let Some(index) = &self.index else {
            return self.list.iter().position(|subscriber| subscriber.session == session);
        };
        let is = |slot: u32| self.list[slot as usize].session == session;
        index.find(hasher.hash_one(session), is).map(|slot| slot as usize)
    }

    /// Replaces the subscriber at `position` by another of the same session.
    pub(super) fn replace(&mut self, position: usize, subscriber: Subscriber<K>) {
        debug_assert!(self.list[position].session == subscriber.session);
        self.list[position] = subscriber;
    }

    /// Adds a session that is not in the list, at its end.
    pub(super) fn push(&mut self, subscriber: Subscriber<K>, hasher: &RandomState) {
        self.list.push(subscriber);
        if let Some(index) = &mut self.index {
            index.insert(hasher.hash_one(subscriber.session), self.list.len() as u32 - 1);
        } else if self.list.len() > SCANNED {
            let mut index = Index::default();
            for (slot, subscriber) in self.list.iter().enumerate() {
                index.insert(hasher.hash_one(subscriber.session), slot as u32);
            }
            self.index = Some(Box::new(index));
        }
    }

    /// Changes the places of two subscribers.
    pub(super) fn swap(&mut self, a: usize, b: usize, hasher: &RandomState) {
        if a == b {
            return;
        }
        if let Some(index) = &mut self.index {
            let hash = |slot: usize| hasher.hash_one(self.list[slot].session);
            let (hash_a, hash_b) = (hash(a), hash(b));
            // By way of a number that no slot has: the two hashes may be the same.
            index.renumber(hash_a, a as u32, u32::MAX);
            index.renumber(hash_b, b as u32, a as u32);
            index.renumber(hash_a, u32::MAX, b as u32);
        }
        self.list.swap(a, b);
    }

    /// Takes out the last subscriber.
    pub(super) fn pop(&mut self, hasher: &RandomState) -> Option<Subscriber<K>> {
        let last = self.list.pop()?;
        if let Some(index) = &mut self.index {
            index.remove(hasher.hash_one(last.session), self.list.len() as u32);
        }
        // Both with a distance to where they grow, so that one session coming and going costs
        // nothing.
        if self.list.len() <= SCANNED / 2 {
            self.index = None;
        }
        if self.list.spilled() && self.list.len() <= self.list.capacity() / 4 {
            self.list.shrink_to_fit();
        }
        Some(last)
    }

    /// Bytes allocated beside the list itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let list =
            if self.list.spilled() { self.list.capacity() * size_of::<Subscriber<K>>() } else { 0 };
        list + self.index.as_ref().map_or(0, |index| size_of::<Index>() + index.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriber(session: u32) -> Subscriber<u32> {
        Subscriber { session, options: 0, subscription_id: session }
    }

    #[test]
    fn sessions_are_found_at_any_size_and_after_any_move() {
        let hasher = RandomState::default();
        let mut list = Subscribers::new();
        for session in 0..500 {
            list.push(subscriber(session), &hasher);
            list.swap(session as usize / 2, session as usize, &hasher);
        }
        let check = |list: &Subscribers<u32>| {
            for (position, subscriber) in list.as_slice().iter().enumerate() {
                assert_eq!(list.position(subscriber.session, &hasher), Some(position));
            }
        };
        check(&list);
        for left in (0..500).rev() {
            list.swap(left / 3, left, &hasher);
            let gone = list.pop(&hasher).unwrap();
            assert_eq!(list.position(gone.session, &hasher), None);
            if left % 7 == 0 {
                check(&list);
            }
        }
        assert_eq!((list.len(), list.heap_bytes()), (0, 0));
    }
}

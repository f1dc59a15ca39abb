//! Bringing together what a crowd has left apart.

use std::array;
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};
use std::mem;

use hashbrown::{HashMap, HashTable};

/// What takes more bytes is not moved: it fills pages of its own.
const MOVED_MAX: usize = 16 << 10;

/// Places to choose from. The allocator looks in the smallest gaps first; most of them lie between
/// what has been there all along, but not each.
const CHOICE: usize = 16;

/// The address of something that has been there all along.
#[derive(Clone, Copy, Debug)]
pub struct Home(usize);

impl Home {
    /// Where `value` lies.
    pub fn of<T: ?Sized>(value: &T) -> Self {
        Self(std::ptr::from_ref(value).addr())
    }

    fn distance<T>(self, place: *const T) -> usize {
        self.0.abs_diff(place.addr())
    }
}

/// A container that can move to memory of just the size of what is in it.
///
/// What grew, or was made, while there was a crowd lies among the crowd's memory, and each piece
/// keeps a page from going back to the system once the crowd has gone.
pub trait Compact {
    /// Moves it nearer to `home`, if it is small. A list without an entry is left without memory;
    /// a table that has emptied has given back what it does not always keep
    /// ([`Shrink`](super::Shrink)).
    fn compact(&mut self, home: Home);
}

/// Whether so many entries of a type, of which there is room for so many more, are moved.
fn is_moved<T>(len: usize, capacity: usize) -> bool {
    len > 0 && capacity * size_of::<T>() <= MOVED_MAX
}

/// Makes something of so many bytes as near to `home` as may be, which does not tell where it lies.
///
/// Allocators hand out first what was freed last. One that does not puts it elsewhere.
fn near<T>(home: Home, bytes: usize, make: impl FnOnce() -> T) -> T {
    let mut choice: [Vec<u8>; CHOICE] = array::from_fn(|_| Vec::with_capacity(bytes));
    let nearest = choice.iter_mut().min_by_key(|one| home.distance(one.as_ptr()));
    drop(nearest.map(mem::take));
    // The others are still taken.
    make()
}

impl<T> Compact for Vec<T> {
    fn compact(&mut self, home: Home) {
        if self.is_empty() {
            *self = Vec::new();
        } else if is_moved::<T>(self.len(), self.capacity()) {
            let choice: [Vec<T>; CHOICE] = array::from_fn(|_| Vec::with_capacity(self.len()));
            let distance = |one: &Vec<T>| home.distance(one.as_ptr());
            let nearest = choice.into_iter().min_by_key(distance);
            if let Some(mut nearer) = nearest.filter(|one| distance(one) < distance(self)) {
                nearer.append(self);
                *self = nearer;
            }
        }
    }
}

impl<T> Compact for VecDeque<T> {
    fn compact(&mut self, home: Home) {
        if is_moved::<T>(self.len(), self.capacity()) || self.is_empty() {
            // Neither way copies: a deque is a list that begins somewhere.
            let mut list = Vec::from(mem::take(self));
            list.compact(home);
            *self = list.into();
        }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher + Clone> Compact for HashMap<K, V, S> {
    fn compact(&mut self, home: Home) {
        if is_moved::<(K, V)>(self.len(), self.capacity()) {
            let fresh = || HashMap::with_capacity_and_hasher(self.len(), self.hasher().clone());
            let mut nearer = near(home, fresh().allocation_size(), fresh);
            nearer.extend(self.drain());
            *self = nearer;
        }
    }
}

/// A table of entries whose hash `spread` tells.
pub fn compact_table<T>(table: &mut HashTable<T>, home: Home, spread: impl Fn(&T) -> u64) {
    if is_moved::<T>(table.len(), table.capacity()) {
        let fresh = || HashTable::with_capacity(table.len());
        let mut nearer = near(home, fresh().allocation_size(), fresh);
        for entry in table.drain() {
            nearer.insert_unique(spread(&entry), entry, &spread);
        }
        *table = nearer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_stays_as_it_was() {
        let mut list = Vec::with_capacity(100);
        let mut queue = VecDeque::with_capacity(100);
        let mut map = HashMap::<u32, u32, foldhash::fast::FixedState>::default();
        map.reserve(100);
        (0..5).for_each(|n| {
            list.push(n);
            queue.push_front(n);
            map.insert(n, 2 * n);
        });
        let home = Home::of("far away");
        list.compact(home);
        queue.compact(home);
        map.compact(home);
        assert!(map.capacity() < 100, "{}", map.capacity());
        assert_eq!(list, [0, 1, 2, 3, 4]);
        assert_eq!(queue, [4, 3, 2, 1, 0]);
        assert_eq!((map.len(), map[&4]), (5, 8));
    }

    #[test]
    fn what_is_left_moves_into_the_gaps() {
        let mut crowd: Vec<Vec<u64>> = (0..10_000).map(|n| vec![n; 25]).collect();
        // Every other one goes, which leaves gaps, and the highest stays.
        crowd.sort_by_key(|one| one.as_ptr());
        let mut highest = crowd.pop().expect("there are many");
        let mut n = 0;
        crowd.retain(|_| {
            n += 1;
            n % 2 == 0
        });
        let (place, before) = (highest.as_ptr(), highest.clone());
        highest.compact(Home::of(&crowd[0][0]));
        assert!(highest.as_ptr() < place);
        assert_eq!(highest, before);
    }

    #[test]
    fn what_is_empty_has_no_memory_and_what_is_large_stays_where_it_is() {
        let mut empty = Vec::<u64>::with_capacity(1 << 20);
        let mut large: Vec<u64> = (0..MOVED_MAX as u64).collect();
        let place = large.as_ptr();
        let home = Home::of(&large[0]);
        empty.compact(home);
        large.compact(home);
        assert_eq!((empty.capacity(), large.as_ptr()), (0, place));
    }
}

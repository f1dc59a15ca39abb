//! Recycled byte buffers, so that a busy shard does not allocate and an idle one holds little.

use super::{Compact, Home};

/// Keeps up to a number of empty buffers of up to a capacity; hands out and takes back.
///
/// Holds at most `buffers_max * capacity_max` bytes.
#[derive(Debug)]
pub struct BufPool {
    free: Vec<Vec<u8>>,
    /// Buffers that nobody has asked for since [`BufPool::age`] was called last.
    unused: usize,
    buffers_max: usize,
    capacity_max: usize,
}

impl Compact for BufPool {
    fn compact(&mut self, home: Home) {
        self.free.compact(home);
    }
}

impl BufPool {
    /// A pool of up to `buffers_max` buffers, none larger than `capacity_max` bytes. Empty at
    /// first.
    pub fn new(buffers_max: usize, capacity_max: usize) -> Self {
        Self { free: Vec::new(), unused: 0, buffers_max, capacity_max }
    }

    /// An empty buffer: a recycled one, or one that has not allocated yet.
    pub fn get(&mut self) -> Vec<u8> {
        let buffer = self.free.pop().unwrap_or_default();
        self.unused = self.unused.min(self.free.len());
        buffer
    }

    /// Takes a buffer back. It is freed instead when the pool is full or the buffer has grown
    /// beyond what the pool keeps.
    pub fn put(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity == 0 || capacity > self.capacity_max || self.free.len() >= self.buffers_max {
            return;
        }
        buffer.clear();
        self.free.push(buffer);
    }

    /// Bytes of capacity that wait for use.
    pub fn bytes(&self) -> usize {
        self.free.iter().map(Vec::capacity).sum()
    }

    /// Frees half of the buffers that waited in vain since the last call: a pool that a crowd has
    /// filled empties in a few calls, and one that is in use keeps what it uses.
    pub fn age(&mut self) {
        // The oldest: what is taken is what was put last.
        self.free.drain(..self.unused.div_ceil(2));
        self.unused = self.free.len();
    }

    /// Frees every waiting buffer; for when memory runs short.
    pub fn clear(&mut self) {
        self.free = Vec::new();
        self.unused = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::BufPool;

    #[test]
    fn a_returned_buffer_comes_back_empty_with_its_capacity() {
        let mut pool = BufPool::new(2, 1024);
        pool.put(vec![1; 100]);
        let buffer = pool.get();
        assert!(buffer.is_empty());
        assert!(buffer.capacity() >= 100);
        assert_eq!(pool.get().capacity(), 0);
    }

    #[test]
    fn neither_count_nor_capacity_exceeds_the_bounds() {
        let mut pool = BufPool::new(2, 1024);
        pool.put(Vec::with_capacity(4096));
        assert_eq!(pool.bytes(), 0);
        for _ in 0..5 {
            pool.put(Vec::with_capacity(512));
        }
        assert_eq!(pool.free.len(), 2);
        pool.clear();
        assert_eq!(pool.bytes(), 0);
    }

    #[test]
    fn buffers_that_wait_in_vain_are_freed_and_others_stay() {
        let mut pool = BufPool::new(100, 1024);
        (0..100).for_each(|_| pool.put(Vec::with_capacity(512)));
        for _ in 0..10 {
            let taken: Vec<_> = (0..10).map(|_| pool.get()).collect();
            taken.into_iter().for_each(|buffer| pool.put(buffer));
            pool.age();
        }
        assert_eq!(pool.free.len(), 10);
        (0..5).for_each(|_| pool.age());
        assert_eq!(pool.bytes(), 0);
    }

    #[test]
    fn a_buffer_that_never_allocated_takes_no_place() {
        let mut pool = BufPool::new(1, 1024);
        pool.put(Vec::new());
        pool.put(Vec::with_capacity(8));
        assert_eq!(pool.get().capacity(), 8);
    }
}

//! A lock-free queue of batches: many producers, one consumer that takes all at once.
#![allow(unsafe_code)] // An intrusive list through raw pointers; nothing else here needs it.

use std::ptr::null_mut;

use super::{AtomicPtr, Ordering};

/// A queue of batches: any thread pushes, whoever takes gets all there is.
///
/// A Treiber stack that is only ever taken as a whole. No node is unlinked alone, so there is no
/// ABA problem and nothing to reclaim later; the taker reverses the list and so sees the batches
/// in the order of their pushes, which keeps each producer's own order. A push is one compare and
/// swap (retried only against a concurrent push or take) and one allocation for the batch.
///
/// # Memory order
/// A push publishes with `Release`; a take reads with `Acquire`. Later pushes are read-modify-write
/// operations on the head and so continue the release sequence of earlier ones: one `Acquire`
/// of the newest head covers every node below it.
#[derive(Debug)]
pub struct BatchQueue<T> {
    head: AtomicPtr<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    batch: Vec<T>,
    next: *mut Node<T>,
}

impl<T> BatchQueue<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self { head: AtomicPtr::new(null_mut()) }
    }

    /// Appends a batch. True if the queue was empty before: of all pushes between two takes
    /// exactly one sees that, and it is the one to consider waking the consumer.
    pub fn push(&self, batch: Vec<T>) -> bool {
        let node = Box::into_raw(Box::new(Node { batch, next: null_mut() }));
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: `node` came from `Box::into_raw` above and is not shared before the exchange
            // below succeeds, after which this loop has ended.
            unsafe { (*node).next = head };
            match self.head.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return head.is_null(),
                Err(newer) => head = newer,
            }
        }
    }

    /// Takes all batches, oldest first.
    pub fn take_all(&self) -> Batches<T> {
        let mut newest = self.head.swap(null_mut(), Ordering::Acquire);
        let mut oldest = null_mut();
        while !newest.is_null() {
            // SAFETY: the swap made this thread the only owner of the whole list, and `Acquire`
            // made the writes of every pusher visible (see the type's note on memory order).
            let next = unsafe { std::mem::replace(&mut (*newest).next, oldest) };
            oldest = newest;
            newest = next;
        }
        Batches { head: oldest }
    }

    /// Whether a take would find nothing. A hint unless the caller orders it against pushes.
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Acquire).is_null()
    }
}

impl<T> Default for BatchQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for BatchQueue<T> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

// SAFETY: the queue owns its batches and only moves them between threads: a `T` is never reached
// from two threads at once, so `T: Send` is enough for both.
unsafe impl<T: Send> Send for BatchQueue<T> {}
// SAFETY: as above; the shared operations go through one atomic pointer.
unsafe impl<T: Send> Sync for BatchQueue<T> {}

/// The batches of one [`BatchQueue::take_all`], oldest first. Dropping it drops the rest.
#[derive(Debug)]
pub struct Batches<T> {
    head: *mut Node<T>,
}

impl<T> Batches<T> {
    /// No batches.
    pub const fn none() -> Self {
        Self { head: null_mut() }
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.head.is_null()
    }
}

impl<T> Iterator for Batches<T> {
    type Item = Vec<T>;

    fn next(&mut self) -> Option<Vec<T>> {
        if self.head.is_null() {
            return None;
        }
        // SAFETY: this list owns its nodes, each of which came from `Box::into_raw`; advancing
        // `head` before the box is used up means it is never taken twice.
        let node = unsafe { Box::from_raw(self.head) };
        self.head = node.next;
        Some(node.batch)
    }
}

impl<T> Drop for Batches<T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

// SAFETY: it owns its batches as a `Vec<Vec<T>>` would.
unsafe impl<T: Send> Send for Batches<T> {}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::thread;

    use super::BatchQueue;

    #[test]
    fn batches_come_out_in_the_order_of_their_pushes() {
        let queue = BatchQueue::new();
        assert!(queue.push(vec![1, 2]));
        assert!(!queue.push(vec![3]));
        assert!(!queue.push(vec![4, 5]));
        assert_eq!(queue.take_all().flatten().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert!(queue.is_empty() && queue.take_all().is_empty());
        assert!(queue.push(vec![6]), "empty again after a take");
    }

    #[test]
    fn what_nobody_took_is_dropped_once() {
        let witness = Rc::new(());
        let queue = BatchQueue::new();
        for _ in 0..3 {
            queue.push(vec![witness.clone()]);
        }
        let mut taken = queue.take_all();
        queue.push(vec![witness.clone()]);
        taken.next();
        assert_eq!(Rc::strong_count(&witness), 4);
        drop(taken);
        assert_eq!(Rc::strong_count(&witness), 2);
        drop(queue);
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    fn producers_lose_nothing_and_keep_their_order() {
        const PRODUCERS: usize = 4;
        let batches = if cfg!(miri) { 30 } else { 20_000 };
        let queue = BatchQueue::new();
        let (mut next, mut takes) = ([0usize; PRODUCERS], 0usize);
        let firsts: usize = thread::scope(|scope| {
            let handles: Vec<_> = (0..PRODUCERS)
                .map(|producer| {
                    let queue = &queue;
                    scope.spawn(move || {
                        (0..batches)
                            .filter(|n| queue.push(vec![(producer, 2 * n), (producer, 2 * n + 1)]))
                            .count()
                    })
                })
                .collect();
            while next.iter().sum::<usize>() < PRODUCERS * batches * 2 {
                let taken = queue.take_all();
                takes += usize::from(!taken.is_empty());
                for (producer, n) in taken.flatten() {
                    assert_eq!(n, next[producer]);
                    next[producer] += 1;
                }
                thread::yield_now();
            }
            handles.into_iter().map(|handle| handle.join().unwrap()).sum()
        });
        assert_eq!(firsts, takes, "one push saw the queue empty for each take that found mail");
    }
}

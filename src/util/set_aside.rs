//! Free memory that the allocator keeps for one thread.

use std::array;
use std::hint::black_box;

/// Sizes that glibc keeps aside: from 24 bytes on, 16 apart.
const SIZES: usize = 64;

/// Pieces of each size.
const PIECES: usize = 7;

/// Bytes of the pieces that take up the end of a heap; smaller gaps are of no use for them.
const END: usize = 8 << 20;

/// A heap of glibc's, in bytes; it begins at a multiple of that.
const HEAP: usize = 64 << 20;

/// The most of these pieces: half a gigabyte of address space.
const ENDS_MAX: usize = 64;

/// All that the allocator has set aside for the thread that calls [`SetAside::take`], and the end of
/// its heap.
///
/// glibc gives each thread a store of its own, of up to seven freed pieces of every small size,
/// that no call empties. After a crowd has gone they lie wherever its last ones lay, and each keeps
/// a page from going back to the system: up to 448 pages for a thread. Taken out of the store and
/// dropped by another thread, which ends, they are free for all and their pages can go.
///
/// What is free at the end of a thread's heap is not given back either. Large pieces take it up, and
/// become gaps like others when they are dropped, as long as one more lies behind them.
///
/// With another allocator it is a few hundred kilobytes for a moment, and some address space.
#[derive(Debug)]
pub struct SetAside {
    small: Vec<Vec<u8>>,
    /// Never written to. The last one lies in a heap of its own.
    ends: Vec<Vec<u8>>,
}

impl SetAside {
    /// Takes it.
    pub fn take() -> Self {
        Self::take_with(Vec::new())
    }

    /// Takes it on the main thread, whose heap is another: its end is given back as it is.
    pub fn take_on_main() -> Self {
        Self { small: Self::take_small(), ends: Vec::new() }
    }

    /// Takes it, with pieces that were taken before.
    pub fn take_with(before: Vec<Vec<u8>>) -> Self {
        let mut small = Self::take_small();
        small.extend(before);
        Self { small, ends: take_ends() }
    }

    /// Takes the small pieces alone. Costs three times as many calls as there are, some tens of
    /// microseconds.
    pub fn take_small() -> Vec<Vec<u8>> {
        let mut small = Vec::with_capacity(2 * SIZES * PIECES);
        for size in (0..SIZES).map(|at| 24 + 16 * at) {
            let all = || -> [Vec<u8>; PIECES] { array::from_fn(|_| Vec::with_capacity(size)) };
            // When the store runs out in the middle it is filled anew out of what is free
            // elsewhere. Filled by these, it holds just as many as are taken next.
            drop(black_box(all()));
            small.extend(all());
        }
        small
    }

    /// Drops all but the last piece, which is to be dropped when free memory has been given back.
    pub fn drop_most(self) -> Option<Vec<u8>> {
        let Self { small, mut ends } = self;
        let last = ends.pop();
        drop((small, ends));
        last
    }
}

/// Pieces until one begins a heap, which shows that there is no room left in the others.
fn take_ends() -> Vec<Vec<u8>> {
    let mut ends = Vec::with_capacity(ENDS_MAX);
    while ends.len() < ENDS_MAX {
        let mut end = Vec::<u8>::new();
        // No address space to be had: the end of the heap is kept.
        if end.try_reserve_exact(END).is_err() {
            break;
        }
        let begins_heap = end.as_ptr().addr() % HEAP < 4096;
        ends.push(end);
        if begins_heap {
            break;
        }
    }
    ends
}

//! Free memory that the allocator keeps aside for one thread.

use std::array;
use std::hint::black_box;

/// Sizes that glibc keeps aside: from 24 bytes on, 16 apart.
const SIZES: usize = 64;

/// Pieces of each size.
const PIECES: usize = 7;

/// All that the allocator has set aside for the thread that calls [`SetAside::take`].
///
/// glibc gives each thread a store of its own, of up to seven freed pieces of every small size,
/// that no call empties. After a crowd has gone they lie wherever its last ones lay, and each keeps
/// a page from going back to the system: up to 448 pages for a thread. Taken out of the store and
/// dropped by another thread, which ends, they are free for all and their pages can go. With
/// another allocator it is a few hundred kilobytes for a moment, and no more.
#[derive(Debug)]
pub struct SetAside(#[expect(dead_code, reason = "held, to be dropped elsewhere")] Vec<Vec<u8>>);

impl SetAside {
    /// Takes it. Costs three times as many calls as there are pieces, some tens of microseconds.
    pub fn take() -> Self {
        let mut pieces = Vec::with_capacity(SIZES * PIECES);
        for size in (0..SIZES).map(|at| 24 + 16 * at) {
            let all = || -> [Vec<u8>; PIECES] { array::from_fn(|_| Vec::with_capacity(size)) };
            // When the store runs out in the middle it is filled anew out of what is free
            // elsewhere. Filled by these, it holds just as many as are taken next.
            drop(black_box(all()));
            pieces.extend(all());
        }
        Self(pieces)
    }
}

//! What is free at the end of a thread's heap.
#![allow(unsafe_code)] // The system's call has no safe wrapper for memory that Rust has allocated.

/// Bytes of the first piece at the end of a heap; smaller gaps are of no use.
const PIECE: usize = 8 << 20;

/// The most bytes of one: larger ones do not come from a heap (`control::trim`).
const PIECE_MAX: usize = 31 << 20;

/// A heap of glibc's, in bytes; it begins at a multiple of that.
const HEAP: usize = 64 << 20;

/// Less at the end of a heap is not worth another piece.
const REST_MIN: usize = 64 << 10;

/// What the allocator itself needs at the end of a heap, in bytes, generously.
const MARGIN: usize = 4096;

/// So many pieces that begin a heap show that no other has room left: the first may lie in gaps.
const HEAPS: usize = 3;

/// The most pieces: more than three heaps and as many gaps take.
const PIECES_MAX: usize = 16;

/// Gives the end of the calling thread's heap back to the system.
///
/// glibc does that for its main heap only when it is asked to give back what it can
/// (`malloc_trim`). So all that is left of each heap is allocated for a moment, in pieces that
/// nobody writes to, and their pages are given back while they are held.
pub fn give_back_heap_end() {
    // In front of each piece, and behind the last, the allocator notes a size, which costs a page.
    // Now that the heap has been taken up to its end, one piece is enough for the pages between.
    if let Some(bytes) = give_back_pieces() {
        let _ = piece(bytes);
    }
}

/// Does so in several pieces, of a size that a heap grows by. Tells how much of a heap there is
/// from the first of them on.
fn give_back_pieces() -> Option<usize> {
    let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(PIECES_MAX);
    let (mut whole, mut heaps) = (None, 0);
    let mut bytes = PIECE;
    while pieces.len() < PIECES_MAX && heaps < HEAPS {
        // No address space to be had: the rest is kept.
        let Some(piece) = piece(bytes) else { break };
        let start = piece.as_ptr().addr();
        heaps += usize::from(start % HEAP < 4096);
        whole = whole.or_else(|| rest_of_heap(start));
        bytes = rest_of_heap(start + piece.capacity()).map_or(PIECE, |rest| rest.min(PIECE_MAX));
        pieces.push(piece);
    }
    whole
}

/// A piece without pages.
fn piece(bytes: usize) -> Option<Vec<u8>> {
    let mut piece = Vec::<u8>::new();
    piece.try_reserve_exact(bytes).ok()?;
    give_back(&mut piece);
    Some(piece)
}

/// How much of its heap lies behind an address, if it is worth a piece.
fn rest_of_heap(address: usize) -> Option<usize> {
    let rest = address.next_multiple_of(HEAP) - address;
    (rest >= REST_MIN).then(|| rest - MARGIN)
}

/// Gives back the whole pages of an empty list's memory.
#[cfg(target_os = "linux")]
fn give_back(piece: &mut Vec<u8>) {
    const PAGE: usize = 4096;
    assert!(piece.is_empty());
    let start = piece.as_mut_ptr();
    let skipped = start.addr().next_multiple_of(PAGE) - start.addr();
    let bytes = (piece.capacity() - skipped) / PAGE * PAGE;
    // SAFETY: the range lies inside of memory that `piece` owns and in which nothing is stored;
    // what is read there next is 0. Where pages are larger the call fails, and nothing happens.
    unsafe { nix::libc::madvise(start.add(skipped).cast(), bytes, nix::libc::MADV_DONTNEED) };
}

/// Other systems do not promise what this needs.
#[cfg(not(target_os = "linux"))]
fn give_back(_: &mut Vec<u8>) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of the list's memory that are resident, and all that lie in it as a whole.
    #[cfg(target_os = "linux")]
    fn resident(piece: &mut Vec<u8>) -> (usize, usize) {
        let start = piece.as_mut_ptr();
        let skipped = start.addr().next_multiple_of(4096) - start.addr();
        let mut pages = vec![0_u8; (piece.capacity() - skipped) / 4096];
        // SAFETY: it only looks at the range, and writes one byte for each of its pages.
        let failed = unsafe {
            let first = start.add(skipped).cast();
            nix::libc::mincore(first, pages.len() * 4096, pages.as_mut_ptr())
        };
        assert_eq!(failed, 0);
        (pages.iter().filter(|&&page| page & 1 == 1).count(), pages.len())
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_of_an_empty_list_goes_back_and_can_be_used_again() {
        let mut piece = vec![1_u8; 1 << 20];
        piece.clear();
        let (before, all) = resident(&mut piece);
        assert_eq!(before, all);
        give_back(&mut piece);
        assert_eq!(resident(&mut piece), (0, all));
        piece.resize(1 << 20, 2);
        assert!(piece.iter().all(|&byte| byte == 2));
    }

    #[test]
    fn what_is_in_use_stays_as_it_is() {
        let lists: Vec<Vec<u8>> = (1..200).map(|n| vec![n; 10_000]).collect();
        give_back_heap_end();
        assert!(lists.iter().zip(1..).all(|(list, n)| list.iter().all(|&byte| byte == n)));
    }
}

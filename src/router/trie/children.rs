//! A hash trie: from a name to a leaf, read without a lock, never copied and never rehashed.
//!
//! A slot holds nothing, a leaf, or a branch of eight slots that three more bits of the hash choose
//! from. Leaves of the very same 32-bit hash are chained, so that their slot moves as one. A branch
//! that is left with one leaf gives its place to that leaf.
//!
//! Writers hold a lock (the partition's), which [`Writer`] stands for. Readers see a leaf from the
//! moment its insertion is published, and through every later move: a branch is filled before it
//! takes a leaf's place, and a leaf is put in place before its branch is retired.

#![allow(unsafe_code)] // Leaves and branches are freed by epoch; slots are tagged pointers.

use std::marker::PhantomData;
use std::ptr;

use crossbeam::epoch::Guard;
use smallvec::SmallVec;

use super::link::defer_drop;
use super::partition::Writer;
use crate::sync::{AtomicPtr, Ordering};

/// Bits of the hash that choose a slot of a branch: eight slots are one cache line.
const BITS: u32 = 3;
const FANOUT: usize = 1 << BITS;
/// Two hashes of 32 bits differ within this many branches.
const MAX_DEPTH: usize = u32::BITS.div_ceil(BITS) as usize;
/// Marks a pointer to a branch; leaves and branches are aligned to more than this.
const BRANCH: usize = 1;

/// What a hash trie can hold.
pub(super) trait Leaf: Send + Sync + Sized + 'static {
    fn hash(&self) -> u32;
    fn is(&self, name: &str) -> bool;
    fn next(&self) -> &Next<Self>;
    /// Bytes of the leaf's own allocations, unchanged while it is in a trie.
    fn bytes(&self) -> usize;
}

/// The next leaf of the same hash. Only this module follows or changes it.
pub(super) struct Next<L>(AtomicPtr<L>);

impl<L> Default for Next<L> {
    fn default() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }
}

/// The root of a hash trie. It owns its leaves.
pub(super) struct Children<L: Leaf> {
    root: Slot<L>,
    owned: PhantomData<Box<L>>,
}

struct Branch<L: Leaf>([Slot<L>; FANOUT]);

/// Null, a leaf, or a branch (tagged with [`BRANCH`]).
struct Slot<L: Leaf> {
    target: AtomicPtr<()>,
    points_to: PhantomData<L>,
}

enum Target<'g, L: Leaf> {
    Empty,
    Leaf(&'g L),
    Branch(&'g Branch<L>),
}

impl<L: Leaf> Default for Slot<L> {
    fn default() -> Self {
        Self { target: AtomicPtr::new(ptr::null_mut()), points_to: PhantomData }
    }
}

impl<L: Leaf> Default for Branch<L> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Slot::default()))
    }
}

impl<L: Leaf> Default for Children<L> {
    fn default() -> Self {
        Self { root: Slot::default(), owned: PhantomData }
    }
}

impl<L: Leaf> Slot<L> {
    const ALIGNED: () = assert!(align_of::<L>() > BRANCH && align_of::<Branch<L>>() > BRANCH);

    #[inline]
    fn load<'g>(&'g self, _guard: &'g Guard) -> Target<'g, L> {
        let target = self.target.load(Ordering::Acquire);
        if target.is_null() {
            Target::Empty
        } else if target.addr() & BRANCH == 0 {
            // SAFETY: untagged and not null: a leaf from `Box::into_raw`, published with `Release`,
            // freed no sooner than after this guard or with the trie, which `'g` borrows.
            Target::Leaf(unsafe { &*target.cast::<L>() })
        } else {
            let branch = target.map_addr(|address| address & !BRANCH);
            // SAFETY: as above, for a branch.
            Target::Branch(unsafe { &*branch.cast::<Branch<L>>() })
        }
    }

    fn put_leaf(&self, leaf: *const L) {
        self.target.store(leaf.cast_mut().cast(), Ordering::Release);
    }

    fn put_branch(&self, branch: Box<Branch<L>>) {
        const { Self::ALIGNED };
        let branch = Box::into_raw(branch).cast::<()>();
        self.target.store(branch.map_addr(|address| address | BRANCH), Ordering::Release);
    }

    /// Empties the slot for its only owner: `get_mut` in effect, which race models' atomics lack.
    fn take(&mut self) -> *mut () {
        let target = self.target.load(Ordering::Relaxed);
        self.target.store(ptr::null_mut(), Ordering::Relaxed);
        target
    }
}

impl<L: Leaf> Branch<L> {
    fn slot(&self, hash: u32, depth: usize) -> &Slot<L> {
        &self.0[(hash >> (depth as u32 * BITS)) as usize % FANOUT]
    }

    /// The leaf (or null) that can take the branch's place, if the branch holds no more than that.
    fn survivor(&self, guard: &Guard) -> Option<*const L> {
        let mut survivor: *const L = ptr::null();
        for slot in &self.0 {
            match slot.load(guard) {
                Target::Empty => {}
                Target::Leaf(leaf) if survivor.is_null() => survivor = ptr::from_ref(leaf),
                Target::Leaf(_) | Target::Branch(_) => return None,
            }
        }
        Some(survivor)
    }
}

impl<L: Leaf> Children<L> {
    /// Whether there is no leaf.
    pub(super) fn is_empty(&self) -> bool {
        self.root.target.load(Ordering::Acquire).is_null()
    }

    /// The leaf called `name`, whose hash is `hash`.
    #[inline]
    pub(super) fn find<'g>(&'g self, hash: u32, name: &str, guard: &'g Guard) -> Option<&'g L> {
        let mut slot = &self.root;
        let mut depth = 0;
        let mut leaf = loop {
            match slot.load(guard) {
                Target::Empty => return None,
                Target::Leaf(leaf) => break leaf,
                Target::Branch(branch) => slot = branch.slot(hash, depth),
            }
            depth += 1;
        };
        if leaf.hash() != hash {
            return None;
        }
        while !leaf.is(name) {
            leaf = following(leaf, guard)?;
        }
        Some(leaf)
    }

    /// Adds a leaf whose name is not in the trie yet.
    pub(super) fn insert<'g>(&'g self, leaf: Box<L>, writer: &'g Writer<'_>) -> &'g L {
        writer.grew(leaf.bytes());
        let hash = leaf.hash();
        let mut slot = &self.root;
        let mut depth = 0;
        loop {
            match slot.load(writer.guard()) {
                Target::Branch(branch) => {
                    slot = branch.slot(hash, depth);
                    depth += 1;
                }
                Target::Leaf(other) if other.hash() != hash => {
                    let branch = Box::<Branch<L>>::default();
                    branch.slot(other.hash(), depth).put_leaf(other);
                    slot.put_branch(branch);
                    writer.grew(size_of::<Branch<L>>());
                }
                chain => {
                    let next = match chain {
                        Target::Leaf(other) => ptr::from_ref(other),
                        _ => ptr::null(),
                    };
                    leaf.next().0.store(next.cast_mut(), Ordering::Relaxed);
                    let leaf = Box::into_raw(leaf);
                    slot.put_leaf(leaf);
                    // SAFETY: just published, and nothing retires it while this writer, which holds
                    // the lock and a pin, is borrowed.
                    return unsafe { &*leaf };
                }
            }
        }
    }

    /// Unlinks `leaf`, if this trie holds it, and frees it when no reader can see it any more.
    pub(super) fn remove(&self, leaf: &L, writer: &Writer<'_>) {
        let guard = writer.guard();
        let mut path = SmallVec::<[(&Slot<L>, &Branch<L>); MAX_DEPTH]>::new();
        let mut slot = &self.root;
        let head = loop {
            match slot.load(guard) {
                Target::Empty => return,
                Target::Leaf(head) => break head,
                Target::Branch(branch) => {
                    path.push((slot, branch));
                    slot = branch.slot(leaf.hash(), path.len() - 1);
                }
            }
        };
        if !unchain(slot, head, leaf, guard) {
            return;
        }
        writer.shrank(leaf.bytes());
        // SAFETY: the leaf came from a box in `insert`, and was unlinked just now: no slot and no
        // chain that a new reader can reach leads to it. The lock makes this the only removal.
        unsafe { defer_drop(ptr::from_ref(leaf).cast_mut(), guard) };
        for (slot, branch) in path.into_iter().rev() {
            let Some(survivor) = branch.survivor(guard) else { break };
            slot.put_leaf(survivor);
            writer.shrank(size_of::<Branch<L>>());
            // SAFETY: the branch came from a box in `insert`; its slot, the only way to it, now
            // leads past it. It owns no leaf, so dropping it frees the branch alone.
            unsafe { defer_drop(ptr::from_ref(branch).cast_mut(), guard) };
        }
    }

    /// Calls `visit` with every leaf, in the order of their hashes' digits.
    pub(super) fn for_each<'g>(&'g self, guard: &'g Guard, mut visit: impl FnMut(&'g L)) {
        let mut stack: SmallVec<[&Slot<L>; FANOUT]> = SmallVec::new();
        stack.push(&self.root);
        while let Some(slot) = stack.pop() {
            match slot.load(guard) {
                Target::Empty => {}
                Target::Branch(branch) => stack.extend(branch.0.iter()),
                Target::Leaf(head) => {
                    let mut leaf = Some(head);
                    while let Some(this) = leaf {
                        visit(this);
                        leaf = following(this, guard);
                    }
                }
            }
        }
    }

    /// Hands every leaf to `take`, and frees the branches.
    pub(super) fn drain(&mut self, mut take: impl FnMut(Box<L>)) {
        let mut stack: SmallVec<[*mut (); FANOUT]> = SmallVec::new();
        stack.push(self.root.take());
        while let Some(target) = stack.pop() {
            if target.addr() & BRANCH != 0 {
                let branch = target.map_addr(|address| address & !BRANCH).cast::<Branch<L>>();
                // SAFETY: `&mut self` shows that no reader is left; a branch in place is a box that
                // one slot leads to, and that slot was emptied.
                let mut branch = unsafe { Box::from_raw(branch) };
                stack.extend(branch.0.iter_mut().map(Slot::take));
                continue;
            }
            let mut leaf = target.cast::<L>();
            while !leaf.is_null() {
                // SAFETY: as above: each leaf in place is a box, reached once.
                let owned = unsafe { Box::from_raw(leaf) };
                leaf = owned.next().0.swap(ptr::null_mut(), Ordering::Relaxed);
                take(owned);
            }
        }
    }
}

impl<L: Leaf> Drop for Children<L> {
    fn drop(&mut self) {
        if !self.is_empty() {
            self.drain(drop);
        }
    }
}

/// The leaf after `leaf` in its chain.
#[inline]
fn following<'g, L: Leaf>(leaf: &'g L, _guard: &'g Guard) -> Option<&'g L> {
    // SAFETY: null, or a leaf that was in the trie when `leaf` was, or later; it is freed no sooner
    // than after every guard that was pinned when it was unlinked, `_guard` among them.
    unsafe { leaf.next().0.load(Ordering::Acquire).as_ref() }
}

/// Takes `leaf` out of the chain that begins with `head` in `slot`; false if it is not there.
fn unchain<L: Leaf>(slot: &Slot<L>, head: &L, leaf: &L, guard: &Guard) -> bool {
    let next = leaf.next().0.load(Ordering::Acquire);
    if ptr::eq(head, leaf) {
        slot.put_leaf(next);
        return true;
    }
    let mut before = head;
    while let Some(this) = following(before, guard) {
        if ptr::eq(this, leaf) {
            before.next().0.store(next, Ordering::Release);
            return true;
        }
        before = this;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::thread;

    use crossbeam::epoch;

    use super::*;
    use crate::router::trie::partition::Partition;
    use crate::sync::{Arc, AtomicBool, AtomicUsize};

    const ALIVE: usize = 0x600d_600d;

    struct Word {
        hash: u32,
        name: String,
        next: Next<Word>,
        canary: AtomicUsize,
        live: Arc<AtomicUsize>,
    }

    impl Word {
        fn new(hash: u32, name: &str, live: &Arc<AtomicUsize>) -> Box<Self> {
            live.fetch_add(1, Ordering::SeqCst);
            let canary = AtomicUsize::new(ALIVE);
            Box::new(Self {
                hash,
                name: name.into(),
                next: Next::default(),
                canary,
                live: live.clone(),
            })
        }
    }

    impl Leaf for Word {
        fn hash(&self) -> u32 {
            assert_eq!(self.canary.load(Ordering::SeqCst), ALIVE, "read after free");
            self.hash
        }
        fn is(&self, name: &str) -> bool {
            self.name == name
        }
        fn next(&self) -> &Next<Self> {
            &self.next
        }
        fn bytes(&self) -> usize {
            size_of::<Self>()
        }
    }

    impl Drop for Word {
        fn drop(&mut self) {
            assert_eq!(self.canary.swap(0, Ordering::SeqCst), ALIVE, "freed twice");
            self.live.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Runs the collector until what was retired so far is freed.
    fn collect(live: &AtomicUsize, expected: usize) {
        for _ in 0..1_000_000 {
            if live.load(Ordering::SeqCst) == expected {
                return;
            }
            epoch::pin().flush();
            thread::yield_now();
        }
        panic!("{} leaves are live instead of {expected}", live.load(Ordering::SeqCst));
    }

    /// Few bits, so that there are equal hashes and long shared paths.
    fn poor_hash(n: u32) -> u32 {
        [0, 1, 0x4000_0000, 0x4000_0001, 0x0100_0000, u32::MAX, 9, 8][n as usize % 8]
    }

    #[test]
    fn equal_and_nearly_equal_hashes_are_told_apart() {
        let (trie, partition) = (Children::default(), Partition::new());
        let live = Arc::new(AtomicUsize::new(0));
        let name = |n: u32| format!("n{n}");
        for n in 0..64 {
            trie.insert(Word::new(poor_hash(n), &name(n), &live), &partition.write());
        }
        for gone in (0..64).step_by(3) {
            let writer = partition.write();
            let leaf = trie.find(poor_hash(gone), &name(gone), writer.guard()).unwrap();
            trie.remove(leaf, &writer);
        }
        let guard = epoch::pin();
        for n in 0..64 {
            assert_eq!(trie.find(poor_hash(n), &name(n), &guard).is_some(), n % 3 != 0, "{n}");
        }
        let mut seen = 0;
        trie.for_each(&guard, |_| seen += 1);
        assert_eq!(seen, 42);
        drop(guard);
        collect(&live, 42);
        drop(trie);
        assert_eq!(live.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn removal_gives_every_byte_back() {
        let (trie, partition) = (Children::default(), Partition::new());
        let live = Arc::new(AtomicUsize::new(0));
        let hash = |n: u32| n.wrapping_mul(0x9e37_79b9);
        for n in 0..1000 {
            trie.insert(Word::new(hash(n), "w", &live), &partition.write());
        }
        for n in (0..1000).rev() {
            let writer = partition.write();
            trie.remove(trie.find(hash(n), "w", writer.guard()).unwrap(), &writer);
        }
        assert_eq!(partition.bytes(), 0, "branches are left");
        assert!(trie.is_empty());
        collect(&live, 0);
    }

    #[test]
    fn what_a_pinned_reader_has_found_outlives_its_removal() {
        let (trie, partition) = (Children::default(), Partition::new());
        let live = Arc::new(AtomicUsize::new(0));
        for hash in 0..3 {
            trie.insert(Word::new(hash, "w", &live), &partition.write());
        }
        let guard = epoch::pin();
        let held = trie.find(1, "w", &guard).unwrap();
        trie.remove(held, &partition.write());
        assert!(trie.find(1, "w", &guard).is_none());
        for _ in 0..1000 {
            epoch::pin().flush();
        }
        assert_eq!(live.load(Ordering::SeqCst), 3, "freed under a reader");
        assert_eq!(held.hash(), 1);
        drop(guard);
        collect(&live, 2);
    }

    /// The hashes of `kept` and `other` part at the last branch only, so that each insertion puts
    /// ten branches in the way to `kept`, one after another, and each removal takes them away.
    #[test]
    fn a_leaf_stays_in_sight_while_branches_come_and_go_above_it() {
        let (trie, partition) = (Children::default(), Partition::new());
        let live = Arc::new(AtomicUsize::new(0));
        let stop = AtomicBool::new(false);
        trie.insert(Word::new(0, "kept", &live), &partition.write());
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut lost = 0;
                while !stop.load(Ordering::Relaxed) {
                    let guard = epoch::pin();
                    lost += (0..64).filter(|_| trie.find(0, "kept", &guard).is_none()).count();
                }
                lost
            });
            for _ in 0..20_000 {
                let writer = partition.write();
                let other = trie.insert(Word::new(1 << 31, "other", &live), &writer);
                trie.remove(other, &writer);
            }
            stop.store(true, Ordering::Relaxed);
            assert_eq!(reader.join().unwrap(), 0);
        });
        collect(&live, 1);
    }

    /// Leaves that stay must be found at every moment while their neighbours come and go.
    #[test]
    fn readers_never_lose_a_leaf_and_never_see_a_freed_one() {
        let (trie, partition) = (Children::default(), Partition::new());
        let live = Arc::new(AtomicUsize::new(0));
        let stop = AtomicBool::new(false);
        let name = |n: u32| format!("n{n}");
        let hash =
            |n: u32| if n.is_multiple_of(2) { poor_hash(n) } else { n.wrapping_mul(0x9e37_79b9) };
        for n in 0..32 {
            trie.insert(Word::new(hash(n), &name(n), &live), &partition.write());
        }
        thread::scope(|scope| {
            for reader in 0..3 {
                let (trie, stop) = (&trie, &stop);
                scope.spawn(move || {
                    let mut n: u32 = reader;
                    while !stop.load(Ordering::Relaxed) {
                        let guard = epoch::pin();
                        n = n.wrapping_mul(5).wrapping_add(1);
                        let kept = n % 32;
                        assert!(trie.find(hash(kept), &name(kept), &guard).is_some(), "{kept}");
                        trie.find(hash(32 + n % 64), &name(32 + n % 64), &guard);
                        let mut seen = 0;
                        trie.for_each(&guard, |leaf| seen += u32::from(leaf.is(&leaf.name)));
                        assert!(seen >= 1);
                    }
                });
            }
            for round in 0..400 {
                let order = |i: u32| 32 + (i * 7 + round) % 64;
                for n in (0..64).map(order) {
                    trie.insert(Word::new(hash(n), &name(n), &live), &partition.write());
                }
                for n in (0..64).rev().map(order) {
                    let writer = partition.write();
                    trie.remove(trie.find(hash(n), &name(n), writer.guard()).unwrap(), &writer);
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        collect(&live, 32);
    }
}

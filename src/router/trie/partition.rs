//! One partition of the trie: a root, the lock of its writers, and its version.

use std::cell::Cell;

use crossbeam::epoch::{self, Guard};
use crossbeam::utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};

use super::node::Node;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Retired objects after which a writer hands its garbage to the collector. An epoch frees 8 bags
/// of up to 64 objects at a time, so this keeps removals from outrunning it.
const FLUSH_AFTER: u32 = 48;

/// The filters whose first levels hash alike, or all that begin with a wildcard.
pub(super) struct Partition {
    /// Read for each published topic, so it shares its line with nothing that writers touch.
    version: CachePadded<AtomicU64>,
    root: Node,
    bytes: AtomicUsize,
    filters: AtomicUsize,
    /// Removals since the garbage was last handed over.
    writers: Mutex<u32>,
}

impl Partition {
    pub(super) fn new() -> Self {
        Self {
            version: CachePadded::new(AtomicU64::new(0)),
            root: Node::new(0, ""),
            bytes: AtomicUsize::new(0),
            filters: AtomicUsize::new(0),
            writers: Mutex::new(0),
        }
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// The version; a change that moved it to this value, or before, can be seen from here on.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn filters(&self) -> usize {
        self.filters.load(Ordering::Relaxed)
    }

    /// Locks the partition for one change.
    pub(super) fn write(&self) -> Writer<'_> {
        let lock = self.writers.lock();
        Writer { guard: epoch::pin(), partition: self, lock, retired: Cell::new(0) }
    }
}

/// The right to change a partition: its lock, and a pin under which its nodes stay.
pub(super) struct Writer<'p> {
    guard: Guard,
    partition: &'p Partition,
    lock: MutexGuard<'p, u32>,
    retired: Cell<u32>,
}

impl Writer<'_> {
    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) fn root(&self) -> &Node {
        &self.partition.root
    }

    /// Accounts for an allocation.
    pub(super) fn grew(&self, bytes: usize) {
        self.partition.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Accounts for an object that was retired.
    pub(super) fn shrank(&self, bytes: usize) {
        self.partition.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.retired.set(self.retired.get() + 1);
    }

    /// Accounts for a filter that came.
    pub(super) fn filter_came(&self) {
        self.partition.filters.fetch_add(1, Ordering::Relaxed);
    }

    /// Accounts for a filter that went.
    pub(super) fn filter_went(&self) {
        self.partition.filters.fetch_sub(1, Ordering::Relaxed);
    }

    /// Moves the version on, after a change that a match can see has been published.
    pub(super) fn publish(&self) {
        self.partition.version.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        *self.lock += self.retired.get();
        if *self.lock >= FLUSH_AFTER {
            *self.lock = 0;
            self.guard.flush();
        }
    }
}

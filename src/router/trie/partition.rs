//! One partition of the trie: a root, the lock of its writers, and its version.

use crossbeam::epoch::{self, Guard};
use crossbeam::utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};

use super::node::Node;
use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

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
    /// Objects retired since the garbage was last handed over.
    backlog: AtomicU32,
    writers: Mutex<()>,
}

impl Partition {
    pub(super) fn new() -> Self {
        Self {
            version: CachePadded::new(AtomicU64::new(0)),
            root: Node::new(0, ""),
            bytes: AtomicUsize::new(0),
            filters: AtomicUsize::new(0),
            backlog: AtomicU32::new(0),
            writers: Mutex::new(()),
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
        Writer { partition: self, _lock: lock, pin: Pin { guard: epoch::pin(), partition: self } }
    }
}

/// The right to change a partition: its lock, and a pin under which its nodes stay.
pub(super) struct Writer<'p> {
    partition: &'p Partition,
    /// Dropped before the pin, so that nobody waits while garbage is freed.
    _lock: MutexGuard<'p, ()>,
    pin: Pin<'p>,
}

/// A pin that hands the garbage over when enough has gathered.
struct Pin<'p> {
    guard: Guard,
    partition: &'p Partition,
}

impl Writer<'_> {
    pub(super) fn guard(&self) -> &Guard {
        &self.pin.guard
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
        self.partition.backlog.fetch_add(1, Ordering::Relaxed);
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
        #[cfg(feature = "canary")]
        if crate::util::canary::Canary::StaleMatchCache.sings() {
            return;
        }
        self.partition.version.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        let backlog = &self.partition.backlog;
        if backlog.load(Ordering::Relaxed) >= FLUSH_AFTER {
            backlog.store(0, Ordering::Relaxed);
            self.guard.flush();
        }
    }
}

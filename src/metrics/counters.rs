//! The two kinds of value. Each has one writer and any number of readers.

use crate::sync::{AtomicU64, Ordering};

/// Counts up only.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning thread may call this: it is a load and a store, not an atomic
    /// addition, so that counting costs no locked instruction.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds one; see [`Counter::add`].
    pub fn increment(&self) {
        self.add(1);
    }

    /// The count, from any thread.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
///
/// One shard's value may be negative when what it released was counted on another; the sum over
/// all shards is what has a meaning.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Adds `n`. Only the owning thread may call this; see [`Counter::add`].
    pub fn add(&self, n: i64) {
        self.set(self.get().wrapping_add(n));
    }

    /// Sets the value. Only the owning thread may call this.
    pub fn set(&self, value: i64) {
        self.0.store(value as u64, Ordering::Relaxed);
    }

    /// The value, from any thread.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed) as i64
    }
}

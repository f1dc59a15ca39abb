//! What the clients of all threads share while they run.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

/// Progress of every flow and of every thread, and the window that counts.
///
/// Figures are published once per turn of a thread or once per read; none of them orders other
/// memory, so all accesses are relaxed.
#[derive(Debug)]
pub struct Board {
    delivered: Box<[CachePadded<AtomicU64>]>,
    threads: Box<[CachePadded<ThreadProgress>]>,
    record_from: AtomicU64,
    record_until: AtomicU64,
    /// Deliveries expected of one message.
    pub copies: u64,
}

#[derive(Debug, Default)]
struct ThreadProgress {
    sent: AtomicU64,
    delivered: AtomicU64,
    acked: AtomicU64,
    connected: AtomicU64,
    subscribed: AtomicU64,
    ended: AtomicU64,
}

/// Counts of one thread, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Application Messages written by publishers.
    pub sent: u64,
    /// Application Messages that arrived at subscribers, repetitions not counted.
    pub delivered: u64,
    /// Publications whose QoS 1 or 2 exchange is complete.
    pub acked: u64,
    /// Clients that have their CONNACK.
    pub connected: u64,
    /// Clients that have their SUBACK.
    pub subscribed: u64,
    /// Clients that lost their connection or were refused.
    pub ended: u64,
}

impl Board {
    /// A board for `flows` publishers on `threads` threads. Nothing is recorded at first.
    pub fn new(flows: usize, threads: usize, copies: u64) -> Self {
        Self {
            delivered: (0..flows).map(|_| CachePadded::default()).collect(),
            threads: (0..threads).map(|_| CachePadded::default()).collect(),
            record_from: AtomicU64::new(u64::MAX),
            record_until: AtomicU64::new(u64::MAX),
            copies,
        }
    }

    /// Flows on the board.
    pub fn flows(&self) -> usize {
        self.delivered.len()
    }

    /// Counts `count` deliveries of `flow` and returns how many there were before.
    #[inline]
    pub fn deliver(&self, flow: u32, count: u64) -> u64 {
        self.delivered[flow as usize].fetch_add(count, Ordering::Relaxed)
    }

    /// Messages of `flow` that reached every subscriber, if none overtook another.
    #[inline]
    pub fn completed(&self, flow: u32) -> u64 {
        self.delivered[flow as usize].load(Ordering::Relaxed) / self.copies
    }

    /// From now on records messages due in `from..until`, in [`crate::clock::now_ns`].
    pub fn record_between(&self, from: u64, until: u64) {
        self.record_until.store(until, Ordering::Relaxed);
        self.record_from.store(from, Ordering::Relaxed);
    }

    /// The window set by [`Board::record_between`].
    #[inline]
    pub fn window(&self) -> (u64, u64) {
        (self.record_from.load(Ordering::Relaxed), self.record_until.load(Ordering::Relaxed))
    }

    /// Publishes what `thread` counted so far.
    pub fn publish(&self, thread: usize, totals: &Totals) {
        let progress = &self.threads[thread];
        progress.sent.store(totals.sent, Ordering::Relaxed);
        progress.delivered.store(totals.delivered, Ordering::Relaxed);
        progress.acked.store(totals.acked, Ordering::Relaxed);
        progress.connected.store(totals.connected, Ordering::Relaxed);
        progress.subscribed.store(totals.subscribed, Ordering::Relaxed);
        progress.ended.store(totals.ended, Ordering::Relaxed);
    }

    /// The sum over all threads.
    pub fn totals(&self) -> Totals {
        self.threads.iter().fold(Totals::default(), |sum, progress| {
            let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            Totals {
                sent: sum.sent + read(&progress.sent),
                delivered: sum.delivered + read(&progress.delivered),
                acked: sum.acked + read(&progress.acked),
                connected: sum.connected + read(&progress.connected),
                subscribed: sum.subscribed + read(&progress.subscribed),
                ended: sum.ended + read(&progress.ended),
            }
        })
    }
}

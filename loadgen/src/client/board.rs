//! What the clients of all threads share while they run.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use serde::{Deserialize, Serialize};

/// Progress of flows in a closed loop and of every thread, and the window that counts.
///
/// Figures are published once per turn of a thread or once per read; none of them orders other
/// memory, so all accesses are relaxed.
#[derive(Debug)]
pub struct Board {
    /// Deliveries of each publisher's flows, under its first one, and those due of one message.
    /// Empty if no loop is closed.
    flows: Box<[CachePadded<FlowProgress>]>,
    threads: Box<[CachePadded<ThreadProgress>]>,
    record_from: AtomicU64,
    record_until: AtomicU64,
}

#[derive(Debug)]
struct FlowProgress {
    delivered: AtomicU64,
    copies: u64,
    first: u32,
}

/// A [`Totals`], published.
#[derive(Debug, Default)]
struct ThreadProgress([AtomicU64; FIGURES]);

const FIGURES: usize = 9;

/// Counts of one thread, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Application Messages written by publishers.
    pub sent: u64,
    /// Application Messages that arrived at subscribers, repetitions not counted.
    pub delivered: u64,
    /// Publications whose QoS 1 or 2 exchange is complete.
    pub acked: u64,
    /// Connections that got their CONNACK.
    pub connected: u64,
    /// Connections that stand now.
    pub open: u64,
    /// Connections that got their SUBACK.
    pub subscribed: u64,
    /// Clients that lost their connection or were refused, for good.
    pub ended: u64,
    /// Batches that were due.
    pub due: u64,
    /// Batches written.
    pub written: u64,
}

impl Totals {
    fn figures(&self) -> [u64; FIGURES] {
        [
            self.sent,
            self.delivered,
            self.acked,
            self.connected,
            self.open,
            self.subscribed,
            self.ended,
            self.due,
            self.written,
        ]
    }

    fn of(figures: [u64; FIGURES]) -> Self {
        let [sent, delivered, acked, connected, open, subscribed, ended, due, written] = figures;
        Self { sent, delivered, acked, connected, open, subscribed, ended, due, written }
    }

    /// The sum of two.
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = self.figures();
        sum.iter_mut().zip(other.figures()).for_each(|(sum, add)| *sum += add);
        Self::of(sum)
    }
}

impl Board {
    /// A board for `threads` threads. For each flow of a closed loop `flows` has the first flow of
    /// its publisher and the deliveries due of one message. Nothing is recorded at first.
    pub fn new(flows: impl Iterator<Item = (u32, u64)>, threads: usize) -> Self {
        let progress =
            |(first, copies)| CachePadded::new(FlowProgress { delivered: 0.into(), copies, first });
        Self {
            flows: flows.map(progress).collect(),
            threads: (0..threads).map(|_| CachePadded::default()).collect(),
            record_from: AtomicU64::new(u64::MAX),
            record_until: AtomicU64::new(u64::MAX),
        }
    }

    /// Counts `count` deliveries of `flow`; returns its publisher's first flow, and whether another
    /// message has now reached all its subscribers. `None` if no loop is closed.
    #[inline]
    pub fn deliver(&self, flow: u32, count: u64) -> Option<(u32, bool)> {
        let first = self.flows.get(flow as usize)?.first;
        let progress = &self.flows[first as usize];
        let before = progress.delivered.fetch_add(count, Ordering::Relaxed);
        let copies = progress.copies.max(1);
        Some((first, before / copies != (before + count) / copies))
    }

    /// Messages of `flow` that reached every subscriber, if none overtook another; `None` if they
    /// are not counted or have no subscriber.
    #[inline]
    pub fn completed(&self, flow: u32) -> Option<u64> {
        let progress = self.flows.get(flow as usize)?;
        progress.delivered.load(Ordering::Relaxed).checked_div(progress.copies)
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
        for (counter, figure) in self.threads[thread].0.iter().zip(totals.figures()) {
            counter.store(figure, Ordering::Relaxed);
        }
    }

    /// The sum over all threads.
    pub fn totals(&self) -> Totals {
        let mut sum = [0; FIGURES];
        for thread in &self.threads {
            let figures = thread.0.iter().map(|counter| counter.load(Ordering::Relaxed));
            sum.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        }
        Totals::of(sum)
    }
}

//! What a fleet tells its threads.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use mio::Waker;

/// Orders to all threads of a fleet.
#[derive(Debug)]
pub struct Control {
    /// The latest [`Order`].
    order: AtomicU64,
    run_start_ns: AtomicU64,
    /// Length of the run, ns.
    run_length_ns: AtomicU64,
    connect_limit: AtomicUsize,
    subscribe_limit: AtomicUsize,
    wakers: Box<[Waker]>,
    /// The order that each thread has carried out.
    reached: Box<[AtomicU64]>,
}

/// What publishers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connected and silent.
    Hold,
    /// Publishing.
    Run,
    /// Disconnect and end the thread.
    Stop,
}

/// A phase with the number of the order that began it, so that no thread's answer to an earlier
/// order is taken for one to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order(u64);

impl Order {
    /// The phase that holds before any order.
    pub const FIRST: Self = Self(Phase::Hold as u64);

    /// The phase ordered.
    pub fn phase(self) -> Phase {
        match self.0 & 3 {
            0 => Phase::Hold,
            1 => Phase::Run,
            _ => Phase::Stop,
        }
    }

    fn then(self, phase: Phase) -> Self {
        Self(((self.0 >> 2) + 1) << 2 | phase as u64)
    }
}

impl Control {
    /// Orders for the threads that `wakers` wake.
    pub fn new(wakers: Vec<Waker>) -> Self {
        Self {
            order: AtomicU64::new(Order::FIRST.0),
            run_start_ns: AtomicU64::new(0),
            run_length_ns: AtomicU64::new(0),
            connect_limit: AtomicUsize::new(0),
            subscribe_limit: AtomicUsize::new(0),
            reached: wakers.iter().map(|_| AtomicU64::new(Order::FIRST.0)).collect(),
            wakers: wakers.into(),
        }
    }

    /// The latest order.
    pub fn order(&self) -> Order {
        // Acquire: the start of the run was stored before the order.
        Order(self.order.load(Ordering::Acquire))
    }

    /// Starts publishing at `start_ns`; nothing is due after `length_ns`.
    pub fn run(&self, start_ns: u64, length_ns: u64) {
        self.run_start_ns.store(start_ns, Ordering::Relaxed);
        self.run_length_ns.store(length_ns, Ordering::Relaxed);
        self.enter(Phase::Run);
    }

    /// How long the run lasts, ns.
    pub fn run_length_ns(&self) -> u64 {
        self.run_length_ns.load(Ordering::Relaxed)
    }

    /// When the run began.
    pub fn run_start_ns(&self) -> u64 {
        self.run_start_ns.load(Ordering::Relaxed)
    }

    /// Orders a phase and wakes all threads. Orders come from one thread.
    pub fn enter(&self, phase: Phase) {
        self.order.store(self.order().then(phase).0, Ordering::Release);
        self.wake_all();
    }

    /// Says that `thread` has ended a whole turn under `order`, with its counts published.
    pub fn reach(&self, thread: usize, order: Order) {
        // Release: who sees the order sees the counts of the turns up to it.
        self.reached[thread].store(order.0, Ordering::Release);
    }

    /// Whether every thread has ended a whole turn under the latest order.
    pub fn all_reached(&self) -> bool {
        let order = self.order().0;
        self.reached.iter().all(|reached| reached.load(Ordering::Acquire) == order)
    }

    /// How many clients may be open, over all threads.
    pub fn connect_limit(&self) -> usize {
        self.connect_limit.load(Ordering::Relaxed)
    }

    /// Lets `limit` clients connect, over all threads.
    pub fn allow_connections(&self, limit: usize) {
        self.connect_limit.store(limit, Ordering::Relaxed);
        self.wake_all();
    }

    /// How many idle clients may subscribe, over all threads.
    pub fn subscribe_limit(&self) -> usize {
        self.subscribe_limit.load(Ordering::Relaxed)
    }

    /// Lets `limit` idle clients subscribe, over all threads.
    pub fn allow_subscriptions(&self, limit: usize) {
        self.subscribe_limit.store(limit, Ordering::Relaxed);
        self.wake_all();
    }

    /// Wakes one thread. A thread that cannot be woken looks by itself within its poll timeout.
    pub fn wake(&self, thread: usize) {
        let _ = self.wakers[thread].wake();
    }

    fn wake_all(&self) {
        (0..self.wakers.len()).for_each(|thread| self.wake(thread));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};

    #[test]
    fn an_answer_to_an_earlier_order_does_not_count() {
        let poll = Poll::new().unwrap();
        let control = Control::new(vec![Waker::new(poll.registry(), Token(0)).unwrap()]);
        assert!(control.all_reached(), "all threads begin silent");
        control.run(1, 1);
        control.enter(Phase::Hold);
        assert_eq!(control.order().phase(), Phase::Hold);
        assert!(!control.all_reached(), "the thread may still be running");
        control.reach(0, control.order());
        assert!(control.all_reached());
    }
}

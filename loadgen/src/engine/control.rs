//! What a fleet tells its threads.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use mio::Waker;

/// Orders to all threads of a fleet.
#[derive(Debug)]
pub struct Control {
    phase: AtomicU8,
    run_start_ns: AtomicU64,
    connect_limit: AtomicUsize,
    subscribe_limit: AtomicUsize,
    wakers: Box<[Waker]>,
}

/// What publishers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Connected and silent.
    Hold = 0,
    /// Publishing.
    Run = 1,
    /// Disconnect and end the thread.
    Stop = 2,
}

impl Control {
    /// Orders for the threads that `wakers` wake.
    pub fn new(wakers: Vec<Waker>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Hold as u8),
            run_start_ns: AtomicU64::new(0),
            connect_limit: AtomicUsize::new(0),
            subscribe_limit: AtomicUsize::new(0),
            wakers: wakers.into(),
        }
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        // Acquire: the start of the run was stored before the phase.
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Hold,
            1 => Phase::Run,
            _ => Phase::Stop,
        }
    }

    /// Starts publishing; open-loop schedules begin at `start_ns`.
    pub fn run_from(&self, start_ns: u64) {
        self.run_start_ns.store(start_ns, Ordering::Relaxed);
        self.enter(Phase::Run);
    }

    /// When the run began.
    pub fn run_start_ns(&self) -> u64 {
        self.run_start_ns.load(Ordering::Relaxed)
    }

    /// Changes the phase and wakes all threads.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
        self.wake_all();
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

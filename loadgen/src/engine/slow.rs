//! Consumers that read slowly on purpose.

/// How often each may read, ns.
const TICK_NS: u64 = 100_000_000;

/// Seats with something to read, waiting for the next tick.
#[derive(Debug, Default)]
pub struct Slow {
    waiting: Vec<usize>,
    next_ns: u64,
}

impl Slow {
    /// A seat has something to read.
    pub fn push(&mut self, seat: usize, now_ns: u64) {
        if self.waiting.is_empty() {
            self.next_ns = now_ns + TICK_NS;
        }
        self.waiting.push(seat);
    }

    /// When the next tick is.
    pub fn next_ns(&self) -> Option<u64> {
        (!self.waiting.is_empty()).then_some(self.next_ns)
    }

    /// The seats that may read now; they are pushed again if they have more.
    pub fn take(&mut self, now_ns: u64) -> Vec<usize> {
        match self.next_ns().is_some_and(|next| next <= now_ns) {
            true => std::mem::take(&mut self.waiting),
            false => Vec::new(),
        }
    }
}

/// Bytes that a consumer of `rate` bytes per second may read in one tick.
pub fn budget(rate: u64) -> usize {
    (rate * TICK_NS / 1_000_000_000) as usize
}

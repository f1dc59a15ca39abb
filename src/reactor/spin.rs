//! Whether to look a little longer before going to sleep.

use std::time::{Duration, Instant};

/// Waits in a row that must favour spinning before it is tried, and the most that count.
const SCORE_MAX: u8 = 8;

/// Spins only while recent waits were short: on a shard that is idle, or on a machine without a
/// free core, spinning takes time from whoever would have sent the next message.
#[derive(Debug)]
pub(super) struct Spin {
    limit: Duration,
    score: u8,
}

impl Spin {
    /// Spins for up to `limit`; zero never does.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, score: 0 }
    }

    /// Until when to spin from `start`, if at all.
    pub(super) fn until(&self, start: Instant) -> Option<Instant> {
        (self.is_enabled() && self.score >= SCORE_MAX / 2).then(|| start + self.limit)
    }

    /// Whether waits need to be timed.
    pub(super) fn is_enabled(&self) -> bool {
        !self.limit.is_zero()
    }

    /// Learns from a wait, spun or slept, that took `waited`.
    pub(super) fn learn(&mut self, waited: Duration) {
        self.score = if waited <= self.limit {
            (self.score + 1).min(SCORE_MAX)
        } else {
            self.score.saturating_sub(2)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, Spin};

    #[test]
    fn spins_after_short_waits_and_stops_after_long_ones() {
        let (short, long) = (Duration::from_micros(10), Duration::from_millis(5));
        let start = Instant::now();
        let mut spin = Spin::new(Duration::from_micros(50));
        assert_eq!(spin.until(start), None);
        for _ in 0..20 {
            spin.learn(short);
        }
        assert_eq!(spin.until(start), Some(start + Duration::from_micros(50)));
        for _ in 0..3 {
            spin.learn(long);
        }
        assert_eq!(spin.until(start), None);
    }

    #[test]
    fn without_a_limit_it_never_spins() {
        let mut spin = Spin::new(Duration::ZERO);
        for _ in 0..20 {
            spin.learn(Duration::ZERO);
        }
        assert_eq!(spin.until(Instant::now()), None);
    }
}

//! Notices that a load has ended which its size does not show.

/// Calls between two readings that are a load.
const LOAD_MIN: u64 = 1_000;

/// It has ended when there are fewer than this part of the most there were.
const CALM_SHARE: u64 = 4;

/// And when that has been so at so many readings.
const CALM_READINGS: u8 = 5;

/// How many calls on sockets there are from reading to reading.
///
/// Clients that take turns, come back or exchange messages use memory all the time and hold the
/// same amount before, meanwhile and after.
#[derive(Debug)]
pub(super) struct Pace {
    /// Since the broker started, as of the last reading.
    calls: Option<u64>,
    /// The most from one reading to the next, since [`Pace::forget`].
    most: u64,
    /// Readings since a busy one.
    calm: u8,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { calls: None, most: 0, calm: 0 }
    }

    /// Takes in how many calls there have been; whether a load has ended.
    pub(super) fn has_ended(&mut self, calls: u64) -> bool {
        let more = calls.saturating_sub(self.calls.replace(calls).unwrap_or(calls));
        self.most = self.most.max(more);
        let calm = more < self.most / CALM_SHARE;
        self.calm = if calm { self.calm.saturating_add(1) } else { 0 };
        self.most >= LOAD_MIN && self.calm >= CALM_READINGS
    }

    /// What was used until now is accounted for.
    pub(super) fn forget(&mut self) {
        (self.most, self.calm) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The readings at which a load has ended; what has ended is accounted for.
    fn ends(more: &[u64]) -> Vec<usize> {
        let mut pace = Pace::new();
        pace.has_ended(77_777);
        let mut calls = 77_777;
        let ended = more.iter().map(|more| {
            calls += more;
            let ended = pace.has_ended(calls);
            if ended {
                pace.forget();
            }
            ended
        });
        let ended: Vec<bool> = ended.collect();
        (0..ended.len()).filter(|&reading| ended[reading]).collect()
    }

    #[test]
    fn the_end_of_a_load_is_seen_once() {
        assert_eq!(ends(&[5000, 6000, 5000, 0, 10, 0, 300, 0, 0, 0, 0, 0, 0, 0]), [7]);
    }

    #[test]
    fn a_pause_is_no_end() {
        assert_eq!(ends(&[5000, 0, 0, 0, 0, 5000, 0, 0, 0, 0, 5000]), [0; 0]);
    }

    #[test]
    fn a_steady_load_and_a_small_one_have_no_end() {
        assert_eq!(ends(&[5000, 4000, 3000, 2000, 4000, 1500, 1500, 1500, 1500, 1500]), [0; 0]);
        assert_eq!(ends(&[900, 0, 0, 0, 0, 0, 0, 0, 900, 0, 0, 0, 0, 0, 0]), [0; 0]);
    }
}

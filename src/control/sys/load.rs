//! Load averages, as a Unix system computes its own.

/// The times over which is averaged, in seconds, and how the topics call them.
pub(super) const SPANS: [(f64, &str); 3] = [(60.0, "1min"), (300.0, "5min"), (900.0, "15min")];

/// How much of something happens in a minute, averaged over each of [`SPANS`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    counted: u64,
    averages: [f64; 3],
}

impl Load {
    /// Takes in that `counted` have happened so far, `elapsed_s` after the last time.
    pub(super) fn update(&mut self, counted: u64, elapsed_s: f64) -> [f64; 3] {
        let happened = counted.wrapping_sub(self.counted) as f64;
        self.counted = counted;
        if elapsed_s > 0.0 {
            let rate = happened * 60.0 / elapsed_s;
            for (average, (span, _)) in self.averages.iter_mut().zip(SPANS) {
                *average = rate + (-elapsed_s / span).exp() * (*average - rate);
            }
        }
        self.averages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_follow_the_rate_the_shorter_ones_faster() {
        let mut load = Load::default();
        // 10 a second, from now on.
        let first = load.update(100, 10.0);
        let expected = [92.11, 19.67, 6.63];
        for (got, expected) in first.into_iter().zip(expected) {
            assert!((got - expected).abs() < 0.01, "{first:?}");
        }
        let mut last = first;
        for n in 2..=600 {
            last = load.update(n * 100, 10.0);
        }
        assert!(last.iter().all(|average| (average - 600.0).abs() < 1.0), "{last:?}");
    }

    #[test]
    fn without_time_gone_by_nothing_changes() {
        let mut load = Load::default();
        assert_eq!(load.update(5, 0.0), [0.0; 3]);
    }
}

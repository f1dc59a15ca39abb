//! The ratio of two groups of runs, with its confidence interval.

/// How much the values of one group exceed those of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Median of all ratios of a new to a base value (Hodges and Lehmann's estimate, on a
    /// logarithmic scale).
    pub estimate: f64,
    /// Interval in which the ratio lies with the confidence asked for; `None` if there are too few
    /// runs for any.
    pub interval: Option<(f64, f64)>,
    /// Least and greatest of all ratios.
    pub range: (f64, f64),
}

impl Ratio {
    /// The ratio of `new` to `base`, with the interval that misses it in at most `alpha` of cases.
    ///
    /// The interval comes from inverting the exact two-sided Mann–Whitney test: it assumes nothing
    /// about the distribution but that both sides' are equal up to a factor. Ties make it wider.
    /// `None` if a side has no value, or one that is not above 0.
    pub fn of(base: &[f64], new: &[f64], alpha: f64) -> Option<Self> {
        let usable = |values: &[f64]| !values.is_empty() && values.iter().all(|value| *value > 0.0);
        if !usable(base) || !usable(new) {
            return None;
        }
        let mut ratios: Vec<f64> =
            new.iter().flat_map(|new| base.iter().map(move |base| new / base)).collect();
        ratios.sort_by(f64::total_cmp);
        let skipped = critical(base.len(), new.len(), alpha);
        let ends = skipped.map(|skipped| (ratios[skipped], ratios[ratios.len() - 1 - skipped]));
        let (upper, lower) = (ratios.len() / 2, (ratios.len() - 1) / 2);
        Some(Self {
            estimate: (ratios[lower] * ratios[upper]).sqrt(),
            interval: ends,
            range: (ratios[0], ratios[ratios.len() - 1]),
        })
    }

    /// The ratio the other way round: for measures of which more is better.
    pub fn inverse(self) -> Self {
        let turn = |(low, high): (f64, f64)| (1.0 / high, 1.0 / low);
        Self {
            estimate: 1.0 / self.estimate,
            interval: self.interval.map(turn),
            range: turn(self.range),
        }
    }
}

/// How many ratios at each end lie outside the interval: the greatest `k` for which a rank sum
/// statistic U of at most `k` has a probability of at most `alpha / 2` under equal distributions.
fn critical(base: usize, new: usize, alpha: f64) -> Option<usize> {
    let probabilities = rank_sum(base, new);
    let mut sum = 0.0;
    let beyond = probabilities.iter().position(|probability| {
        sum += probability;
        sum > alpha / 2.0
    });
    beyond.unwrap_or(probabilities.len()).checked_sub(1)
}

/// The distribution of U for groups of `m` and `n` values without ties: `[u]` is the probability
/// of exactly `u`.
///
/// Of `n` new values the greatest of all is one with probability `n / (m + n)`, and then exceeds
/// all `m` base values: P(m, n, u) = n/(m+n) P(m, n-1, u-m) + m/(m+n) P(m-1, n, u).
fn rank_sum(m: usize, n: usize) -> Vec<f64> {
    // `row[j]` is the distribution for (i, j); rows follow i.
    let mut row: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for i in 1..=m {
        let mut next = vec![vec![1.0]];
        for j in 1..=n {
            let (share, mut mixed) = (j as f64 / (i + j) as f64, vec![0.0; i * j + 1]);
            for (u, probability) in next[j - 1].iter().enumerate() {
                mixed[u + i] += share * probability;
            }
            for (u, probability) in row[j].iter().enumerate() {
                mixed[u] += (1.0 - share) * probability;
            }
            next.push(mixed);
        }
        row = next;
    }
    row.swap_remove(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::numbers::Numbers;

    #[test]
    fn the_distribution_is_that_of_the_tables() {
        let sum = |m, n, up_to: usize| rank_sum(m, n)[..=up_to].iter().sum::<f64>();
        assert!((sum(5, 5, 0) - 1.0 / 252.0).abs() < 1e-12);
        // Published critical values of U, two-sided 5 %: 2 for 5 and 5, 23 for 10 and 10.
        assert!(sum(5, 5, 2) <= 0.025 && sum(5, 5, 3) > 0.025);
        assert!(sum(10, 10, 23) <= 0.025 && sum(10, 10, 24) > 0.025);
        assert!((sum(7, 4, 28) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn too_few_runs_have_no_interval() {
        assert_eq!(critical(1, 1, 0.05), None);
        assert_eq!(critical(3, 3, 0.05), None);
        assert_eq!(critical(4, 4, 0.05), Some(0));
        assert_eq!(critical(4, 4, 0.01), None);
        assert_eq!(critical(5, 5, 0.01), Some(0));
        assert_eq!(critical(5, 5, 0.05), Some(2));
    }

    #[test]
    fn a_factor_is_found_again() {
        let base = [100.0, 101.0, 102.0, 103.0, 104.0];
        let new = base.map(|value| value * 1.5);
        let ratio = Ratio::of(&base, &new, 0.05).unwrap();
        assert!((ratio.estimate - 1.5).abs() < 1e-9);
        let (low, high) = ratio.interval.unwrap();
        assert!(low > 1.4 && low < 1.5 && high > 1.5 && high < 1.6);
        let back = ratio.inverse();
        assert!((back.estimate * 1.5 - 1.0).abs() < 1e-9 && back.interval.unwrap().1 < 1.0);
    }

    #[test]
    fn one_run_a_side_gives_a_ratio_and_no_more() {
        let ratio = Ratio::of(&[2.0], &[3.0], 0.05).unwrap();
        assert!((ratio.estimate - 1.5).abs() < 1e-12);
        assert_eq!(ratio.interval, None);
        assert_eq!(Ratio::of(&[0.0], &[3.0], 0.05), None);
        assert_eq!(Ratio::of(&[], &[3.0], 0.05), None);
    }

    #[test]
    fn the_interval_misses_as_seldom_as_it_says() {
        let mut numbers = Numbers(88_172_645_463_325_252);
        let mut group = || -> Vec<f64> { (0..5).map(|_| (3.0 * numbers.next()).exp()).collect() };
        let misses = (0..4_000).filter(|_| {
            let (low, high) = Ratio::of(&group(), &group(), 0.05).unwrap().interval.unwrap();
            !(low..=high).contains(&1.0)
        });
        // Exactly 8/252 = 3.2 % are expected: 127 of 4,000, with a deviation of 11.
        let misses = misses.count();
        assert!((80..=175).contains(&misses), "{misses} of 4000");
    }
}

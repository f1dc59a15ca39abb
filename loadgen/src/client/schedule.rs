//! When each batch of each publisher is due.

use pondhawk::util::Rng;

use crate::scenario::{Arrivals, Profile};

/// The schedule of a group's publishers.
///
/// Every due time follows from the publisher's number and the batch's, never from adding
/// intervals, so schedules do not drift, a late batch keeps the time it was due, and it does not
/// matter which thread, process or machine a publisher lives on.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Messages over time, all publishers together.
    pub profile: Profile,
    /// How batches are spread.
    pub arrivals: Arrivals,
    /// Messages in a batch.
    pub batch: u64,
    /// Publishers of the whole group.
    pub publishers: u64,
    /// Seed of random arrivals.
    pub seed: u64,
}

/// How far a publisher is in its schedule.
#[derive(Clone, Debug)]
pub struct Progress {
    publisher: u64,
    index: u64,
    /// Poisson arrivals: the generator, and the sum of the distances so far.
    random: Option<(Rng, f64)>,
}

impl Schedule {
    /// The beginning of a publisher's schedule.
    pub fn begin(&self, publisher: u32) -> Progress {
        let random = (self.arrivals == Arrivals::Poisson).then(|| {
            let mut rng = Rng::new(self.seed ^ u64::from(publisher).rotate_left(32));
            let first = exponential(&mut rng);
            (rng, first)
        });
        Progress { publisher: publisher.into(), index: 0, random }
    }

    /// When the publisher's next batch is due, ns after the start; `None` if never.
    #[inline]
    pub fn due_ns(&self, progress: &Progress) -> Option<u64> {
        match &progress.random {
            // A publisher's share of the schedule runs `publishers` times slower than the whole.
            Some((_, sum)) => self.profile.due_ns(sum * self.publishers as f64 * self.batch as f64),
            None => self.due_even_ns(progress.publisher as u32, progress.index),
        }
    }

    /// The same for arrivals that are not random: when batch `index` of `publisher` is due.
    #[inline]
    pub fn due_even_ns(&self, publisher: u32, index: u64) -> Option<u64> {
        let global = index * self.publishers + u64::from(publisher);
        let place = match self.arrivals {
            Arrivals::Bursts(size) => global - global % u64::from(size),
            _ => global,
        };
        self.profile.due_ns((place * self.batch) as f64)
    }
}

impl Progress {
    /// Goes on to the next batch.
    #[inline]
    pub fn advance(&mut self) {
        self.index += 1;
        if let Some((rng, sum)) = &mut self.random {
            *sum += exponential(rng);
        }
    }

    /// Batches gone by.
    pub fn index(&self) -> u64 {
        self.index
    }
}

/// A distance of mean 1 between random arrivals.
fn exponential(rng: &mut Rng) -> f64 {
    let uniform = ((rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64, publishers: u64, batch: u64, arrivals: Arrivals) -> Schedule {
        Schedule { profile: Profile::constant(rate), arrivals, batch, publishers, seed: 7 }
    }

    fn times(schedule: &Schedule, publisher: u32, count: usize) -> Vec<u64> {
        let mut progress = schedule.begin(publisher);
        let next = || {
            let due = schedule.due_ns(&progress);
            progress.advance();
            due
        };
        std::iter::from_fn(next).take(count).collect()
    }

    #[test]
    fn batches_are_spread_over_publishers() {
        let even = schedule(1000.0, 4, 2, Arrivals::Even);
        // 2 messages each 2 ms are 1000 per second.
        assert_eq!(times(&even, 0, 3), [0, 8_000_000, 16_000_000]);
        assert_eq!(times(&even, 3, 2), [6_000_000, 14_000_000]);
    }

    #[test]
    fn bursts_are_due_at_once() {
        let bursts = schedule(1000.0, 2, 1, Arrivals::Bursts(4));
        assert_eq!(times(&bursts, 0, 4), [0, 0, 4_000_000, 4_000_000]);
        assert_eq!(times(&bursts, 1, 4), [0, 0, 4_000_000, 4_000_000]);
    }

    #[test]
    fn random_arrivals_have_the_rate_and_the_spread_of_a_poisson_process() {
        let poisson = schedule(10_000.0, 10, 1, Arrivals::Poisson);
        let due = times(&poisson, 3, 20_000);
        let gaps: Vec<_> = due.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // One of ten publishers sends each ms; the deviation equals the mean.
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert!((variance.sqrt() - 1.0).abs() < 0.05, "{variance}");
        assert_ne!(times(&poisson, 4, 10), due[..10], "publishers are independent");
        assert_eq!(times(&poisson, 3, 10), due[..10], "and repeatable");
    }
}

//! Latency histograms.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Greatest latency told apart, in microseconds: 60 s.
const HIGHEST_US: u64 = 60_000_000;

/// Latencies from 1 µs to 60 s with three significant digits; longer ones count as 60 s.
///
/// Messages of one write and one read have the same latency. So equal values in a row are counted
/// first and recorded together.
#[derive(Debug)]
pub struct Latency {
    histogram: Histogram<u64>,
    run_us: u64,
    run_len: u64,
}

impl Latency {
    /// An empty histogram.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, HIGHEST_US, 3)
            .expect("the bounds are constants that hdrhistogram accepts");
        Self { histogram, run_us: 0, run_len: 0 }
    }

    /// Records one latency in nanoseconds.
    #[inline]
    pub fn record_ns(&mut self, latency_ns: u64) {
        let latency_us = latency_ns / 1000;
        if latency_us != self.run_us {
            self.end_run();
            self.run_us = latency_us;
        }
        self.run_len += 1;
    }

    fn end_run(&mut self) {
        if self.run_len > 0 {
            self.histogram.saturating_record_n(self.run_us.max(1), self.run_len);
            self.run_len = 0;
        }
    }

    /// Adds what another thread recorded.
    pub fn merge(&mut self, mut other: Self) {
        other.end_run();
        self.end_run();
        self.histogram.add(&other.histogram).expect("all latency histograms have the same bounds");
    }

    /// The usual percentiles; `None` when nothing was recorded.
    pub fn summary(&mut self) -> Option<Summary> {
        self.end_run();
        let histogram = &self.histogram;
        (!histogram.is_empty()).then(|| Summary {
            count: histogram.len(),
            mean_us: histogram.mean(),
            p50_us: histogram.value_at_quantile(0.50),
            p90_us: histogram.value_at_quantile(0.90),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            p9999_us: histogram.value_at_quantile(0.9999),
            max_us: histogram.max(),
        })
    }
}

/// A histogram in figures, microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Values recorded.
    pub count: u64,
    /// Arithmetic mean.
    pub mean_us: f64,
    /// Median.
    pub p50_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// 99.99th percentile.
    pub p9999_us: u64,
    /// Greatest value.
    pub max_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(values_us: impl IntoIterator<Item = u64>) -> Latency {
        let mut latency = Latency::new();
        values_us.into_iter().for_each(|value| latency.record_ns(value * 1000));
        latency
    }

    #[test]
    fn merged_histograms_have_the_percentiles_of_all_values() {
        let mut merged = recorded(1..=500);
        merged.merge(recorded(501..=1000));
        let summary = merged.summary().unwrap();
        assert_eq!(summary.count, 1000);
        assert_eq!((summary.p50_us, summary.p99_us, summary.max_us), (500, 990, 1000));
    }

    #[test]
    fn equal_values_in_a_row_count_each() {
        let summary = recorded([7, 7, 7, 9, 9, 7]).summary().unwrap();
        assert_eq!((summary.count, summary.p50_us, summary.p90_us), (6, 7, 9));
    }

    #[test]
    fn extremes_are_kept_inside_the_bounds() {
        let summary = recorded([0, 90_000_000]).summary().unwrap();
        assert_eq!(summary.p50_us, 1);
        assert!(summary.max_us.abs_diff(HIGHEST_US) <= HIGHEST_US / 1000);
    }

    #[test]
    fn nothing_recorded_is_no_summary() {
        assert!(Latency::new().summary().is_none());
    }
}

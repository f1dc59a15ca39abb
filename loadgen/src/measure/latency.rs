//! Latency histograms.

use std::borrow::Cow;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// Greatest latency told apart, in microseconds: 60 s.
pub const HIGHEST_US: u64 = 60_000_000;

/// Significant decimal digits of every histogram: 0.1 % of the value.
const DIGITS: u8 = 3;

/// Latencies from 1 µs to 60 s with three significant digits; longer ones count as 60 s.
///
/// Messages of one write and one read have the same latency. So equal values in a row are counted
/// first and recorded together. Memory grows with the greatest value: 16 KiB up to 2 ms, 140 KiB
/// up to 60 s.
#[derive(Clone, Debug)]
pub struct Latency {
    histogram: Histogram<u64>,
    run_us: u64,
    run_len: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// An empty histogram.
    pub fn new() -> Self {
        let histogram = Histogram::new(DIGITS).expect("hdrhistogram accepts up to five digits");
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
            let value = self.run_us.clamp(1, HIGHEST_US);
            self.histogram
                .record_n(value, self.run_len)
                .expect("the histogram resizes itself up to any value");
            self.run_len = 0;
        }
    }

    /// Adds what another thread, process or machine recorded. Nothing is lost: each count stays in
    /// the slot it was recorded in.
    pub fn merge(&mut self, mut other: Self) {
        other.end_run();
        self.end_run();
        self.histogram.add(&other.histogram).expect("the histogram resizes itself");
    }

    /// The histogram with everything recorded so far.
    fn complete(&self) -> Cow<'_, Histogram<u64>> {
        if self.run_len == 0 {
            return Cow::Borrowed(&self.histogram);
        }
        let mut copy = self.clone();
        copy.end_run();
        Cow::Owned(copy.histogram)
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values recorded.
    pub fn len(&self) -> u64 {
        self.histogram.len() + self.run_len
    }

    /// The latency, in µs, that `quantile` (0 to 1) of the values do not exceed; 0 when empty.
    pub fn value_at_us(&self, quantile: f64) -> u64 {
        self.complete().value_at_quantile(quantile)
    }

    /// The recorded values in µs, ascending, with how often each was seen.
    pub fn values(&self) -> Vec<(u64, u64)> {
        let complete = self.complete();
        let step = |step: hdrhistogram::iterators::IterationValue<u64>| {
            (step.value_iterated_to(), step.count_at_value())
        };
        complete.iter_recorded().map(step).collect()
    }

    /// The usual percentiles; `None` when nothing was recorded.
    pub fn summary(&self) -> Option<Summary> {
        let histogram = self.complete();
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

    /// The histogram in HdrHistogram's V2 compressed form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&*self.complete(), &mut bytes)
            .expect("writing into memory does not fail");
        bytes
    }

    /// Reads what [`Latency::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are no such histogram, or one of another precision, which could not be merged
    /// without loss.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut Cursor::new(bytes))
            .map_err(|error| format!("no HdrHistogram V2: {error:?}"))?;
        if read.sigfig() != DIGITS || read.low() != 1 {
            let (low, digits) = (read.low(), read.sigfig());
            return Err(format!(
                "a histogram from {low} µs with {digits} digits; expected from 1 µs with {DIGITS}"
            ));
        }
        read.auto(true);
        Ok(Self { histogram: read, run_us: 0, run_len: 0 })
    }

    /// [`Latency::encode`] as base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.encode())
    }

    /// Reads what [`Latency::to_base64`] wrote.
    ///
    /// # Errors
    /// As [`Latency::decode`].
    pub fn from_base64(text: &str) -> Result<Self, String> {
        let bytes = STANDARD.decode(text).map_err(|error| format!("no base64: {error}"))?;
        Self::decode(&bytes)
    }

    /// The percentile distribution as text, the `.hgrm` form that HdrHistogram's plotters read.
    /// Values are in µs.
    pub fn hgrm(&self) -> String {
        use std::fmt::Write;
        /// Lines for each halving of the distance to 100 %, as HdrHistogram's own tools have it.
        const TICKS: u32 = 5;
        let histogram = self.complete();
        let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
        let mut total = 0;
        for step in histogram.iter_quantiles(TICKS) {
            total += step.count_since_last_iteration();
            let (value, quantile) = (step.value_iterated_to() as f64, step.quantile_iterated_to());
            // Writing to a String does not fail.
            let _ = match quantile < 1.0 {
                true => {
                    let inverse = 1.0 / (1.0 - quantile);
                    writeln!(text, "{value:12.3} {quantile:2.12} {total:10} {inverse:14.2}")
                }
                false => writeln!(text, "{value:12.3} {quantile:2.12} {total:10}"),
            };
        }
        let (mean, deviation, max) = (histogram.mean(), histogram.stdev(), histogram.max() as f64);
        let (count, buckets) = (histogram.len(), histogram.buckets());
        let _ = write!(
            text,
            "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]\n\
             #[Max     = {max:12.3}, Total count    = {count:12}]\n\
             #[Buckets = {buckets:12}, SubBuckets     = {:12}]\n",
            2048
        );
        text
    }
}

impl PartialEq for Latency {
    /// Equal if every value was recorded equally often, whatever memory is set aside.
    fn eq(&self, other: &Self) -> bool {
        self.values() == other.values()
    }
}

/// A histogram in figures, microseconds.
#[derive(Clone, Debug, serde::Serialize)]
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

    #[test]
    fn text_gives_the_same_histogram_again() {
        let latency = recorded([1, 1, 50, 2_000, 70_000, 60_000_000]);
        let read = Latency::from_base64(&latency.to_base64()).unwrap();
        assert_eq!(read, latency);
        let mut twice = read;
        twice.merge(recorded([59_000_000]));
        assert_eq!(twice.len(), 7, "a histogram that was read can be merged into");
    }

    #[test]
    fn other_text_is_refused_with_a_reason() {
        assert!(Latency::from_base64("!").unwrap_err().contains("base64"));
        assert!(Latency::from_base64("AAAA").unwrap_err().contains("HdrHistogram"));
        let coarse = Histogram::<u64>::new(2).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&coarse, &mut bytes).unwrap();
        assert!(Latency::decode(&bytes).unwrap_err().contains("2 digits"));
    }

    #[test]
    fn the_text_form_has_the_lines_that_plotters_read() {
        let text = recorded([10, 20, 20, 40]).hgrm();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].split_whitespace().next(), Some("Value"));
        let first: Vec<_> = lines[2].split_whitespace().collect();
        assert_eq!(first, ["10.000", "0.000000000000", "1", "1.00"]);
        let last: Vec<_> = lines[lines.len() - 4].split_whitespace().collect();
        assert_eq!(last, ["40.000", "1.000000000000", "4"]);
        assert!(lines[lines.len() - 2].starts_with("#[Max     =       40.000, Total count"));
    }
}

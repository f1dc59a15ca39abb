//! What is compared of a run.

use std::fmt;
use std::str::FromStr;

use crate::plot::Unit;
use crate::result::{LatencyKind, RunResult};

/// Percentiles that are compared, with their names.
pub const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// Values that must lie beyond a percentile for it to be one and not just the greatest few.
const VALUES_BEYOND: f64 = 10.0;

/// One figure of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// A percentile, an index into [`PERCENTILES`], of a histogram.
    Latency(LatencyKind, usize),
    /// Deliveries a second.
    Throughput,
    /// Broker CPU time for each delivery.
    Cpu,
}

impl Measure {
    /// Those that decide the verdict unless others are asked for.
    pub const JUDGED: [Self; 5] = [
        Self::Latency(LatencyKind::EndToEnd, 0),
        Self::Latency(LatencyKind::EndToEnd, 2),
        Self::Latency(LatencyKind::EndToEnd, 3),
        Self::Throughput,
        Self::Cpu,
    ];

    /// All, those that are judged by themselves first.
    pub fn all() -> Vec<Self> {
        let of_broker = |kind: &LatencyKind| !kind.is_own();
        let latencies = LatencyKind::ALL.into_iter().filter(of_broker).flat_map(|kind| {
            (0..PERCENTILES.len()).map(move |percentile| Self::Latency(kind, percentile))
        });
        [Self::Throughput, Self::Cpu].into_iter().chain(latencies).collect()
    }

    /// The figure of a run, if it has one. A percentile with fewer than ten values beyond it is
    /// none: it would be a matter of chance.
    pub fn of(self, result: &RunResult) -> Option<f64> {
        match self {
            Self::Latency(kind, percentile) => {
                let (_, quantile) = PERCENTILES[percentile];
                let latency = result.latency.of(kind)?;
                let beyond = latency.len() as f64 * (1.0 - quantile);
                // A little less, for 1 - 0.999 is not quite 0.001.
                (beyond > VALUES_BEYOND - 1e-6).then(|| latency.value_at_us(quantile) as f64)
            }
            Self::Throughput => result.rates().map(|rates| rates.delivered_per_s),
            Self::Cpu => result.rates().and_then(|rates| rates.broker_cpu_us),
        }
    }

    /// Whether a greater figure is the better one.
    pub fn more_is_better(self) -> bool {
        self == Self::Throughput
    }

    /// What the figure counts.
    pub fn unit(self) -> Unit {
        match self {
            Self::Latency(..) | Self::Cpu => Unit::Micros,
            Self::Throughput => Unit::PerSecond,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(kind, percentile) => {
                write!(f, "{} {}", kind.label(), PERCENTILES[*percentile].0)
            }
            Self::Throughput => f.write_str("throughput"),
            Self::Cpu => f.write_str("CPU per message"),
        }
    }
}

impl FromStr for Measure {
    type Err = String;

    /// `throughput`, `cpu`, or kind and percentile: `end_to_end:p99`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "throughput" => Some(Self::Throughput),
            None if text == "cpu" => Some(Self::Cpu),
            Some((kind, percentile)) => {
                let kind = LatencyKind::of_key(kind);
                let place = PERCENTILES.iter().position(|(name, _)| *name == percentile);
                kind.zip(place).map(|(kind, place)| Self::Latency(kind, place))
            }
            None => None,
        }
        .ok_or_else(|| {
            format!("'{text}' is no measure: expected throughput, cpu or, say, end_to_end:p99")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample;

    #[test]
    fn measures_are_named_on_the_command_line() {
        let p999 = Measure::Latency(LatencyKind::EndToEnd, 3);
        assert_eq!("end_to_end:p99.9".parse(), Ok(p999));
        assert_eq!(p999.to_string(), "end to end p99.9");
        assert_eq!("cpu".parse(), Ok(Measure::Cpu));
        for wrong in ["speed", "end_to_end", "end_to_end:p98", "loss:p99"] {
            assert!(wrong.parse::<Measure>().unwrap_err().contains(wrong));
        }
    }

    #[test]
    fn a_percentile_needs_values_beyond_it() {
        let mut result = sample::full();
        result.latency = Default::default();
        (0..10_000).for_each(|_| result.latency.record_ns(LatencyKind::EndToEnd, 5_000));
        let of = |percentile| Measure::Latency(LatencyKind::EndToEnd, percentile).of(&result);
        assert_eq!((of(0), of(3), of(4)), (Some(5.0), Some(5.0), None));
    }
}

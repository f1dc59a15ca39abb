//! Charts of a result.

use crate::measure::Latency;
use crate::plot::{Chart, Line, Scale, Unit};
use crate::result::{LatencyKind, RunResult, Slice};

/// Percentiles that tell about themselves under the pointer.
const TOLD: [f64; 7] = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];

/// Part of a chart's width below which two points of a curve are one.
const RESOLUTION: f64 = 1.0 / 400.0;

/// A histogram as a percentile curve.
pub fn percentile_line(name: &str, latency: &Latency) -> Line {
    let values = latency.values();
    let total = latency.len() as f64;
    let most = nines(1.0, total);
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut seen = 0;
    for (value, count) in values {
        seen += count;
        let point = (nines(seen as f64 / total, total), value as f64);
        match &mut points[..] {
            [] => points.extend([(0.0, point.1), point]),
            // The later one is the greater value: no peak is lost.
            [.., before, last] if point.0 - before.0 < most * RESOLUTION => *last = point,
            _ => points.push(point),
        }
    }
    let told = TOLD.iter().filter(|quantile| nines(**quantile, f64::INFINITY) <= most);
    let told = told.map(|quantile| {
        let value = latency.value_at_us(*quantile) as f64;
        let text = format!("{name}, {}\u{a0}%: {}", quantile * 100.0, Unit::Micros.show(value));
        (nines(*quantile, f64::INFINITY), value, text)
    });
    Line { name: name.to_owned(), points, told: told.collect() }
}

/// How many nines `quantile` has; of `total` values the last is as far as `total` allows.
fn nines(quantile: f64, total: f64) -> f64 {
    -(1.0 - quantile).max(1.0 / total.max(1.0)).log10()
}

/// Percentile curves over each other.
pub fn percentile_chart(title: &str, lines: Vec<Line>) -> Chart {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let most = points().map(|point| point.0).fold(1.0, f64::max);
    let values = Scale::fitting(points().map(|point| point.1));
    Chart {
        title: title.to_owned(),
        x: ("percentile".to_owned(), Scale::Nines { max: most }, Unit::Percent),
        y: ("latency".to_owned(), values, Unit::Micros),
        lines,
    }
}

/// Every chart that the result has data for.
pub fn charts(result: &RunResult) -> Vec<Chart> {
    let mut charts = Vec::new();
    let kinds = |wanted: &[LatencyKind]| -> Vec<Line> {
        let of =
            |kind: &LatencyKind| Some(percentile_line(kind.label(), result.latency.of(*kind)?));
        wanted.iter().filter_map(of).collect()
    };
    use LatencyKind as Kind;
    let groups: [(&str, &[Kind]); 3] = [
        (
            "Latency of messages",
            &[Kind::EndToEnd, Kind::Retained, Kind::ScheduleLag, Kind::ReceiveLag],
        ),
        ("Latency of acknowledgements", &[Kind::Puback, Kind::Pubrec, Kind::Pubcomp]),
        (
            "Latency of handshakes",
            &[Kind::TcpConnect, Kind::TlsHandshake, Kind::Connack, Kind::Suback],
        ),
    ];
    for (title, group) in groups {
        let lines = kinds(group);
        if !lines.is_empty() {
            charts.push(percentile_chart(title, lines));
        }
    }
    charts.extend(latency_over_time(&result.series));
    charts.extend(throughput(&result.series));
    charts.extend(connections(&result.series));
    charts.extend(memory(result));
    charts.extend(cpu(result));
    charts
}

/// A chart over time; none if no line has a point.
fn over_time(title: &str, name: &str, unit: Unit, lines: Vec<Line>) -> Option<Chart> {
    let lines: Vec<_> = lines.into_iter().filter(|line| !line.points.is_empty()).collect();
    let points = || lines.iter().flat_map(|line| line.points.iter());
    points().next()?;
    let times = Scale::spanning(points().map(|point| point.0).chain([0.0]));
    let values = points().map(|point| point.1);
    let values = match unit {
        Unit::Micros => Scale::fitting(values),
        _ => Scale::from_zero(values),
    };
    Some(Chart {
        title: title.to_owned(),
        x: ("time since the start".to_owned(), times, Unit::Seconds),
        y: (name.to_owned(), values, unit),
        lines,
    })
}

/// A line over time whose every point tells about itself.
fn line(name: &str, unit: Unit, points: Vec<(f64, f64)>) -> Line {
    let told = points.iter().map(|(at, value)| {
        (*at, *value, format!("{name} at {}: {}", Unit::Seconds.show(*at), unit.show(*value)))
    });
    let told = told.collect();
    Line { name: name.to_owned(), points, told }
}

fn middle(slice: &Slice) -> f64 {
    slice.at_s + slice.seconds / 2.0
}

fn latency_over_time(series: &[Slice]) -> Option<Chart> {
    let of = |(name, quantile): (&str, f64)| {
        let points = series.iter().filter_map(|slice| {
            let latency = slice.latency.of(LatencyKind::EndToEnd)?;
            Some((middle(slice), latency.value_at_us(quantile) as f64))
        });
        line(name, Unit::Micros, points.collect())
    };
    let lines = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("greatest", 1.0)].map(of);
    over_time("End-to-end latency over time", "latency", Unit::Micros, lines.into())
}

fn throughput(series: &[Slice]) -> Option<Chart> {
    let of = |name: &str, count: fn(&Slice) -> u64| {
        let published = series.iter().any(|slice| count(slice) > 0);
        let points = series.iter().filter(|slice| published && slice.seconds > 0.0);
        let points = points.map(|slice| (middle(slice), count(slice) as f64 / slice.seconds));
        line(name, Unit::PerSecond, points.collect())
    };
    let lines = vec![
        of("delivered", |slice| slice.delivered),
        of("sent", |slice| slice.sent),
        of("acknowledged", |slice| slice.acknowledged),
    ];
    over_time("Throughput over time", "messages", Unit::PerSecond, lines)
}

/// Only where their number moves.
fn connections(series: &[Slice]) -> Option<Chart> {
    let first = series.first()?.connected;
    series.iter().find(|slice| slice.connected != first)?;
    let points = |count: fn(&Slice) -> u64| {
        series.iter().map(move |slice| (slice.at_s + slice.seconds, count(slice) as f64)).collect()
    };
    let mut lines = vec![line("connected", Unit::Count, points(|slice| slice.connected))];
    if series.iter().any(|slice| slice.errors > 0) {
        lines.push(line("errors in the slice", Unit::Count, points(|slice| slice.errors)));
    }
    over_time("Connections over time", "clients", Unit::Count, lines)
}

fn memory(result: &RunResult) -> Option<Chart> {
    let samples = &result.broker_samples;
    let of = |name: &str, bytes: fn(&crate::measure::Memory) -> u64| {
        let points: Vec<_> =
            samples.iter().map(|sample| (sample.at_s, bytes(&sample.memory) as f64)).collect();
        // The kernel may not tell the proportional set.
        let told = points.iter().any(|point| point.1 > 0.0);
        line(name, Unit::Bytes, if told { points } else { Vec::new() })
    };
    let lines = vec![
        of("resident", |memory| memory.rss),
        of("proportional", |memory| memory.pss),
        of("anonymous", |memory| memory.rss_anon),
    ];
    over_time("Broker memory over time", "memory", Unit::Bytes, lines)
}

fn cpu(result: &RunResult) -> Option<Chart> {
    let points = result.broker_samples.windows(2).filter_map(|pair| {
        let seconds = pair[1].at_s - pair[0].at_s;
        let used = pair[1].cpu_ns.saturating_sub(pair[0].cpu_ns) as f64 / 1e9;
        (seconds > 0.0).then(|| ((pair[0].at_s + pair[1].at_s) / 2.0, used / seconds * 100.0))
    });
    let lines = vec![line("broker, all threads", Unit::Percent, points.collect())];
    over_time("Broker CPU over time", "CPU, percent of one core", Unit::Percent, lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample;

    #[test]
    fn a_percentile_curve_ends_at_the_greatest_value() {
        let mut latency = Latency::new();
        (1..=1000).for_each(|value| latency.record_ns(value * 1000));
        let line = percentile_line("x", &latency);
        assert_eq!(line.points[0], (0.0, 1.0));
        let (most, greatest) = *line.points.last().unwrap();
        assert!((most - 3.0).abs() < 1e-9 && (greatest - 1000.0).abs() < 1e-9);
        assert!(line.points.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", line.points);
        let half = line.points.iter().min_by(|a, b| {
            let from_half = |point: &(f64, f64)| (point.0 - 2f64.log10()).abs();
            from_half(a).total_cmp(&from_half(b))
        });
        assert!((half.unwrap().1 - 500.0).abs() < 5.0, "the middle is thinned out, not skipped");
        assert_eq!(line.told.len(), 4, "p50, p90, p99, p99.9 of a thousand values");
    }

    #[test]
    fn equal_values_are_a_flat_curve() {
        let mut latency = Latency::new();
        (0..100).for_each(|_| latency.record_ns(7_000));
        assert_eq!(percentile_line("x", &latency).points, [(0.0, 7.0), (2.0, 7.0)]);
    }

    #[test]
    fn a_full_result_has_every_chart() {
        let mut result = sample::full();
        result.broker_samples.push(result.broker_samples[0].clone());
        result.broker_samples[1].at_s = 1.5;
        result.series[1].connected = 5;
        result.series[1].sent = 5;
        let titles: Vec<_> = charts(&result).into_iter().map(|chart| chart.title).collect();
        assert_eq!(titles.len(), 8, "{titles:?}");
    }

    #[test]
    fn an_empty_result_has_no_chart_and_no_panic() {
        let mut result = sample::full();
        result.latency = Default::default();
        result.series.clear();
        result.broker_samples.clear();
        assert!(charts(&result).is_empty());
    }
}

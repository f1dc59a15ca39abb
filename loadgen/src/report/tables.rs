//! Tables of a result.

use serde_json::Value;

use crate::plot::{Page, Unit};
use crate::result::{RunResult, plain};

/// Broken flows that the page lists.
const FLOWS_SHOWN: usize = 20;

/// Adds the figures that matter most.
pub fn key_figures(page: &mut Page, result: &RunResult) {
    let mut rows = vec![
        ("Broker".to_owned(), result.target.clone()),
        ("Began".to_owned(), result.started_at.clone()),
        ("Load".to_owned(), result.scenario.pacing.label().to_owned()),
    ];
    if let (Some(window), Some(rates)) = (&result.window, result.rates()) {
        let cpu = |us: Option<f64>| {
            us.map_or("not measured".to_owned(), |us| {
                format!("{} for each delivered message", Unit::Micros.show(us))
            })
        };
        rows.extend([
            ("Measured".to_owned(), Unit::Seconds.show(window.seconds)),
            ("Sent".to_owned(), Unit::PerSecond.show(rates.sent_per_s)),
            ("Delivered".to_owned(), Unit::PerSecond.show(rates.delivered_per_s)),
            ("Broker CPU".to_owned(), cpu(rates.broker_cpu_us)),
            ("Generator CPU".to_owned(), cpu(rates.generator_cpu_us)),
        ]);
    }
    for generator in &result.generators {
        if let Some(ceiling) = generator.ceiling_per_s {
            let name = format!("Generator's own ceiling on {}", generator.host);
            rows.push((name, Unit::PerSecond.show(ceiling)));
        }
    }
    for fit in &result.memory_fits {
        let error = fit.error_bytes.map_or(String::new(), |error| format!(" ± {error:.0}"));
        let value =
            format!("{:.0}{error} bytes ({}, R² {:.4})", fit.bytes, fit.memory, fit.r_squared);
        rows.push((format!("Memory for each {}", fit.each), value));
    }
    let labels = result.labels.iter().map(|(name, value)| (format!("Label {name}"), value.clone()));
    rows.extend(labels);
    page.pairs("Summary", &rows);
}

/// Adds percentiles of every histogram.
pub fn latencies(page: &mut Page, result: &RunResult) {
    let row = |(kind, latency): (crate::result::LatencyKind, &crate::measure::Latency)| {
        let s = latency.summary()?;
        let values = [s.p50_us, s.p90_us, s.p99_us, s.p999_us, s.p9999_us, s.max_us];
        let mut cells = vec![kind.label().to_owned(), s.count.to_string()];
        cells.extend(values.map(|value| Unit::Micros.show(value as f64)));
        Some(cells)
    };
    let rows: Vec<_> = result.latency.iter().filter_map(row).collect();
    if !rows.is_empty() {
        let headings = ["", "count", "p50", "p90", "p99", "p99.9", "p99.99", "greatest"];
        page.table("Latency percentiles", &headings, &rows);
    }
}

/// Adds the flows that were broken.
pub fn broken_flows(page: &mut Page, result: &RunResult) {
    let flows = result.broken_flows.iter().take(FLOWS_SHOWN).map(|flow| {
        let name = format!("{} → {}", flow.publisher, flow.subscriber);
        let figures = [flow.expected, flow.lost, flow.duplicated, flow.reordered, flow.corrupted];
        let mut cells = vec![name, flow.topic.clone(), flow.qos.to_string()];
        cells.extend(figures.map(|figure| figure.to_string()));
        cells
    });
    let flows: Vec<_> = flows.collect();
    if !flows.is_empty() {
        let headings =
            ["flow", "topic", "QoS", "expected", "lost", "duplicated", "out of order", "corrupted"];
        page.table("Broken flows", &headings, &flows);
    }
}

/// Adds what was counted, what was run and where.
pub fn circumstances(page: &mut Page, result: &RunResult) {
    let scenario = &result.scenario;
    // The file's own names: whoever looks a count up finds it there.
    let counts = serde_json::to_value(result.counts).unwrap_or_default();
    let environment = serde_json::to_value(&result.environment).unwrap_or_default();
    page.pair_tables(&[
        ("Counts", object(&counts)),
        ("Parameters", scenario.given()),
        ("Environment", object(&environment)),
    ]);
    if let Some(text) = &scenario.text {
        page.subheading("Scenario file");
        page.verbatim(text);
    }
}

/// The fields of an object, those of inner objects with a dot.
fn object(value: &Value) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => rows.extend(object(value)),
            Value::Array(items) => {
                rows.push((name.clone(), items.iter().map(plain).collect::<Vec<_>>().join(" ")));
            }
            value => rows.push((name.clone(), plain(value))),
        }
    }
    rows
}

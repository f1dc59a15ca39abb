//! The summary of a run, for a terminal.

use std::fmt::Write;

use crate::measure::CpuDelta;
use crate::result::{RunResult, Verdict, Window};

use super::table::Table;

/// Most broken flows that are listed; the file has more.
const FLOWS_SHOWN: usize = 8;

/// A run in a screenful, with units.
pub fn summary(result: &RunResult) -> String {
    let mut text = String::new();
    let scenario = &result.scenario;
    let parameters = scenario.given().into_iter().map(|(name, value)| format!("{name} {value}"));
    let parameters: Vec<_> = parameters.collect();
    // Writing to a String does not fail.
    let _ = writeln!(text, "{} against {}", scenario.name, result.target);
    let _ = writeln!(text, "  {}", parameters.join(", "));
    let _ = writeln!(text, "  {}", scenario.pacing.label());
    if let Some(window) = &result.window {
        text.push_str(&window_text(result, window));
    }
    text.push_str(&memory_text(result));
    text.push_str(&latency_text(result));
    text.push_str(&notes_text(result));
    text.push_str(&counts_text(result));
    text.push_str(&verdict_text(result));
    text
}

fn window_text(result: &RunResult, window: &Window) -> String {
    let rates = window.rates();
    let mut text = format!(
        "sent {:.0}/s, delivered {:.0}/s over {:.2} s\n",
        rates.sent_per_s, rates.delivered_per_s, window.seconds
    );
    if let Some(cpu) = &window.broker {
        text.push_str(&cpu_text("broker", cpu, rates.broker_cpu_us, window.seconds));
    }
    let own = cpu_text("generator", &window.generator, rates.generator_cpu_us, window.seconds);
    text.push_str(&own);
    for generator in &result.generators {
        if let Some(ceiling) = generator.ceiling_per_s {
            let host = &generator.host;
            let _ = writeln!(text, "  ceiling of the generator on {host}: {ceiling:.0}/s");
        }
    }
    text
}

fn cpu_text(name: &str, cpu: &CpuDelta, us_per_delivery: Option<f64>, seconds: f64) -> String {
    let share = |cpu_ns: u64| cpu_ns as f64 / 1e7 / seconds.max(1e-9);
    let each = us_per_delivery.map_or_else(|| "-".to_owned(), |us| format!("{us:.3}"));
    let (yielded, lost) = (cpu.voluntary_switches, cpu.involuntary_switches);
    let mut text = format!(
        "{name}: {each} µs CPU per delivery, {:.0} % of one core, \
         switches {yielded} voluntary {lost} involuntary\n",
        share(cpu.cpu_ns)
    );
    for thread in cpu.threads.iter().filter(|_| cpu.threads.len() > 1) {
        let _ = writeln!(text, "  {} {}: {:.1} %", thread.name, thread.tid, share(thread.cpu_ns));
    }
    text
}

fn memory_text(result: &RunResult) -> String {
    let mut text = String::new();
    let peak = result.broker_samples.iter().max_by_key(|sample| sample.memory.rss);
    if let Some(sample) = peak {
        let kib = |bytes| bytes / 1024;
        let memory = sample.memory;
        let _ = writeln!(
            text,
            "broker memory at its peak: RSS {} KiB, anonymous {} KiB, PSS {} KiB; {} threads",
            kib(memory.rss),
            kib(memory.rss_anon),
            kib(memory.pss),
            sample.threads
        );
    }
    for fit in &result.memory_fits {
        let error = fit.error_bytes.map_or(String::new(), |error| format!(" ± {error:.0}"));
        let (memory, each) = (&fit.memory, &fit.each);
        let whose = if each.contains("generator") { "" } else { "broker " };
        let _ = writeln!(
            text,
            "{whose}{memory}: {:.0}{error} bytes per {each} (R² {:.4})",
            fit.bytes, fit.r_squared
        );
    }
    text
}

fn notes_text(result: &RunResult) -> String {
    let lines =
        result.notes.iter().map(|(name, value)| format!("{}: {value}\n", name.replace('_', " ")));
    lines.collect()
}

fn latency_text(result: &RunResult) -> String {
    let mut table = Table::new(["µs", "count", "p50", "p90", "p99", "p99.9", "p99.99", "max"]);
    let mut rows = 0;
    for (kind, latency) in result.latency.iter() {
        let Some(s) = latency.summary() else { continue };
        let figures = [s.count, s.p50_us, s.p90_us, s.p99_us, s.p999_us, s.p9999_us, s.max_us];
        let [a, b, c, d, e, f, g] = figures.map(|figure| figure.to_string());
        table.row([kind.label().to_owned(), a, b, c, d, e, f, g]);
        rows += 1;
    }
    if rows > 0 { table.text() } else { String::new() }
}

fn counts_text(result: &RunResult) -> String {
    let counts = &result.counts;
    let mut text = format!(
        "connections: {} of {} connected, {} refused or lost; {} subscriptions\n",
        counts.connected, counts.connects, counts.connections_lost, counts.subscribed
    );
    if counts.sent > 0 {
        let _ = writeln!(
            text,
            "messages: {} sent, {} of {} deliveries, {} lost, {} duplicated, {} out of order, \
             {} corrupted, {} unacknowledged, {} refused, {} stalls",
            counts.sent,
            counts.delivered,
            counts.expected,
            counts.lost,
            counts.duplicated,
            counts.reordered,
            counts.corrupted,
            counts.unacknowledged,
            counts.refused,
            counts.stalls
        );
    }
    for flow in result.broken_flows.iter().take(FLOWS_SHOWN) {
        let _ = writeln!(
            text,
            "flow {} -> {} on {} (QoS {}): {} of {} lost, {} duplicated, {} out of order, \
             {} corrupted{}",
            flow.publisher,
            flow.subscriber,
            flow.topic,
            flow.qos,
            flow.lost,
            flow.expected,
            flow.duplicated,
            flow.reordered,
            flow.corrupted,
            missing_text(&flow.missing)
        );
    }
    let more = result.broken_flows.len().saturating_sub(FLOWS_SHOWN);
    if more > 0 {
        let _ = writeln!(text, "... and {more} flows more; --out FILE has them");
    }
    for complaint in &result.complaints {
        let _ = writeln!(text, "connection: {complaint}");
    }
    text
}

/// The sequence numbers that did not arrive.
fn missing_text(ranges: &[(u64, u64)]) -> String {
    let range = |&(from, to): &(u64, u64)| match from == to {
        true => from.to_string(),
        false => format!("{from}-{to}"),
    };
    let ranges: Vec<_> = ranges.iter().map(range).collect();
    match ranges.is_empty() {
        true => String::new(),
        false => format!("; first missing: {}", ranges.join(", ")),
    }
}

fn verdict_text(result: &RunResult) -> String {
    let mut text = String::new();
    if let Some(why) = &result.interrupted {
        let _ = writeln!(text, "ENDED EARLY: {why}");
    }
    if !result.broken.is_empty() {
        let _ = writeln!(text, "BROKEN: {}", result.broken.join("; "));
    }
    if !result.generator_bound.is_empty() {
        let _ = writeln!(
            text,
            "GENERATOR-BOUND, no figure here is a capacity of the broker: {}",
            result.generator_bound.join("; ")
        );
    }
    if result.verdict == Verdict::Kept && result.generator_bound.is_empty() {
        let _ = writeln!(text, "{}", result.verdict.label());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample;

    #[test]
    fn a_summary_names_what_was_broken_and_where() {
        let text = summary(&sample::full());
        for line in [
            "p2p against 127.0.0.1:1883",
            "open loop: latency from the intended time",
            "flow lg-pub-0 -> lg-sub-0 on lg/p2p/0000 (QoS 1): 1 of 10 lost, 0 duplicated, \
             0 out of order, 0 corrupted; first missing: 3",
            "connection: CONNECT refused: 0x87",
            "ENDED EARLY: Ctrl-C",
            "BROKEN: 1 messages lost",
            "GENERATOR-BOUND",
            "ceiling of the generator on here: 1000000/s",
            "broker rss: 562 ± 3 bytes per connection (R² 0.9990)",
        ] {
            assert!(text.contains(line), "'{line}' is missing in:\n{text}");
        }
        assert!(!text.contains("promises kept"));
    }
}

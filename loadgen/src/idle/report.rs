//! The report of idle connections.

use std::fmt::Write;

use serde::Serialize;

use crate::client::Recorder;
use crate::measure::{Fit, Memory, Summary, fit_line};
use crate::output::Show;
use crate::result::{Environment, Verdict, Window};

/// Name and version of the JSON layout.
const SCHEMA: &str = "loadgen-idle/1";

/// Memory as a count grows.
#[derive(Debug, Serialize)]
pub struct Growth {
    before: Memory,
    points: Vec<(u32, Memory)>,
}

impl Growth {
    /// Starts from `before`.
    pub fn new(before: Memory) -> Self {
        Self { before, points: Vec::new() }
    }

    /// Adds a point.
    pub fn add(&mut self, count: u32, memory: Memory) {
        self.points.push((count, memory));
    }

    fn slope(&self, bytes: impl Fn(&Memory) -> u64) -> Option<Fit> {
        let point = |(count, memory): &(u32, Memory)| (f64::from(*count), bytes(memory) as f64);
        fit_line(&self.points.iter().map(point).collect::<Vec<_>>())
    }

    fn slopes(&self) -> Slopes {
        Slopes { rss: self.slope(|m| m.rss), anonymous: self.slope(|m| m.rss_anon) }
    }
}

/// Bytes for each connection or subscription.
#[derive(Debug, Serialize)]
struct Slopes {
    rss: Option<Fit>,
    anonymous: Option<Fit>,
}

/// The report of idle connections; serialises to the JSON result.
#[derive(Debug, Serialize)]
pub struct IdleReport {
    schema: &'static str,
    verdict: Verdict,
    environment: Environment,
    per_connection: Slopes,
    per_subscription: Option<Slopes>,
    connect_latency: Option<Summary>,
    /// While all connections were open and silent.
    held: Window,
    connections: Growth,
    subscriptions: Option<Growth>,
    complaints: Vec<String>,
}

impl IdleReport {
    /// Draws the conclusions.
    pub fn new(
        connections: Growth,
        subscriptions: Option<Growth>,
        held: Window,
        recorder: Recorder,
    ) -> Self {
        let lost = recorder.integrity.connections_lost > 0;
        Self {
            schema: SCHEMA,
            verdict: if lost { Verdict::Broken } else { Verdict::Kept },
            environment: Environment::read(),
            per_connection: connections.slopes(),
            per_subscription: subscriptions.as_ref().map(Growth::slopes),
            connect_latency: recorder.connect.summary(),
            held,
            connections,
            subscriptions,
            complaints: recorder.complaints,
        }
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl Show for IdleReport {
    fn text(&self) -> String {
        let mut text = slope_lines("connection", &self.per_connection);
        if let Some(slopes) = &self.per_subscription {
            text.push_str(&slope_lines("subscription more", slopes));
        }
        // Writing to a String does not fail.
        if let Some(connect) = &self.connect_latency {
            let _ = writeln!(
                text,
                "connect: {} clients, p50 {} µs, p99 {} µs",
                connect.count, connect.p50_us, connect.p99_us
            );
        }
        if let Some(cpu) = &self.held.broker {
            let share = cpu.cpu_ns as f64 / 1e7 / self.held.seconds;
            let _ = writeln!(text, "while held: broker CPU {share:.2} %");
        }
        for complaint in &self.complaints {
            let _ = writeln!(text, "connection: {complaint}");
        }
        text
    }
}

fn slope_lines(what: &str, slopes: &Slopes) -> String {
    let line = |name: &str, fit: &Option<Fit>| match fit {
        Some(fit) => {
            format!("{name} {:.0} bytes per {what} (R² {:.4})\n", fit.slope, fit.r_squared)
        }
        None => String::new(),
    };
    line("RSS", &slopes.rss) + &line("RssAnon", &slopes.anonymous)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_of_the_process_is_not_counted() {
        let memory = |rss| Memory { rss, rss_anon: rss / 2, pss: 0 };
        let mut growth = Growth::new(memory(500));
        for count in [10, 20, 30] {
            growth.add(count, memory(100_000 + u64::from(count) * 64));
        }
        let slopes = growth.slopes();
        assert!((slopes.rss.unwrap().slope - 64.0).abs() < 1e-9);
        assert!((slopes.anonymous.unwrap().slope - 32.0).abs() < 1e-9);
    }
}

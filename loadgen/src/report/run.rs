//! The report of a load run.

use std::fmt::Write;

use serde::Serialize;

use crate::args::RunArgs;
use crate::client::Integrity;
use crate::engine::{Interval, Outcome, Plan};
use crate::measure::{CpuDelta, Memory, Summary};

use super::emit::Show;
use super::environment::Environment;
use super::table::Table;
use super::verdict::{Verdict, broken_promises};

/// Name and version of the JSON layout.
const SCHEMA: &str = "loadgen-run/1";

/// What a run brought to light.
pub struct Findings {
    /// The measurement window.
    pub interval: Interval,
    /// Memory of the broker at its end.
    pub memory: Option<Memory>,
    /// Everything else.
    pub outcome: Outcome,
}

/// The report of a load run; serialises to the JSON result.
#[derive(Debug, Serialize)]
pub struct RunReport {
    schema: &'static str,
    verdict: Verdict,
    reasons: Vec<String>,
    environment: Environment,
    scenario: Scenario,
    window: Interval,
    rates: Rates,
    cost: Cost,
    broker_memory: Option<Memory>,
    latency: Latencies,
    totals: Totals,
    integrity: Integrity,
    complaints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Scenario {
    target: String,
    publishers: u32,
    clients: usize,
    qos: u8,
    version: &'static str,
    payload_bytes: usize,
    batch: u64,
    /// Messages per second asked for; 0 for a closed loop.
    rate: u64,
    window: Option<u64>,
    threads: usize,
}

#[derive(Debug, Serialize)]
struct Rates {
    sent_per_s: f64,
    delivered_per_s: f64,
}

/// CPU µs per delivered message.
#[derive(Debug, Serialize)]
struct Cost {
    broker_us: Option<f64>,
    generator_us: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Latencies {
    /// In a closed loop from the actual sending time: it hides what a slow broker held back.
    end_to_end: Option<Summary>,
    schedule_lag: Option<Summary>,
    connect: Option<Summary>,
    acknowledge: Option<Summary>,
}

/// Whole run, warm-up and drain included.
#[derive(Debug, Serialize)]
struct Totals {
    sent: u64,
    expected: u64,
    delivered_once: u64,
}

impl RunReport {
    /// Draws the conclusions.
    pub fn new(plan: &Plan, args: &RunArgs, findings: Findings) -> Self {
        let Findings { interval, memory, outcome } = findings;
        let mut recorder = outcome.recorder;
        let latency = Latencies {
            end_to_end: recorder.end_to_end.summary(),
            schedule_lag: recorder.schedule_lag.summary(),
            connect: recorder.connect.summary(),
            acknowledge: recorder.acknowledge.summary(),
        };
        let (verdict, reasons) =
            judge(plan, &recorder.integrity, latency.schedule_lag.as_ref(), args.max_lag_ms);
        Self {
            schema: SCHEMA,
            verdict,
            reasons,
            environment: Environment::read(),
            scenario: Scenario::new(plan, args),
            rates: Rates {
                sent_per_s: interval.sent as f64 / interval.seconds,
                delivered_per_s: interval.delivery_rate(),
            },
            cost: Cost {
                broker_us: interval.broker.as_ref().and_then(|cpu| interval.us_per_delivery(cpu)),
                generator_us: interval.us_per_delivery(&interval.generator),
            },
            window: interval,
            broker_memory: memory,
            latency,
            totals: Totals {
                sent: outcome.sent,
                expected: outcome.expected,
                delivered_once: outcome.unique,
            },
            integrity: recorder.integrity,
            complaints: recorder.complaints,
        }
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    fn cpu_line(&self, name: &str, cpu: &CpuDelta, us_per_delivery: Option<f64>) -> String {
        let share = cpu.cpu_ns as f64 / 1e7 / self.window.seconds;
        let each = us_per_delivery.map_or_else(|| "-".to_owned(), |us| format!("{us:.3}"));
        let (yielded, lost) = (cpu.voluntary_switches, cpu.involuntary_switches);
        let mut line = format!(
            "{name}: {each} µs CPU per delivery, {share:.0} % of one core, \
             switches {yielded} voluntary {lost} involuntary\n"
        );
        for thread in cpu.threads.iter().filter(|_| cpu.threads.len() > 1) {
            let share = thread.cpu_ns as f64 / 1e7 / self.window.seconds;
            let _ = writeln!(line, "  {} {}: {share:.1} %", thread.name, thread.tid);
        }
        line
    }
}

impl Scenario {
    fn new(plan: &Plan, args: &RunArgs) -> Self {
        Self {
            target: args.target.target.to_string(),
            publishers: plan.flows,
            clients: plan.clients.len(),
            qos: plan.load.qos as u8,
            version: plan.load.version.name(),
            payload_bytes: plan.load.size,
            batch: plan.load.batch,
            rate: plan.rate,
            window: plan.load.window,
            threads: plan.threads,
        }
    }
}

fn judge(
    plan: &Plan,
    integrity: &Integrity,
    lag: Option<&Summary>,
    max_lag_ms: f64,
) -> (Verdict, Vec<String>) {
    let mut reasons = broken_promises(plan.load.qos, integrity);
    let mut verdict = if reasons.is_empty() { Verdict::Kept } else { Verdict::Broken };
    if let Some(lag) = lag.filter(|lag| lag.p99_us as f64 > max_lag_ms * 1000.0) {
        reasons.push(format!("the generator itself was {} µs late at p99", lag.p99_us));
        if verdict == Verdict::Kept {
            verdict = Verdict::GeneratorBound;
        }
    }
    (verdict, reasons)
}

impl Show for RunReport {
    fn text(&self) -> String {
        let mut text = String::new();
        let scenario = &self.scenario;
        let pace = match scenario.window {
            Some(window) => format!("closed loop, window {window}"),
            None => format!("open loop, {} messages/s", scenario.rate),
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{} clients, {} publishers, QoS {}, {}, {} byte payload, {} per write, {pace}",
            scenario.clients,
            scenario.publishers,
            scenario.qos,
            scenario.version,
            scenario.payload_bytes,
            scenario.batch
        );
        let _ = writeln!(
            text,
            "sent {:.0}/s, delivered {:.0}/s over {:.2} s",
            self.rates.sent_per_s, self.rates.delivered_per_s, self.window.seconds
        );
        if let Some(cpu) = &self.window.broker {
            text.push_str(&self.cpu_line("broker", cpu, self.cost.broker_us));
        }
        text.push_str(&self.cpu_line("generator", &self.window.generator, self.cost.generator_us));
        if let Some(memory) = &self.broker_memory {
            let kib = |bytes| bytes / 1024;
            let _ = writeln!(
                text,
                "broker memory: RSS {} KiB, anonymous {} KiB, PSS {} KiB",
                kib(memory.rss),
                kib(memory.rss_anon),
                kib(memory.pss)
            );
        }
        text.push_str(&self.latency.text());
        text.push_str(&self.integrity_text());
        text
    }
}

impl RunReport {
    fn integrity_text(&self) -> String {
        let integrity = &self.integrity;
        let mut text = format!(
            "messages: {} sent, {} of {} deliveries, {} lost, {} duplicated, {} out of order, \
             {} unacknowledged, {} refused, {} stalls\n",
            self.totals.sent,
            self.totals.delivered_once,
            self.totals.expected,
            integrity.lost,
            integrity.duplicated,
            integrity.reordered,
            integrity.unacknowledged,
            integrity.refused,
            integrity.stalls
        );
        for complaint in &self.complaints {
            let _ = writeln!(text, "connection: {complaint}");
        }
        let _ = match self.verdict {
            Verdict::Kept => writeln!(text, "promises kept"),
            Verdict::Broken => writeln!(text, "BROKEN: {}", self.reasons.join("; ")),
            Verdict::GeneratorBound => writeln!(text, "VOID: {}", self.reasons.join("; ")),
        };
        text
    }
}

impl Latencies {
    fn text(&self) -> String {
        let mut table = Table::new(["µs", "count", "p50", "p90", "p99", "p99.9", "p99.99", "max"]);
        let rows = [
            ("end to end", &self.end_to_end),
            ("acknowledged", &self.acknowledge),
            ("connect", &self.connect),
            ("schedule lag", &self.schedule_lag),
        ];
        for (name, summary) in rows {
            let Some(s) = summary else { continue };
            let figures = [s.count, s.p50_us, s.p90_us, s.p99_us, s.p999_us, s.p9999_us, s.max_us];
            let [a, b, c, d, e, f, g] = figures.map(|figure| figure.to_string());
            table.row([name.to_owned(), a, b, c, d, e, f, g]);
        }
        table.text()
    }
}

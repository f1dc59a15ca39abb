//! The result file.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::counts::{BrokenFlow, Counts, QosCounts, add_by_qos};
use super::environment::Environment;
use super::latencies::Latencies;
use super::merge::{Merge, append_new, merge_options};
use super::samples::{BrokerSample, Generator, MemoryFit};
use super::scenario::Scenario;
use super::series::{Slice, add_slices};
use super::verdict::Verdict;
use super::window::{Rates, Window};

/// What the field `format` says in every result file.
pub const FORMAT: &str = "loadgen-result";

/// Version of the layout. Fields that are only added don't raise it; a field that changes its
/// meaning, or goes, does.
pub const SCHEMA: u32 = 1;

/// Most broken flows that are named; the counts hold them all.
const MAX_BROKEN_FLOWS: usize = 64;

/// Most complaints of connections that are kept.
const MAX_COMPLAINTS: usize = 32;

/// One run against one broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`FORMAT`].
    pub format: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was run.
    pub scenario: Scenario,
    /// Address of the broker, `host:port` or a URL.
    pub target: String,
    /// What the user said of the run, such as the broker's version: `--label key=value`.
    pub labels: BTreeMap<String, String>,
    /// When the run began, UTC, `2026-11-26T08:30:00Z`.
    pub started_at: String,
    /// Where.
    pub environment: Environment,
    /// Whether the promises were kept.
    pub verdict: Verdict,
    /// The promises that were broken, in words.
    pub broken: Vec<String>,
    /// Why the generator and not the broker set the pace, in words.
    pub generator_bound: Vec<String>,
    /// Why the run ended before its plan; none if it did not.
    pub interrupted: Option<String>,
    /// Counts of the whole run.
    pub counts: Counts,
    /// Deliveries by the QoS of the subscription.
    pub by_qos: Vec<QosCounts>,
    /// The first flows that were not complete and in order.
    pub broken_flows: Vec<BrokenFlow>,
    /// What else was counted, by name: takeovers, Will Messages, connections of each source, ...
    #[serde(default)]
    pub notes: BTreeMap<String, String>,
    /// What the first connections that ended against the plan had to say.
    pub complaints: Vec<String>,
    /// The measurement window; none if nothing was published.
    pub window: Option<Window>,
    /// Histograms of the measurement window; of handshakes, of the whole run.
    pub latency: Latencies,
    /// The run cut into slices.
    pub series: Vec<Slice>,
    /// The broker's process over time, if its id was given.
    pub broker_samples: Vec<BrokerSample>,
    /// Memory for each connection or subscription, where the scenario measures it.
    pub memory_fits: Vec<MemoryFit>,
    /// The generator's processes.
    pub generators: Vec<Generator>,
}

/// A result as it stands in a file: with what follows from the window.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    result: &'a RunResult,
    rates: Option<Rates>,
}

impl RunResult {
    /// A result without any measurement, of a run that begins now.
    pub fn begin(scenario: Scenario, target: String) -> Self {
        Self {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            scenario,
            target,
            labels: BTreeMap::new(),
            started_at: now_utc(),
            environment: Environment::read(),
            verdict: Verdict::Kept,
            broken: Vec::new(),
            generator_bound: Vec::new(),
            interrupted: None,
            counts: Counts::default(),
            by_qos: Vec::new(),
            broken_flows: Vec::new(),
            notes: BTreeMap::new(),
            complaints: Vec::new(),
            window: None,
            latency: Latencies::default(),
            series: Vec::new(),
            broker_samples: Vec::new(),
            memory_fits: Vec::new(),
            generators: Vec::new(),
        }
    }

    /// Rates of the measurement window.
    pub fn rates(&self) -> Option<Rates> {
        self.window.as_ref().map(Window::rates)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let written = Written { result: self, rates: self.rates() };
        let text = serde_json::to_string_pretty(&written)
            .expect("maps have text keys and histograms encode into memory");
        text + "\n"
    }
}

impl Merge for RunResult {
    /// Another process's part of the same run. Scenario, environment and labels are those of the
    /// first; of the broker's process the part with more samples counts.
    fn merge(&mut self, other: Self) {
        self.verdict.merge(other.verdict);
        append_new(&mut self.broken, other.broken, usize::MAX);
        append_new(&mut self.generator_bound, other.generator_bound, usize::MAX);
        self.interrupted = self.interrupted.take().or(other.interrupted);
        self.counts.merge(other.counts);
        add_by_qos(&mut self.by_qos, other.by_qos);
        append_new(&mut self.broken_flows, other.broken_flows, MAX_BROKEN_FLOWS);
        self.notes.extend(other.notes);
        append_new(&mut self.complaints, other.complaints, MAX_COMPLAINTS);
        merge_options(&mut self.window, other.window);
        self.latency.merge(other.latency);
        add_slices(&mut self.series, other.series);
        if other.broker_samples.len() > self.broker_samples.len() {
            self.broker_samples = other.broker_samples;
        }
        append_new(&mut self.memory_fits, other.memory_fits, usize::MAX);
        self.generators.extend(other.generators);
    }
}

/// The time, UTC, to the second.
fn now_utc() -> String {
    // A clock before 1970 is the machine's fault, and shows as 1970.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    utc(since.as_secs())
}

/// A Unix time as `2026-11-26T08:30:00Z`.
fn utc(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Years of 365.2425 days that begin in March, so that the leap day comes last; 719_468 days
    // lie between 0000-03-01 and 1970-01-01.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = match month < 10 {
        true => (month + 3, year + era * 400),
        false => (month - 9, year + era * 400 + 1),
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_795_680_000), "2026-11-26T08:00:00Z");
        assert_eq!(utc(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}

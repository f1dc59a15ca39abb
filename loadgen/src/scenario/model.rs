//! A scenario: what its document means.

use std::collections::BTreeMap;
use std::time::Duration;

use super::document::Document;
use super::expect::Fields;
use super::group::{Group, Start};
use super::problem::Problem;
use super::values::{self, Setting, Value};

/// What clients there are, and what they do.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name, or the built-in scenario's.
    pub name: String,
    /// One line on what it measures.
    pub about: String,
    /// Its text, as written.
    pub text: String,
    /// The settings applied to it.
    pub settings: Vec<Setting>,
    /// Parameters with the values that hold.
    pub params: BTreeMap<String, Value>,
    /// The whole run.
    pub run: Run,
    /// The groups, in the order in which they connect.
    pub groups: Vec<Group>,
}

/// Options of the whole run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Load before the measurement window opens.
    pub warmup: Duration,
    /// Length of the window.
    pub duration: Duration,
    /// Patience after the load.
    pub drain: Duration,
    /// Messages to send over all publishers; `None` for no limit.
    pub messages: Option<u64>,
    /// Connections opened per second; 0 for no limit.
    pub connect_rate: f64,
    /// Connections of one thread being opened at once.
    pub connect_window: usize,
    /// New tries of a client that was refused or lost.
    pub retries: u32,
    /// Time before the first new try.
    pub retry_delay: Duration,
    /// Threads in one process.
    pub threads: usize,
    /// Seed of all that is drawn at random.
    pub seed: u64,
    /// Greatest p99 of the schedule lag that is accepted.
    pub max_lag: Duration,
    /// Length of one interval of the series.
    pub interval: Duration,
    /// Never sleep.
    pub spin: bool,
}

impl Scenario {
    /// Reads a scenario's text.
    ///
    /// # Errors
    /// All problems found.
    pub fn read(name: &str, text: &str, settings: &[Setting]) -> Result<Self, Vec<Problem>> {
        let document = Document::read(name, text, settings)?;
        let mut problems = Vec::new();
        let run = Run::read(&document.run, &mut problems);
        let groups: Vec<_> =
            document.groups.iter().map(|fields| Group::read(fields, &mut problems)).collect();
        check_groups(&document, &run, &groups, &mut problems);
        let about = document.top.take("about", &mut problems, |text| Ok(text.to_owned()));
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            name: name.to_owned(),
            about: about.unwrap_or_default(),
            text: text.to_owned(),
            settings: settings.to_vec(),
            params: document.params,
            run,
            groups,
        })
    }

    /// Connections that the scenario may hold at once.
    pub fn seats(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.seats())).sum()
    }

    /// Whether any group publishes in a closed loop.
    pub fn is_closed_loop(&self) -> bool {
        self.groups.iter().any(|group| group.publish.is_some() && group.rate.is_none())
    }
}

impl Run {
    fn read(fields: &Fields, problems: &mut Vec<Problem>) -> Self {
        let mut time = |key, default| {
            fields.take(key, problems, values::duration).unwrap_or(Duration::from_millis(default))
        };
        let (warmup, duration, drain) =
            (time("warmup", 1000), time("duration", 10_000), time("drain", 2000));
        let (retry_delay, max_lag, interval) =
            (time("retry_delay", 1000), time("max_lag", 1), time("interval", 1000));
        if interval < Duration::from_millis(10) {
            problems.push(fields.problem("interval", "is too short; write 10ms or more"));
        }
        let mut count = |key, default| fields.take(key, problems, values::count).unwrap_or(default);
        let (messages, window) = (count("messages", 0), count("connect_window", 64));
        let (retries, threads, seed) = (count("retries", 0), count("threads", 1), count("seed", 1));
        if !(1..=1024).contains(&threads) {
            problems.push(fields.problem("threads", "is out of bounds; write 1 to 1024"));
        }
        Self {
            warmup,
            duration,
            drain,
            messages: (messages > 0).then_some(messages),
            connect_rate: fields.take("connect_rate", problems, values::number).unwrap_or(0.0),
            connect_window: window.clamp(1, 1 << 20) as usize,
            retries: retries.min(u32::MAX.into()) as u32,
            retry_delay,
            threads: threads as usize,
            seed,
            max_lag,
            interval: interval.max(Duration::from_millis(10)),
            spin: fields.take("spin", problems, values::truth).unwrap_or(false),
        }
    }
}

fn check_groups(document: &Document, run: &Run, groups: &[Group], problems: &mut Vec<Problem>) {
    if groups.is_empty() {
        let why = "there is none; add a [[group]] with name and count";
        problems.push(Problem { option: "group".to_owned(), ..document.top.problem("group", why) });
    }
    for (index, (group, fields)) in groups.iter().zip(&document.groups).enumerate() {
        if groups[..index].iter().any(|other| other.name == group.name) {
            let why = "is the name of another group; write a new one";
            problems.push(fields.problem("name", why));
        }
        if group.start == Start::Last && run.messages.is_none() {
            let why = "needs an end of sending; set [run] messages";
            problems.push(fields.problem("start", why));
        }
    }
}

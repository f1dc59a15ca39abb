//! Whether two sides may be compared at all.

use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::result::{RunResult, Verdict};

/// A difference that the user accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Allowance {
    /// Other parameters, or another scenario file.
    Scenario,
    /// Another machine, kernel, or kernel settings.
    Environment,
    /// Runs that broke a promise, were bound by the generator, or ended early.
    Verdict,
}

/// What speaks against comparing `runs` with each other, one reason a line; the first run is the
/// one that the others are held against.
pub fn objections(runs: &[RunResult], allowed: &[Allowance]) -> Vec<String> {
    let Some((first, others)) = runs.split_first() else { return Vec::new() };
    let mut found = Vec::new();
    for (number, other) in (2..).zip(others) {
        let mut differ = |what: &str, allowance, mine: Facts, theirs: Facts| {
            if allowed.contains(&allowance) {
                return;
            }
            for (name, mine, theirs) in differences(mine, theirs) {
                found.push(format!("run {number}: {what} {name}: {mine} and {theirs}"));
            }
        };
        differ("scenario", Allowance::Scenario, scenario(first), scenario(other));
        differ("environment", Allowance::Environment, environment(first), environment(other));
    }
    if !allowed.contains(&Allowance::Verdict) {
        for (number, run) in (1..).zip(runs) {
            if run.verdict != Verdict::Kept {
                found.push(format!("run {number}: {}", run.verdict.label()));
            }
            if let Some(why) = &run.interrupted {
                found.push(format!("run {number}: ended early, {why}"));
            }
        }
    }
    found.dedup();
    found
}

/// What may differ, but has to be said.
pub fn remarks(base: &RunResult, new: &RunResult) -> Vec<String> {
    let mut found = Vec::new();
    let generator = |run: &RunResult| {
        format!("{} ({})", run.environment.loadgen, run.environment.loadgen_commit)
    };
    if generator(base) != generator(new) {
        found.push(format!("generators differ: {} and {}", generator(base), generator(new)));
    }
    for run in [base, new] {
        let load = run.environment.load_average;
        if load > 0.5 * run.environment.cpus as f64 {
            let began = &run.started_at;
            found.push(format!("the machine was busy when the run of {began} began: load {load}"));
        }
    }
    found
}

type Facts = BTreeMap<String, String>;

fn scenario(run: &RunResult) -> Facts {
    let scenario = &run.scenario;
    let mut facts: Facts = scenario.given().into_iter().collect();
    facts.insert("name".to_owned(), scenario.name.clone());
    facts.insert("loop".to_owned(), format!("{:?}", scenario.pacing).to_lowercase());
    if let Some(text) = &scenario.text {
        let lines = text.lines().count();
        // Two texts of equal length still differ in their content.
        facts.insert("file".to_owned(), format!("{lines} lines, {:08x}", checksum(text)));
    }
    facts
}

fn environment(run: &RunResult) -> Facts {
    let machine = &run.environment;
    let mut facts: Facts = machine.sysctls.clone();
    facts.insert("kernel".to_owned(), machine.kernel.clone());
    facts.insert("cpu".to_owned(), machine.cpu.clone());
    facts.insert("cpus".to_owned(), machine.cpus.to_string());
    facts
}

/// Names that differ, with both values; what one lacks is "none".
fn differences(mine: Facts, mut theirs: Facts) -> Vec<(String, String, String)> {
    let none = || "none".to_owned();
    let mut found = Vec::new();
    for (name, value) in mine {
        let other = theirs.remove(&name).unwrap_or_else(none);
        if value != other {
            found.push((name, value, other));
        }
    }
    found.extend(theirs.into_iter().map(|(name, value)| (name, none(), value)));
    found
}

/// FNV-1a: enough to tell two files apart for a reader.
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample;

    fn clean() -> RunResult {
        RunResult { verdict: Verdict::Kept, interrupted: None, ..sample::full() }
    }

    #[test]
    fn equal_runs_may_be_compared() {
        let mut other = clean();
        other.target = "10.0.0.1:1883".to_owned();
        other.environment.load_average = 0.1;
        assert_eq!(objections(&[clean(), other], &[]), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named_and_can_be_allowed() {
        let mut other = clean();
        other.scenario.parameters.insert("qos".to_owned(), 2.into());
        other.scenario.text = Some("# another\n".to_owned());
        other.environment.kernel = "7.0".to_owned();
        other.verdict = Verdict::GeneratorBound;
        let runs = [clean(), other];
        let found = objections(&runs, &[]);
        for said in ["scenario qos: 1 and 2", "scenario file", "kernel: ", "run 2: generator-bound"]
        {
            assert!(found.iter().any(|line| line.contains(said)), "{said}: {found:?}");
        }
        use Allowance::{Environment, Scenario};
        assert_eq!(objections(&runs, &[Scenario, Environment]).len(), 1);
        assert!(objections(&runs, &[Scenario, Environment, Allowance::Verdict]).is_empty());
    }
}

//! The greatest rate at which a broker keeps bounds of loss and latency.
//!
//! Each step is a run of its own, in an open loop at one rate. The rate doubles until a step breaks
//! a bound; then the gap between the greatest rate that kept them and the least that did not is
//! halved until it is small.

use std::io::{self, Write};

use crate::args::SearchArgs;
use crate::failure::Failure;
use crate::output::emit_run;
use crate::result::{LatencyKind, Merge, RunResult, Verdict};
use crate::scenario::{Scenario, Setting, load};

use super::commands::{measure, reached};

/// The parameter that a scenario has to have for this.
const RATE: &str = "rate";

/// What a step said of its rate.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// The bounds were kept.
    Kept,
    /// One was not, in words.
    Exceeded(String),
    /// Nothing: the generator was too slow, in words.
    Bound(String),
    /// Nothing, and no other step will: the run was ended, or the broker is gone, in words.
    Ended(String),
}

/// Rates that are known to keep the bounds, or not to.
#[derive(Debug)]
struct Range {
    /// The greatest that kept them; 0 if none did.
    kept: u64,
    /// The least that did not.
    exceeded: Option<u64>,
    /// Not to go beyond.
    most: u64,
    /// The gap at which it ends, as a share of the rate.
    precision: f64,
}

impl Range {
    /// The next rate to try; `None` at the end.
    fn next(&self) -> Option<u64> {
        let Some(exceeded) = self.exceeded else {
            return (self.kept < self.most).then(|| self.kept.saturating_mul(2).min(self.most));
        };
        let gap = exceeded - self.kept;
        let close = gap as f64 <= self.kept as f64 * self.precision;
        // A first rate that is too much leaves nothing below to start from.
        (self.kept > 0 && gap > 1 && !close).then_some(self.kept + gap / 2)
    }
}

/// Searches, and reports the run at the greatest rate that kept the bounds.
///
/// # Errors
/// If the scenario has no rate, or the load cannot be set up.
pub fn search(args: &SearchArgs) -> Result<Verdict, Failure> {
    let mut range =
        Range { kept: 0, exceeded: None, most: args.most, precision: args.precision / 100.0 };
    let mut best: Option<RunResult> = None;
    let mut steps = Vec::new();
    let mut last = Step::Kept;
    let mut next = Some(args.from.min(args.most));
    while let Some(rate) = next {
        let Some(result) = measure(at(args, rate)?, &args.load, false)? else {
            return Ok(Verdict::Kept);
        };
        last = judge(args, &result);
        steps.push(format!("{rate}: {}", text(&last)));
        tell(args, &steps)?;
        match last {
            Step::Kept => range.kept = rate,
            Step::Exceeded(_) => range.exceeded = Some(rate),
            Step::Bound(_) | Step::Ended(_) => {}
        }
        if range.kept == rate || best.is_none() {
            best = Some(result);
        }
        next = range.next().filter(|_| matches!(last, Step::Kept | Step::Exceeded(_)));
    }
    let Some(mut result) = best else { return Ok(Verdict::Kept) };
    conclude(&mut result, &range, last, &steps);
    if args.load.conduct.allow_generator_bound && result.verdict == Verdict::GeneratorBound {
        result.verdict = Verdict::Kept;
    }
    emit_run(&mut result, &args.load.output)?;
    reached(&result)?;
    Ok(result.verdict)
}

/// The scenario at a rate.
fn at(args: &SearchArgs, rate: u64) -> Result<Scenario, Failure> {
    let plain = load(&args.scenario, &[])?;
    if !plain.params.contains_key(RATE) {
        let name = &args.scenario;
        return Err(format!("{name} has no parameter '{RATE}' that a search could raise").into());
    }
    let mut settings = args.load.course.settings();
    settings.push(Setting::new(RATE, rate));
    load(&args.scenario, &settings)
}

fn judge(args: &SearchArgs, result: &RunResult) -> Step {
    let counts = &result.counts;
    if counts.connected == 0 {
        return Step::Ended("nobody could connect".to_owned());
    }
    if let Some(why) = result.broken.first() {
        return Step::Exceeded(why.clone());
    }
    if let Some(why) = &result.interrupted {
        return Step::Ended(why.clone());
    }
    if let Some(why) = result.generator_bound.first() {
        return Step::Bound(why.clone());
    }
    let lost = counts.lost as f64 / counts.expected.max(1) as f64 * 100.0;
    if lost > args.max_lost {
        return Step::Exceeded(format!("{lost:.3} % lost"));
    }
    let p99_us = result.latency.summary(LatencyKind::EndToEnd).map(|summary| summary.p99_us);
    match (p99_us, args.max_p99) {
        (None, _) => Step::Exceeded("nothing was delivered".to_owned()),
        (Some(p99_us), Some(most)) if u128::from(p99_us) > most.as_micros() => {
            Step::Exceeded(format!("p99 {p99_us} µs"))
        }
        _ => Step::Kept,
    }
}

fn text(step: &Step) -> String {
    match step {
        Step::Kept => "kept".to_owned(),
        Step::Exceeded(why) => format!("not kept, {why}"),
        Step::Bound(why) | Step::Ended(why) => format!("unknown, {why}"),
    }
}

fn tell(args: &SearchArgs, steps: &[String]) -> Result<(), Failure> {
    let Some(last) = steps.last().filter(|_| !args.load.output.quiet) else { return Ok(()) };
    Ok(writeln!(io::stderr(), "search | {last}")?)
}

/// Says in the result what the search found.
fn conclude(result: &mut RunResult, range: &Range, last: Step, steps: &[String]) {
    let ended = match (&last, range.kept, range.exceeded) {
        (Step::Bound(why), ..) => format!("the generator set the pace of the last step: {why}"),
        (Step::Ended(why), ..) => why.clone(),
        (_, 0, _) => "the first rate did not keep the bounds: begin lower".to_owned(),
        (_, _, Some(least)) => format!("{least}/s did not keep the bounds"),
        (_, _, None) => "the greatest rate asked for kept the bounds".to_owned(),
    };
    match last {
        // The broker may do more than what it was seen to do.
        Step::Bound(why) => {
            result.verdict.merge(Verdict::GeneratorBound);
            if !result.generator_bound.contains(&why) {
                result.generator_bound.push(why);
            }
        }
        Step::Ended(why) => result.interrupted = Some(why),
        _ if range.kept == 0 => {
            result.verdict = Verdict::Broken;
            result.broken.push("no rate kept the bounds of the search".to_owned());
        }
        _ => {}
    }
    let notes = [
        ("search_greatest_rate_per_s", range.kept.to_string()),
        ("search_ended", ended),
        ("search_steps", steps.join("; ")),
    ];
    result.notes.extend(notes.map(|(name, value)| (name.to_owned(), value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates tried on a broker that can do `capacity`, and the greatest that it kept.
    fn tried(first: u64, most: u64, capacity: u64) -> (Vec<u64>, u64) {
        let mut range = Range { kept: 0, exceeded: None, most, precision: 0.1 };
        let (mut rates, mut next) = (Vec::new(), Some(first));
        while let Some(rate) = next {
            rates.push(rate);
            match rate <= capacity {
                true => range.kept = rate,
                false => range.exceeded = Some(rate),
            }
            next = range.next();
        }
        (rates, range.kept)
    }

    #[test]
    fn a_search_doubles_and_then_halves_the_gap() {
        assert_eq!(tried(500, 100_000, 1_300), (vec![500, 1000, 2000, 1500, 1250, 1375], 1250));
        assert_eq!(tried(1, 9, 1), (vec![1, 2], 1));
    }

    #[test]
    fn a_search_ends_at_the_greatest_rate_and_at_a_first_one_that_is_too_much() {
        assert_eq!(tried(500, 1_200, 5_000), (vec![500, 1000, 1200], 1200));
        assert_eq!(tried(500, 1_200, 100), (vec![500], 0));
    }
}

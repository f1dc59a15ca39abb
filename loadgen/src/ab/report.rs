//! The report of a comparison.

use std::fmt::Write;

use serde::Serialize;

use crate::args::AbArgs;
use crate::measure::{Memory, Summary, median};
use crate::output::{Show, Table};
use crate::plan::Plan;
use crate::result::{Counts, Environment, LatencyKind, Verdict, Window};
use crate::run::judge;

use super::slice::Finished;

/// Name and version of the JSON layout.
const SCHEMA: &str = "loadgen-ab/2";

/// The report of a comparison; serialises to the JSON result.
#[derive(Debug, Serialize)]
pub struct AbReport {
    schema: &'static str,
    verdict: Verdict,
    environment: Environment,
    scenario: String,
    rounds: usize,
    slice_s: f64,
    brokers: Vec<BrokerReport>,
}

#[derive(Debug, Serialize)]
struct BrokerReport {
    name: String,
    /// Broker CPU µs per delivered message.
    cost_us: Spread,
    /// `cost_us` over that of the first broker in the same round.
    ratio: Spread,
    /// Deliveries per second of wall time.
    delivered_per_s: Spread,
    /// Generator CPU µs per delivered message.
    generator_us: Spread,
    latency: Option<Summary>,
    memory: Memory,
    counts: Counts,
    broken: Vec<String>,
    slices: Vec<Window>,
}

/// Figures of several rounds. `None` where no message was delivered.
#[derive(Debug, Serialize)]
struct Spread {
    median: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

impl Spread {
    fn of(values: impl Iterator<Item = Option<f64>>) -> Self {
        let values: Vec<f64> = values.flatten().collect();
        Self {
            median: median(&values),
            min: values.iter().copied().min_by(f64::total_cmp),
            max: values.iter().copied().max_by(f64::total_cmp),
        }
    }

    fn text(figure: Option<f64>, digits: usize) -> String {
        figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.digits$}"))
    }
}

fn cost(slice: &Window) -> Option<f64> {
    slice.broker.as_ref().and_then(|cpu| slice.us_per_delivery(cpu))
}

impl AbReport {
    /// Draws the conclusions.
    pub fn new(args: &AbArgs, plan: &Plan, finished: Vec<Finished>) -> Self {
        let reference: Vec<Option<f64>> =
            finished.first().map_or_else(Vec::new, |first| first.slices.iter().map(cost).collect());
        let report = |broker| BrokerReport::new(broker, plan, &reference);
        let brokers: Vec<BrokerReport> = finished.into_iter().map(report).collect();
        let kept = brokers.iter().all(|broker| broker.broken.is_empty());
        Self {
            schema: SCHEMA,
            verdict: if kept { Verdict::Kept } else { Verdict::Broken },
            environment: Environment::read(),
            scenario: args.scenario.text.clone(),
            rounds: args.rounds,
            slice_s: args.slice.as_secs_f64(),
            brokers,
        }
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl BrokerReport {
    fn new(finished: Finished, plan: &Plan, reference: &[Option<f64>]) -> Self {
        let Finished { name, slices, memory, mut outcome } = finished;
        let judgement = judge(plan, &mut outcome);
        let ratios = slices.iter().zip(reference).map(|(slice, reference)| {
            let reference = reference.filter(|reference| *reference > 0.0)?;
            Some(cost(slice)? / reference)
        });
        Self {
            name,
            cost_us: Spread::of(slices.iter().map(cost)),
            ratio: Spread::of(ratios),
            delivered_per_s: Spread::of(slices.iter().map(|slice| Some(slice.delivery_rate()))),
            generator_us: Spread::of(slices.iter().map(|s| s.us_per_delivery(&s.generator))),
            latency: outcome.latencies.summary(LatencyKind::EndToEnd),
            memory,
            broken: judgement.broken,
            counts: judgement.counts,
            slices,
        }
    }
}

impl Show for AbReport {
    fn text(&self) -> String {
        let mut table = Table::new([
            "broker", "µs/msg", "min", "max", "ratio", "min", "max", "msg/s", "gen µs", "p50 µs",
            "p99 µs",
        ]);
        for broker in &self.brokers {
            let (cost, ratio) = (&broker.cost_us, &broker.ratio);
            let percentile = |pick: fn(&Summary) -> u64| {
                broker.latency.as_ref().map_or_else(|| "-".to_owned(), |s| pick(s).to_string())
            };
            table.row([
                broker.name.clone(),
                Spread::text(cost.median, 3),
                Spread::text(cost.min, 3),
                Spread::text(cost.max, 3),
                Spread::text(ratio.median, 2),
                Spread::text(ratio.min, 2),
                Spread::text(ratio.max, 2),
                Spread::text(broker.delivered_per_s.median, 0),
                Spread::text(broker.generator_us.median, 3),
                percentile(|summary| summary.p50_us),
                percentile(|summary| summary.p99_us),
            ]);
        }
        let mut text = format!(
            "{}: {} rounds of {} s, broker CPU µs per delivered message\n{}",
            self.scenario,
            self.rounds,
            self.slice_s,
            table.text()
        );
        for broker in self.brokers.iter().filter(|broker| !broker.broken.is_empty()) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "BROKEN by {}: {}", broker.name, broker.broken.join("; "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_leaves_empty_rounds_out() {
        let spread = Spread::of([Some(3.0), None, Some(1.0), Some(2.0)].into_iter());
        assert_eq!((spread.median, spread.min, spread.max), (Some(2.0), Some(1.0), Some(3.0)));
        assert_eq!(Spread::of([None].into_iter()).median, None);
    }
}

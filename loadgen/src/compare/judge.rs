//! From the figures of two sides to a conclusion.

use serde::Serialize;

use crate::measure::median;
use crate::result::RunResult;

use super::conclusion::Conclusion;
use super::measures::Measure;
use super::stats::Ratio;

/// When a difference counts.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How often equal builds may be called different, over all measures that are judged.
    pub alpha: f64,
    /// The least difference that matters: 0.05 is 5 %.
    pub threshold: f64,
    /// The factor that is called a difference with too few runs for a test.
    pub coarse: f64,
    /// Measures that decide.
    pub judged: Vec<Measure>,
}

/// One measure of both sides.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was measured.
    pub measure: Measure,
    /// Median over the runs of the base.
    pub base: f64,
    /// Median over the runs of the new side.
    pub new: f64,
    /// New over base.
    pub ratio: Ratio,
    /// What follows; `None` if the measure is not judged.
    pub conclusion: Option<Conclusion>,
}

/// All measures of two sides.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Each measure that both sides have in every run.
    pub list: Vec<Finding>,
    /// Over all that is judged.
    pub conclusion: Conclusion,
    /// Whether there were enough runs for a test; otherwise size alone decided.
    pub tested: bool,
    /// Confidence of each interval, 0 to 1.
    pub confidence: f64,
}

impl Rules {
    /// Compares two sides.
    pub fn judge(&self, base: &[RunResult], new: &[RunResult]) -> Findings {
        let values = |measure: Measure| Some((figures(base, measure)?, figures(new, measure)?));
        let judged = self.judged.iter().filter(|measure| values(**measure).is_some()).count();
        // Several measures are as many chances of a false alarm: each gets its part (Bonferroni).
        let alpha = self.alpha / judged.max(1) as f64;
        let list: Vec<_> = Measure::all()
            .into_iter()
            .filter_map(|measure| {
                let (base, new) = values(measure)?;
                let ratio = Ratio::of(&base, &new, alpha)?;
                let decides = self.judged.contains(&measure);
                Some(Finding {
                    measure,
                    base: median(&base)?,
                    new: median(&new)?,
                    ratio,
                    conclusion: decides.then(|| self.conclude(measure, ratio)),
                })
            })
            .collect();
        Findings {
            conclusion: Conclusion::of_all(list.iter().filter_map(|finding| finding.conclusion)),
            tested: list.iter().all(|finding| finding.ratio.interval.is_some()),
            confidence: 1.0 - alpha,
            list,
        }
    }

    /// A difference has to be certain, and large enough to matter.
    fn conclude(&self, measure: Measure, ratio: Ratio) -> Conclusion {
        let worse = if measure.more_is_better() { ratio.inverse() } else { ratio };
        let (low, high, least) = match worse.interval {
            Some((low, high)) => (low, high, 1.0 + self.threshold),
            // Every run against every other must differ by the whole factor.
            None => (worse.range.0 / self.coarse, worse.range.1 * self.coarse, self.coarse),
        };
        if low > 1.0 && worse.estimate >= least {
            Conclusion::Slower
        } else if high < 1.0 && worse.estimate <= 1.0 / least {
            Conclusion::Faster
        } else {
            Conclusion::NoDifferenceShown
        }
    }
}

/// The measure of every run; `None` if one lacks it.
fn figures(runs: &[RunResult], measure: Measure) -> Option<Vec<f64>> {
    runs.iter().map(|run| measure.of(run)).collect()
}

/// A finding as it stands in JSON.
#[derive(Debug, Serialize)]
pub struct Written {
    measure: String,
    base: f64,
    new: f64,
    ratio: f64,
    ratio_low: Option<f64>,
    ratio_high: Option<f64>,
    conclusion: Option<Conclusion>,
}

impl From<&Finding> for Written {
    fn from(finding: &Finding) -> Self {
        Self {
            measure: finding.measure.to_string(),
            base: finding.base,
            new: finding.new,
            ratio: finding.ratio.estimate,
            ratio_low: finding.ratio.interval.map(|ends| ends.0),
            ratio_high: finding.ratio.interval.map(|ends| ends.1),
            conclusion: finding.conclusion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::numbers::Numbers;
    use crate::result::{LatencyKind, sample};

    fn rules() -> Rules {
        Rules { alpha: 0.05, threshold: 0.05, coarse: 2.0, judged: Measure::JUDGED.into() }
    }

    /// Runs whose latencies lie around 200 µs, each run somewhat elsewhere; the slowest
    /// `slow` of messages take `factor` times as long.
    fn side(numbers: &mut Numbers, runs: usize, slow: f64, factor: f64) -> Vec<RunResult> {
        let run = |numbers: &mut Numbers| {
            let mut result = sample::full();
            result.latency = Default::default();
            let (place, messages) = (200.0 * (1.0 + 0.1 * numbers.next()), 20_000);
            for _ in 0..messages {
                let luck = numbers.next();
                let factor = if luck < slow { factor } else { 1.0 };
                let latency_us = place * (0.7 - 0.5 * luck.max(1e-9).ln()) * factor;
                result.latency.record_ns(LatencyKind::EndToEnd, (latency_us * 1000.0) as u64);
            }
            let window = result.window.as_mut().unwrap();
            window.delivered = (100_000.0 * (1.0 + 0.1 * numbers.next())) as u64;
            window.broker.as_mut().unwrap().cpu_ns = 500_000_000;
            result
        };
        (0..runs).map(|_| run(numbers)).collect()
    }

    fn of(findings: &Findings, name: &str) -> Conclusion {
        let found = findings.list.iter().find(|finding| finding.measure.to_string() == name);
        found.unwrap().conclusion.unwrap()
    }

    #[test]
    fn equal_builds_are_called_different_no_oftener_than_stated() {
        let mut numbers = Numbers(0x2545_F491_4F6C_DD1D);
        let rules = Rules { threshold: 0.0, ..rules() };
        let different = (0..60).filter(|_| {
            let (base, new) = (side(&mut numbers, 5, 0.0, 1.0), side(&mut numbers, 5, 0.0, 1.0));
            let findings = rules.judge(&base, &new);
            assert!(findings.tested);
            findings.conclusion != Conclusion::NoDifferenceShown
        });
        // At most 5 % of 60 are expected, 3; eight or more have a probability below 1 %.
        let different = different.count();
        assert!(different < 8, "{different} of 60");
    }

    #[test]
    fn a_slower_build_is_found_with_the_percentile() {
        let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
        // Only 0.5 % of the messages are slow: the median doesn't move, p99.9 does.
        let (base, new) = (side(&mut numbers, 5, 0.0, 1.0), side(&mut numbers, 5, 0.005, 4.0));
        let findings = rules().judge(&base, &new);
        assert_eq!(findings.conclusion, Conclusion::Slower);
        assert_eq!(of(&findings, "end to end p99.9"), Conclusion::Slower);
        assert_eq!(of(&findings, "end to end p50"), Conclusion::NoDifferenceShown);
        let back = rules().judge(&new, &base);
        assert_eq!(back.conclusion, Conclusion::Faster);
    }

    #[test]
    fn less_throughput_is_slower() {
        let mut numbers = Numbers(7);
        let (base, mut new) = (side(&mut numbers, 5, 0.0, 1.0), side(&mut numbers, 5, 0.0, 1.0));
        new.iter_mut().for_each(|run| run.window.as_mut().unwrap().delivered /= 2);
        assert_eq!(of(&rules().judge(&base, &new), "throughput"), Conclusion::Slower);
        assert_eq!(of(&rules().judge(&new, &base), "throughput"), Conclusion::Faster);
    }

    #[test]
    fn one_run_a_side_shows_only_what_is_large() {
        let mut numbers = Numbers(11);
        let (base, near) = (side(&mut numbers, 1, 0.0, 1.0), side(&mut numbers, 1, 1.0, 1.5));
        let findings = rules().judge(&base, &near);
        assert!(!findings.tested);
        assert_eq!(findings.conclusion, Conclusion::NoDifferenceShown);
        let far = side(&mut numbers, 1, 1.0, 3.0);
        let findings = rules().judge(&base, &far);
        assert_eq!(of(&findings, "end to end p50"), Conclusion::Slower);
    }

    #[test]
    fn a_difference_too_small_to_matter_is_none() {
        let mut numbers = Numbers(13);
        let base = side(&mut numbers, 5, 0.0, 1.0);
        let mut new = base.clone();
        for run in &mut new {
            let cpu = run.window.as_mut().unwrap().broker.as_mut().unwrap();
            cpu.cpu_ns = cpu.cpu_ns * 103 / 100;
        }
        let slight = rules().judge(&base, &new);
        assert_eq!(of(&slight, "CPU per message"), Conclusion::NoDifferenceShown);
    }
}

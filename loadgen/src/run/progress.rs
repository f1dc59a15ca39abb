//! Shows how a run goes.

use std::time::Duration;

use crate::args::OutputArgs;
use crate::output::{Live, Progress};
use crate::result::LatencyKind;
use crate::scenario::Scenario;

use super::conduct::Sight;

/// A live view of a run.
pub fn live(output: &OutputArgs, scenario: &Scenario) -> impl FnMut(&Sight<'_>) + use<> {
    let mut live = Live::new(output);
    let (warmup, duration) = (scenario.run.warmup, scenario.run.duration);
    move |sight| {
        let planned = match sight.phase {
            "warm-up" => Some(warmup),
            "run" | "hold" => Some(duration),
            _ => None,
        };
        live.show(&progress(sight, planned));
    }
}

fn progress<'a>(sight: &Sight<'a>, planned: Option<Duration>) -> Progress<'a> {
    let slice = sight.slice.filter(|slice| slice.seconds > 0.0);
    let per_s = |count: fn(&crate::result::Slice) -> u64| {
        slice.map_or(0.0, |slice| count(slice) as f64 / slice.seconds)
    };
    let latency = slice.and_then(|slice| slice.latency.summary(LatencyKind::EndToEnd));
    Progress {
        phase: sight.phase,
        elapsed: Duration::from_secs_f64(sight.elapsed_s.max(0.0)),
        planned,
        connected: sight.totals.open,
        clients: sight.clients,
        sent_per_s: per_s(|slice| slice.sent),
        delivered_per_s: per_s(|slice| slice.delivered),
        latency_us: latency.map(|summary| (summary.p50_us, summary.p99_us)),
        errors: sight.totals.ended,
    }
}

//! The result of a load run, filled from what the engine measured.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::args::{Pattern, RunArgs};
use crate::client::Integrity;
use crate::engine::{Outcome, Plan};
use crate::measure::Summary;
use crate::result::{
    Counts, Generator, LatencyKind, Loop, RunResult, Scenario, Source, Verdict, Window,
    broken_promises, host_name,
};

/// What a run brought to light.
pub struct Findings {
    /// The measurement window.
    pub window: Window,
    /// Everything else.
    pub outcome: Outcome,
}

/// The scenario that a short form stands for.
pub fn scenario(pattern: Pattern, plan: &Plan, args: &RunArgs) -> Scenario {
    let parameters = [
        ("publishers", json!(plan.flows)),
        ("subscribers", json!(plan.clients.len() - plan.flows as usize)),
        ("qos", json!(plan.load.qos as u8)),
        ("version", json!(plan.load.version.name())),
        ("payload_bytes", json!(plan.load.size)),
        ("batch", json!(plan.load.batch)),
        ("rate_per_s", json!((plan.rate > 0).then_some(plan.rate))),
        ("window", json!(plan.load.window)),
        ("threads", json!(plan.threads)),
        ("spin", json!(plan.spin)),
        ("warmup_s", json!(args.warmup.as_secs_f64())),
        ("duration_s", json!(args.duration.as_secs_f64())),
    ];
    let name = match pattern {
        Pattern::P2p => "p2p",
        Pattern::Fanin => "fanin",
        Pattern::Fanout => "fanout",
    };
    let parameters: BTreeMap<String, Value> =
        parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Scenario {
        name: name.to_owned(),
        source: Source::CommandLine,
        text: None,
        pacing: if plan.rate > 0 { Loop::Open } else { Loop::Closed },
        parameters,
    }
}

/// Draws the conclusions of a run into its `result`.
pub fn fill(result: &mut RunResult, plan: &Plan, findings: Findings, max_lag_ms: f64) {
    let Findings { window, outcome } = findings;
    let recorder = outcome.recorder;
    let acknowledgement = match plan.load.qos {
        pondhawk::protocol::QoS::ExactlyOnce => LatencyKind::Pubcomp,
        _ => LatencyKind::Puback,
    };
    for (kind, latency) in [
        (LatencyKind::EndToEnd, recorder.end_to_end),
        (LatencyKind::ScheduleLag, recorder.schedule_lag),
        (LatencyKind::Connack, recorder.connect),
        (acknowledgement, recorder.acknowledge),
    ] {
        result.latency.add(kind, latency);
    }
    result.counts = counts(&recorder.integrity);
    result.counts.sent = outcome.sent;
    result.counts.expected = outcome.expected;
    result.counts.delivered = outcome.unique;
    result.counts.acknowledged = recorder.totals.acked;
    result.counts.connects = plan.clients.len() as u64;
    result.counts.connected = recorder.totals.connected;
    result.counts.subscribed = recorder.totals.subscribed;
    result.complaints = recorder.complaints;
    result.broken = broken_promises(plan.load.qos, &result.counts);
    let lag = result.latency.summary(LatencyKind::ScheduleLag);
    result.generator_bound.extend(late(lag.as_ref(), max_lag_ms));
    result.verdict = match (result.broken.is_empty(), result.generator_bound.is_empty()) {
        (false, _) => Verdict::Broken,
        (true, false) => Verdict::GeneratorBound,
        (true, true) => Verdict::Kept,
    };
    result.generators.push(Generator {
        host: host_name(),
        pid: std::process::id(),
        clients: plan.clients.len() as u64,
        threads: window.generator.threads.clone(),
        ceiling_per_s: None,
    });
    result.window = Some(window);
}

/// Why the generator set the pace, if it did.
fn late(lag: Option<&Summary>, max_lag_ms: f64) -> Option<String> {
    let lag = lag.filter(|lag| lag.p99_us as f64 > max_lag_ms * 1000.0)?;
    let (late, most) = (lag.p99_us, max_lag_ms * 1000.0);
    Some(format!("it was {late} µs behind its own schedule at p99, and {most:.0} µs is allowed"))
}

/// What was counted of the messages' ways.
pub fn counts(integrity: &Integrity) -> Counts {
    Counts {
        lost: integrity.lost,
        duplicated: integrity.duplicated,
        reordered: integrity.reordered,
        foreign: integrity.foreign,
        unacknowledged: integrity.unacknowledged,
        refused: integrity.refused,
        stalls: integrity.stalls,
        connections_lost: integrity.connections_lost,
        ..Counts::default()
    }
}

//! The result file, filled from what was measured.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::engine::Outcome;
use crate::measure::CpuDelta;
use crate::plan::Plan;
use crate::result::{
    Generator, LatencyKind, Loop, Merge, RunResult, Scenario as Described, Source, Verdict, Window,
};
use crate::scenario::{BUILTIN, Scenario};

use super::conduct::Finished;
use super::judge::judge;

/// Share of a core from which a thread of a closed loop counts as busy all the time.
const BUSY: f64 = 0.95;

/// What the result says of a scenario.
pub fn describe(scenario: &Scenario, processes: usize) -> Described {
    let run = &scenario.run;
    let mut parameters: BTreeMap<String, Value> =
        scenario.params.iter().map(|(name, value)| (name.clone(), value.json())).collect();
    for setting in scenario.settings.iter().filter(|setting| setting.key.contains('.')) {
        parameters.insert(setting.key.clone(), json!(setting.value));
    }
    let all = [
        ("clients", json!(scenario.seats())),
        ("threads", json!(run.threads)),
        ("processes", json!(processes)),
        ("spin", json!(run.spin)),
        ("warmup_s", json!(run.warmup.as_secs_f64())),
        ("duration_s", json!(run.duration.as_secs_f64())),
        ("drain_s", json!(run.drain.as_secs_f64())),
        ("connect_rate_per_s", json!(run.connect_rate)),
        ("messages", json!(run.messages)),
        ("seed", json!(run.seed)),
    ];
    parameters.extend(all.map(|(name, value)| (name.to_owned(), value)));
    let publishes = scenario.groups.iter().any(|group| group.publish.is_some());
    let builtin = BUILTIN.iter().any(|builtin| builtin.name == scenario.name);
    Described {
        name: scenario.name.clone(),
        source: if builtin { Source::BuiltIn } else { Source::File },
        text: (!builtin).then(|| scenario.text.clone()),
        pacing: match (publishes, scenario.is_closed_loop()) {
            (false, _) => Loop::Silent,
            (true, true) => Loop::Closed,
            (true, false) => Loop::Open,
        },
        parameters,
    }
}

/// Draws the conclusions of a run into its `result`.
pub fn fill(result: &mut RunResult, plan: &Plan, finished: Finished, ceiling: Option<f64>) {
    let Finished { mut outcome, measured, watch, window, .. } = finished;
    let (samples, broker) = watch.map_or_else(Default::default, |watch| watch.finish());
    let mut generator = CpuDelta::default();
    for part in &measured {
        generator.merge(part.cpu.clone());
        result.generators.push(Generator {
            host: part.machine.host.clone(),
            pid: part.machine.pid,
            clients: part.clients,
            threads: part.cpu.threads.clone(),
            ceiling_per_s: ceiling,
        });
    }
    result.window = window.map(|window| Window { broker, generator, ..window });
    result.broker_samples = samples;
    result.series = finished.series;
    result.memory_fits = finished.growth.iter().flat_map(|growth| growth.fits()).collect();
    result.interrupted = finished.interrupted;
    let judgement = judge(plan, &mut outcome);
    result.counts = judgement.counts;
    result.by_qos = judgement.by_qos;
    result.broken = judgement.broken;
    result.broken_flows = judgement.flows;
    result.broken.extend(result.interrupted.clone().filter(|_| finished.stuck));
    note(result, plan, &outcome, finished.foreign_clocks);
    result.complaints = outcome.complaints;
    result.latency = outcome.latencies;
    result.generator_bound = generator_bound(result, plan);
    result.verdict = match (result.broken.is_empty(), result.generator_bound.is_empty()) {
        (false, _) => Verdict::Broken,
        (true, false) => Verdict::GeneratorBound,
        (true, true) => Verdict::Kept,
    };
}

/// What has no field of its own.
fn note(result: &mut RunResult, plan: &Plan, outcome: &Outcome, foreign_clocks: bool) {
    let notes = &mut result.notes;
    let groups = &plan.scenario.groups;
    if groups.iter().any(|group| group.takeover > 0.0) {
        notes.insert("takeovers".to_owned(), outcome.takeovers.to_string());
    }
    if groups.iter().any(|group| group.will.is_some()) {
        notes.insert("will_messages".to_owned(), outcome.wills.to_string());
    }
    if outcome.by_source.len() > 1 {
        let counts: Vec<_> = outcome.by_source.iter().map(u64::to_string).collect();
        notes.insert("connections_by_source".to_owned(), counts.join(" "));
    }
    if outcome.unsent_batches > 0 {
        notes.insert("batches_due_and_not_sent".to_owned(), outcome.unsent_batches.to_string());
    }
    if foreign_clocks {
        let clocks = "differ: latency end to end is of flows within one machine only";
        notes.insert("clocks".to_owned(), clocks.to_owned());
    }
}

/// Why the generator and not the broker set the pace, in words.
fn generator_bound(result: &RunResult, plan: &Plan) -> Vec<String> {
    let run = &plan.scenario.run;
    let mut reasons = Vec::new();
    let most = run.max_lag.as_micros() as u64;
    let open = result.scenario.pacing == Loop::Open;
    for (kind, what) in [
        (LatencyKind::ScheduleLag, "it was {} µs behind its own schedule at p99"),
        (LatencyKind::ReceiveLag, "what arrived waited {} µs for it at p99"),
    ] {
        let lag = result.latency.summary(kind).filter(|lag| open && lag.p99_us > most);
        reasons.extend(lag.map(|lag| {
            let what = what.replace("{}", &lag.p99_us.to_string());
            format!("{what}, and {most} µs is allowed")
        }));
    }
    let seconds = result.window.as_ref().map_or(0.0, |window| window.seconds);
    let threads = result.generators.iter().flat_map(|generator| &generator.threads);
    for thread in threads.filter(|thread| thread.name.starts_with("clients-") && !run.spin) {
        let share = thread.cpu_ns as f64 / 1e9 / seconds.max(1e-9);
        if share > BUSY && seconds > 0.0 {
            let (name, percent) = (&thread.name, (share * 100.0).min(100.0));
            reasons.push(format!("its thread {name} was busy {percent:.0} % of the time"));
        }
    }
    reasons
}

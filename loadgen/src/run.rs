//! One load run against one broker.

use std::io;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use crate::args::{Pattern, RunArgs};
use crate::clock::now_ns;
use crate::engine::{Fleet, Plan, Snapshot, Sources, raise_descriptor_limit};
use crate::failure::Failure;
use crate::fill::{Findings, fill, scenario};
use crate::measure::{CpuDelta, Memory, ProcessSample};
use crate::output::{Live, Progress, emit_run};
use crate::result::{BrokerSample, LatencyKind, RunResult, Slice, Verdict, Window};

/// How often the broker's process is looked at.
const SAMPLE_NS: u64 = 500_000_000;

/// Connects, loads, measures, drains, and reports.
///
/// # Errors
/// If the figures make no sense, or the broker cannot be reached or refuses clients.
pub fn run(pattern: Pattern, args: &RunArgs) -> Result<Verdict, Failure> {
    let plan = Plan::new(pattern, &args.shape)?;
    let fleet = prepare(&plan, args.target.target, &args.target.source)?;
    let mut live = Live::new(&args.output);
    let clients = plan.clients.len() as u64;
    live.show(&Progress { phase: "connect", clients, ..Progress::default() });
    let connected = fleet.connect(args.target.connect_rate, plan.subscriptions());
    let fleet = fleet.if_connected(connected)?;
    let target = args.target.target.to_string();
    let mut result = RunResult::begin(scenario(pattern, &plan, args), target);
    let window = load(&fleet, args, &mut result, |slice, elapsed| {
        live.show(&moment(slice, clients, elapsed, args.duration));
    })?;
    fleet.pause();
    live.show(&Progress { phase: "drain", connected: clients, clients, ..Progress::default() });
    fleet.settle(args.drain);
    let outcome = fleet.finish()?;
    let findings = Findings { window, outcome };
    drop(live);
    fill(&mut result, &plan, findings, args.max_lag_ms);
    emit_run(&mut result, &args.output)?;
    Ok(result.verdict)
}

/// Starts the threads of a plan, with descriptors and source addresses for all its clients.
///
/// # Errors
/// If there are too few of either.
pub fn prepare(
    plan: &Plan,
    target: std::net::SocketAddr,
    sources: &[IpAddr],
) -> Result<Fleet, Failure> {
    raise_descriptor_limit(plan.clients.len())?;
    let sources = Sources::plan(target, sources, plan.clients.len())?;
    Ok(Fleet::launch(plan, &sources)?)
}

/// Publishes for warm-up and measurement, and measures.
fn load(
    fleet: &Fleet,
    args: &RunArgs,
    result: &mut RunResult,
    mut show: impl FnMut(&Slice, Duration),
) -> Result<Window, Failure> {
    let start = now_ns();
    let from = start + args.warmup.as_nanos() as u64;
    let until = from + args.duration.as_nanos() as u64;
    fleet.record_between(from, until);
    fleet.resume(start);
    let pid = args.target.broker_pid;
    let broker_gone = |error| Failure::of("broker process", error);
    sleep_until(from);
    let before = Snapshot::take(fleet, pid).map_err(broker_gone)?;
    let mut watch = pid.map(|pid| Watch::begin(pid, start)).transpose().map_err(broker_gone)?;
    let mut next = from;
    let mut last = before.clone();
    while next < until {
        let length = SAMPLE_NS.min(until - next);
        next += length;
        sleep_until(next);
        watch.iter_mut().try_for_each(Watch::look).map_err(broker_gone)?;
        let now = Snapshot::take(fleet, None).map_err(broker_gone)?;
        let slice = slice(result.series.len() as u32, &now.since(&last), fleet);
        show(&slice, Duration::from_nanos(next - from));
        result.series.push(slice);
        last = now;
    }
    let after = Snapshot::take(fleet, pid).map_err(broker_gone)?;
    result.broker_samples = watch.map_or_else(Vec::new, |watch| watch.samples);
    Ok(after.since(&before))
}

/// A slice as the live view shows it.
fn moment(slice: &Slice, clients: u64, elapsed: Duration, planned: Duration) -> Progress<'_> {
    let per_s = |count: u64| count as f64 / slice.seconds;
    Progress {
        phase: &slice.phase,
        elapsed,
        planned: Some(planned),
        connected: slice.connected,
        clients,
        sent_per_s: per_s(slice.sent),
        delivered_per_s: per_s(slice.delivered),
        latency_us: slice.latency.summary(LatencyKind::EndToEnd).map(|s| (s.p50_us, s.p99_us)),
        errors: slice.errors,
    }
}

/// The counts of one slice of the measurement window.
fn slice(index: u32, window: &Window, fleet: &Fleet) -> Slice {
    let totals = fleet.totals();
    Slice {
        connected: totals.connected - totals.ended.min(totals.connected),
        sent: window.sent,
        delivered: window.delivered,
        acknowledged: window.acknowledged,
        errors: totals.ended,
        ..Slice::new(index, SAMPLE_NS as f64 / 1e9, "run")
    }
}

/// Watches the broker's process.
struct Watch {
    pid: u32,
    start_ns: u64,
    first: ProcessSample,
    samples: Vec<BrokerSample>,
}

impl Watch {
    fn begin(pid: u32, start_ns: u64) -> io::Result<Self> {
        let first = ProcessSample::take(pid)?;
        let mut watch = Self { pid, start_ns, first, samples: Vec::new() };
        watch.look()?;
        Ok(watch)
    }

    fn look(&mut self) -> io::Result<()> {
        let now = ProcessSample::take(self.pid)?;
        let CpuDelta { cpu_ns, voluntary_switches, involuntary_switches, .. } =
            now.since(&self.first);
        self.samples.push(BrokerSample {
            at_s: now_ns().saturating_sub(self.start_ns) as f64 / 1e9,
            cpu_ns,
            memory: Memory::of(self.pid)?,
            threads: now.threads(),
            voluntary_switches,
            involuntary_switches,
        });
        Ok(())
    }
}

/// Sleeps until a time of [`now_ns`].
fn sleep_until(at_ns: u64) {
    thread::sleep(Duration::from_nanos(at_ns.saturating_sub(now_ns())));
}

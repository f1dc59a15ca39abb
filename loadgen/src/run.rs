//! One load run against one broker.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use crate::args::{Pattern, RunArgs};
use crate::clock::now_ns;
use crate::engine::{Fleet, Interval, Plan, Snapshot, Sources, raise_descriptor_limit};
use crate::failure::Failure;
use crate::measure::Memory;
use crate::report::{Findings, RunReport, Verdict, emit};

/// Connects, loads, measures, drains, and reports.
///
/// # Errors
/// If the figures make no sense, or the broker cannot be reached or refuses clients.
pub fn run(pattern: Pattern, args: &RunArgs) -> Result<Verdict, Failure> {
    let plan = Plan::new(pattern, &args.shape)?;
    let fleet = prepare(&plan, args.target.target, &args.target.source)?;
    let connected = fleet.connect(args.target.connect_rate, plan.subscriptions());
    let fleet = fleet.if_connected(connected)?;
    let (interval, memory) = load(&fleet, args)?;
    fleet.pause();
    fleet.settle(args.drain);
    let outcome = fleet.finish()?;
    let findings = Findings { interval, memory, outcome };
    let report = RunReport::new(&plan, args, findings);
    emit(&report, &args.output)?;
    Ok(report.verdict())
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
fn load(fleet: &Fleet, args: &RunArgs) -> Result<(Interval, Option<Memory>), Failure> {
    let start = now_ns();
    let from = start + args.warmup.as_nanos() as u64;
    let until = from + args.duration.as_nanos() as u64;
    fleet.record_between(from, until);
    fleet.resume(start);
    let pid = args.target.broker_pid;
    let broker_gone = |error| Failure::of("broker process", error);
    sleep_until(from);
    let before = Snapshot::take(fleet, pid).map_err(broker_gone)?;
    sleep_until(until);
    let after = Snapshot::take(fleet, pid).map_err(broker_gone)?;
    let memory = pid.map(Memory::of).transpose().map_err(broker_gone)?;
    Ok((Interval::between(&before, &after), memory))
}

/// Sleeps until a time of [`now_ns`].
fn sleep_until(at_ns: u64) {
    thread::sleep(Duration::from_nanos(at_ns.saturating_sub(now_ns())));
}

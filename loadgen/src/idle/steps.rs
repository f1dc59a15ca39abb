//! The steps of the measurement: connect, hold, subscribe, and read the memory between them.

use std::thread;
use std::time::Duration;

use crate::args::IdleArgs;
use crate::engine::{Fleet, Plan, Snapshot};
use crate::failure::Failure;
use crate::measure::Memory;
use crate::output::emit;
use crate::result::{Verdict, Window};
use crate::run::prepare;

use super::report::{Growth, IdleReport};

/// Points of the line.
const STEPS: u32 = 10;

/// Rest after each step, so that the broker has done what it does after a handshake.
const REST: Duration = Duration::from_millis(200);

/// Opens the connections step by step, holds them, and reports.
///
/// # Errors
/// If the broker's process is not known, or the broker refuses connections.
pub fn run(args: &IdleArgs) -> Result<Verdict, Failure> {
    let pid = args.target.broker_pid.ok_or("idle needs --broker-pid".to_owned())?;
    let plan = Plan::idle(args.connections, args.version, args.threads);
    let fleet = prepare(&plan, args.target.target, &args.target.source)?;
    let connected = grow(args.connections, pid, |from, to| {
        fleet.connect_up_to(to as usize, from as usize, args.rate)
    })?;
    let held = hold(&fleet, pid, args.hold)?;
    let subscribe = |_, to| fleet.subscribe_up_to(to as usize);
    let subscribed = match args.subscribe {
        true => Some(grow(args.connections, pid, subscribe)?),
        false => None,
    };
    let outcome = fleet.finish()?;
    let report = IdleReport::new(connected, subscribed, held, outcome.recorder);
    emit(&report, &args.output)?;
    Ok(report.verdict())
}

/// Goes to `total` in steps and reads the broker's memory before and after each.
fn grow(
    total: u32,
    pid: u32,
    step: impl Fn(u32, u32) -> Result<(), String>,
) -> Result<Growth, Failure> {
    let read = || Memory::of(pid).map_err(|error| Failure::of("broker process", error));
    let mut growth = Growth::new(read()?);
    let mut from = 0;
    for index in 1..=STEPS {
        let to = (u64::from(total) * u64::from(index) / u64::from(STEPS)) as u32;
        step(from, to)?;
        thread::sleep(REST);
        growth.add(to, read()?);
        from = to;
    }
    Ok(growth)
}

/// What the broker does while nothing happens.
fn hold(fleet: &Fleet, pid: u32, length: Duration) -> Result<Window, Failure> {
    let before = Snapshot::take(fleet, Some(pid))?;
    thread::sleep(length);
    Ok(Snapshot::take(fleet, Some(pid))?.since(&before))
}

//! The rounds of a comparison: every broker loaded for a slice, in turns.

use std::sync::Arc;

use crate::args::AbArgs;
use crate::failure::Failure;
use crate::output::emit;
use crate::plan::{Plan, Share};
use crate::result::Verdict;

use super::broker::BrokerProcess;
use super::placement::Placement;
use super::report::AbReport;
use super::slice::Contender;

/// Starts all brokers, loads them in turns, and reports.
///
/// # Errors
/// If a broker does not start or refuses clients.
pub fn run(args: &AbArgs) -> Result<Verdict, Failure> {
    let plan = Plan::new(Arc::clone(&args.scenario.scenario), Share::WHOLE)?;
    let mut contenders = Vec::with_capacity(args.brokers.len());
    for broker in &args.brokers {
        args.cpus.iter().try_for_each(Placement::enter_broker)?;
        let process = BrokerProcess::start(broker)?;
        args.cpus.iter().try_for_each(Placement::enter_generator)?;
        contenders.push(Contender::connect(process, &plan, args)?);
    }
    for round in 0..args.rounds {
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            contenders[index].slice(args.warmup, args.slice)?;
        }
    }
    let results = contenders.into_iter().map(Contender::finish).collect::<Result<Vec<_>, _>>()?;
    let report = AbReport::new(args, &plan, results);
    emit(&report, &args.output)?;
    Ok(report.verdict())
}

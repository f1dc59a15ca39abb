//! Alternating comparison of brokers.
//!
//! CPU time per message drifts within minutes on a shared machine, for a null broker as for any
//! other. What holds still is the ratio of two brokers measured within the same second. So every
//! broker gets one short slice per round, the order turns with the rounds, and each broker's figure
//! is divided by that of the first broker in the same round.

mod broker;
mod placement;
mod report;
mod slice;

use crate::args::AbArgs;
use crate::engine::Plan;
use crate::failure::Failure;
use crate::report::{Verdict, emit};

use broker::BrokerProcess;
pub use placement::Placement;
use report::AbReport;
use slice::Contender;

/// Starts all brokers, loads them in turns, and reports.
///
/// # Errors
/// If a broker does not start or refuses clients.
pub fn run(args: &AbArgs) -> Result<Verdict, Failure> {
    let plan = Plan::new(args.scenario.pattern, &args.scenario.shape)?;
    let mut contenders = Vec::with_capacity(args.brokers.len());
    for broker in &args.brokers {
        args.cpus.iter().try_for_each(Placement::enter_broker)?;
        let process = BrokerProcess::start(broker)?;
        args.cpus.iter().try_for_each(Placement::enter_generator)?;
        contenders.push(Contender::connect(process, &plan)?);
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

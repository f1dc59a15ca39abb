//! Alternating comparison of brokers.
//!
//! CPU time per message drifts within minutes on a shared machine, for a null broker as for any
//! other. What holds still is the ratio of two brokers measured within the same second. So every
//! broker gets one short slice per round, the order turns with the rounds, and each broker's figure
//! is divided by that of the first broker in the same round.

mod broker;
mod compare;
mod placement;
mod report;
mod slice;

pub use compare::run;
pub use placement::Placement;

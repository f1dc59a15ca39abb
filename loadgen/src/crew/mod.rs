//! One run in several processes, on one machine or several.
//!
//! A [`Crew`] is what the one who conducts a run sees: parts that connect, publish and add up. A
//! part is a [`Fleet`](crate::engine::Fleet) in this process, or a worker process spoken to in
//! lines of JSON: over pipes if it was started here, over TCP if an agent on another machine
//! started it. A worker is the same program, `loadgen worker`.

mod agent;
#[expect(clippy::module_inception, reason = "the crew itself")]
mod crew;
mod job;
mod message;
mod remote;
mod worker;

pub use agent::run as run_agent;
pub use crew::{Crew, Measured, Parts};
pub use job::Job;
pub use worker::run as run_worker;

//! The result of one run: what is measured, written, read back and merged.
//!
//! [`RunResult`] is the JSON file that every load command writes; docs/results.md describes each
//! field. Threads, processes and machines that took part in one run measure apart; [`Merge`] adds
//! their parts without loss. What can be computed from the rest (percentiles, rates) is written
//! beside it for other programs, and ignored when a file is read.

mod counts;
#[cfg(test)]
mod documented;
mod environment;
mod latencies;
mod merge;
mod read;
mod run;
#[cfg(test)]
pub mod sample;
mod samples;
mod scenario;
mod series;
mod verdict;
mod window;

pub use counts::{BrokenFlow, Counts, QosCounts};
pub use environment::{Environment, host_name};
pub use latencies::{Latencies, LatencyKind};
pub use merge::Merge;
pub use read::read_all;
pub use run::RunResult;
pub use samples::{BrokerSample, Generator, MemoryFit};
pub use scenario::{Loop, Scenario, Source, plain};
pub use series::{Slice, add_slices};
pub use verdict::Verdict;
pub use window::Window;

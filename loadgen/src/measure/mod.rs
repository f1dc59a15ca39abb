//! What is measured: latencies, the order of messages, and the processes involved.

mod flow;
mod latency;
mod process;
mod stats;

pub use flow::FlowTracker;
pub use latency::{Latency, Summary};
pub use process::{CpuDelta, Memory, ProcessSample, ThreadCpu};
pub use stats::{fit_line, median};

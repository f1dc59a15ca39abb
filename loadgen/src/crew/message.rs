//! What a crew's processes say to each other: one JSON value a line.

use std::fs;
use std::io::{self, BufRead, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::client::Totals;
use crate::engine::Outcome;
use crate::measure::CpuDelta;
use crate::net::descriptor_limit;
use crate::result::{Slice, host_name};

/// To a worker. Times are in the worker's clock.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Answer with [`Report::Clock`].
    Clock,
    /// Start the threads of a job.
    Launch(Box<super::job::Job>),
    /// Let so many clients be connected.
    Connect(u64),
    /// Let so many idle clients subscribe.
    Subscribe(u64),
    /// Record messages due between two times.
    Record(u64, u64),
    /// Publish from a time on for a length.
    Run(u64, u64),
    /// Stop publishing.
    Hold,
    /// Disconnect, add up, and end.
    Finish,
}

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// Where it runs; the first line.
    Hello(Machine),
    /// Its clock.
    Clock(u64),
    /// The threads run.
    Launched,
    /// Progress so far, and how many orders all threads have followed.
    Progress(Totals, u64),
    /// An interval of one thread is over.
    Slice(Box<Slice>),
    /// The last line: what was measured, and the CPU time in the measurement window.
    Outcome(Box<Outcome>, CpuDelta),
    /// The last line: why there is no result.
    Failed(String),
}

/// Where a process runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the machine.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Which boot of which machine: processes with the same one share a clock.
    pub boot: String,
    /// Descriptors that the process may open.
    pub descriptors: u64,
    /// Version of the program.
    pub version: String,
}

impl Machine {
    /// This process's.
    pub fn here() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            host: host_name(),
            pid: std::process::id(),
            boot: boot.trim().to_owned(),
            descriptors: descriptor_limit().map_or(0, |limits| limits.hard),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Writes one message.
///
/// # Errors
/// If the other side is gone.
pub fn send(message: &impl Serialize, to: &mut impl Write) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Reads one message; `None` at the end.
///
/// # Errors
/// If the other side is gone, or speaks something else.
pub fn receive<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = String::new();
    match from.read_line(&mut line)? {
        0 => Ok(None),
        _ => Ok(Some(serde_json::from_str(&line)?)),
    }
}

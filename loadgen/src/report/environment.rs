//! Where a result was measured.

use std::fs;

use serde::Serialize;

/// Enough of the machine to tell whether two results may be compared.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// Version of the generator.
    pub loadgen: &'static str,
    /// The command line.
    pub command: Vec<String>,
    /// Kernel release.
    pub kernel: String,
    /// Processor model.
    pub cpu: String,
    /// Processors that this process may use.
    pub cpus: usize,
    /// Ephemeral ports, lowest and highest.
    pub port_range: String,
}

impl Environment {
    /// Reads the machine.
    pub fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            loadgen: env!("CARGO_PKG_VERSION"),
            command: std::env::args().collect(),
            kernel: line_of("/proc/sys/kernel/osrelease"),
            cpu: model.map(|(_, name)| name.trim().to_owned()).unwrap_or_default(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            port_range: line_of("/proc/sys/net/ipv4/ip_local_port_range"),
        }
    }
}

fn line_of(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().replace('\t', " ")
}

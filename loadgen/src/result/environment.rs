//! Where a result was measured.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

/// Sysctls that bound connections or move figures, by their path below `/proc/sys`.
const SYSCTLS: [&str; 12] = [
    "fs/nr_open",
    "kernel/pid_max",
    "net/core/netdev_max_backlog",
    "net/core/rmem_max",
    "net/core/somaxconn",
    "net/core/wmem_max",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/tcp_mem",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_tw_reuse",
    "net/ipv4/tcp_wmem",
];

/// Enough of the machine to tell whether two results may be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of the generator.
    pub loadgen: String,
    /// Commit that the generator was built from; `-dirty` after it if the tree was changed.
    pub loadgen_commit: String,
    /// The command line.
    pub command: Vec<String>,
    /// Kernel release.
    pub kernel: String,
    /// Processor model.
    pub cpu: String,
    /// Processors that this process may use.
    pub cpus: usize,
    /// Main memory, bytes.
    pub memory_bytes: u64,
    /// Descriptors that a process may open: soft limit.
    pub open_files_soft: u64,
    /// Descriptors that a process may open: hard limit.
    pub open_files_hard: u64,
    /// Load average over one minute when the run began; other work on the machine.
    pub load_average: f64,
    /// Kernel settings, by the name that `sysctl` uses.
    pub sysctls: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the machine.
    pub fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
        let load = line_of("/proc/loadavg");
        Self {
            loadgen: env!("CARGO_PKG_VERSION").to_owned(),
            loadgen_commit: env!("LOADGEN_COMMIT").to_owned(),
            command: std::env::args().collect(),
            kernel: line_of("/proc/sys/kernel/osrelease"),
            cpu: model.map(|(_, name)| name.trim().to_owned()).unwrap_or_default(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory_bytes(),
            open_files_soft: soft,
            open_files_hard: hard,
            load_average: load.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0),
            sysctls: SYSCTLS.iter().filter_map(|path| sysctl(path)).collect(),
        }
    }
}

/// A setting's name and value, if this kernel has it.
fn sysctl(path: &str) -> Option<(String, String)> {
    let value = fs::read_to_string(format!("/proc/sys/{path}")).ok()?;
    Some((path.replace('/', "."), value.trim().replace('\t', " ")))
}

fn memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Name of this machine.
pub fn host_name() -> String {
    line_of("/proc/sys/kernel/hostname")
}

fn line_of(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Environment::read();
        assert!(machine.cpus > 0 && machine.memory_bytes > 0 && machine.open_files_soft > 0);
        assert!(!machine.kernel.is_empty());
        let ports = &machine.sysctls["net.ipv4.ip_local_port_range"];
        assert_eq!(ports.split(' ').count(), 2, "{ports}");
    }
}

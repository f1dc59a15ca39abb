//! Whether this machine can hold the load, and what to change if not.

use std::fs;

use crate::crew::Parts;
use crate::engine::SEAT_BYTES;
use crate::net::{Endpoint, Limits, Sources, descriptor_limit};
use crate::scenario::Scenario;

/// Kernel memory of one idle TCP socket, bytes, rounded up: 3,696 measured on Linux 6.18 over
/// loopback, see docs/million.md, and an epoll registration. The broker's end takes the same again
/// where it is on this machine.
const SOCKET_BYTES: u64 = 4_000;

/// Memory of a TLS session, bytes, rounded up: rustls with TLS 1.3, idle.
const TLS_BYTES: u64 = 24_000;

/// What the load asks for.
pub struct Wanted<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// Whom to load.
    pub targets: &'a [Endpoint],
    /// Where connections come from, or why that does not do.
    pub sources: &'a Result<Sources, String>,
    /// How it is divided.
    pub parts: &'a Parts,
}

/// One thing that was checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub what: String,
    /// What to change, if it does not do.
    pub mend: Option<String>,
}

/// What the machine has.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Descriptors of one process.
    pub limits: Limits,
    /// Descriptors of all processes.
    pub file_max: u64,
    /// Memory available, bytes.
    pub available: u64,
    /// Connections waiting to be accepted, at most.
    pub somaxconn: u64,
    /// Connections tracked at most; `None` without tracking.
    pub conntrack: Option<u64>,
}

impl Machine {
    /// Reads this machine.
    ///
    /// # Errors
    /// As the system call.
    pub fn read() -> Result<Self, String> {
        let number = |path: &str, word: usize| -> Option<u64> {
            fs::read_to_string(path).ok()?.split_whitespace().nth(word)?.parse().ok()
        };
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let available = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
        let available = available.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        Ok(Self {
            limits: descriptor_limit()?,
            file_max: number("/proc/sys/fs/file-max", 0).unwrap_or(u64::MAX),
            available: available.unwrap_or(u64::MAX / 1024) * 1024,
            somaxconn: number("/proc/sys/net/core/somaxconn", 0).unwrap_or(4096),
            conntrack: number("/proc/sys/net/netfilter/nf_conntrack_max", 0),
        })
    }
}

/// Checks the load against the machine.
pub fn check(wanted: &Wanted<'_>, machine: &Machine) -> Vec<Finding> {
    let clients = wanted.scenario.seats();
    let local = wanted.targets.iter().any(|target| target.address.ip().is_loopback());
    let mut findings = vec![descriptors(wanted, clients, machine), addresses(wanted, clients)];
    findings.push(all_descriptors(clients, local, machine));
    findings.push(memory(wanted, clients, local, machine));
    findings.push(backlog(wanted, machine));
    findings.extend(machine.conntrack.map(|most| Finding {
        what: format!("{clients} connections, of which {most} can be tracked"),
        mend: (clients > most).then(|| {
            format!(
                "sysctl -w net.netfilter.nf_conntrack_max={}, or do not track them",
                clients * 2
            )
        }),
    }));
    findings
}

fn descriptors(wanted: &Wanted<'_>, clients: u64, machine: &Machine) -> Finding {
    let each = machine.limits.connections();
    let processes = match wanted.parts {
        Parts::Here => 1,
        Parts::Workers(count) => u64::from(*count),
        Parts::Agents(agents, workers) => agents.len() as u64 * u64::from(*workers),
    };
    let share = clients.div_ceil(processes);
    let needed = clients.div_ceil(each.max(1));
    Finding {
        what: format!("{share} connections in each of {processes} processes, {each} fit one"),
        mend: (share > each).then(|| {
            format!(
                "take --processes {needed} or more, or raise the limit: ulimit -Hn {}",
                share + 1000
            )
        }),
    }
}

fn addresses(wanted: &Wanted<'_>, clients: u64) -> Finding {
    match wanted.sources {
        Ok(sources) => Finding {
            what: match sources.count() {
                0 => format!("{clients} connections from the system's choice of address"),
                count => format!("{clients} connections from {count} source addresses"),
            },
            mend: None,
        },
        Err(why) => {
            let (what, mend) = why.split_once("; ").unwrap_or((why, "give more with --source"));
            let wider = "or widen net.ipv4.ip_local_port_range, or load more targets";
            Finding { what: what.to_owned(), mend: Some(format!("{mend}, {wider}")) }
        }
    }
}

fn all_descriptors(clients: u64, local: bool, machine: &Machine) -> Finding {
    let sockets = if local { clients * 2 } else { clients };
    let most = machine.file_max;
    Finding {
        what: format!("{sockets} sockets on this machine, {most} files may be open"),
        mend: (sockets > most).then(|| format!("sysctl -w fs.file-max={}", sockets * 2)),
    }
}

fn memory(wanted: &Wanted<'_>, clients: u64, local: bool, machine: &Machine) -> Finding {
    let sockets = if local { clients * 2 } else { clients };
    let tls = wanted.targets.iter().any(|target| target.tls);
    let user = clients * (SEAT_BYTES as u64 + if tls { TLS_BYTES } else { 0 });
    let needed = user + sockets * SOCKET_BYTES;
    let (mib, available) = (needed >> 20, machine.available >> 20);
    Finding {
        what: format!(
            "{mib} MiB for clients and sockets ({} bytes a client, {SOCKET_BYTES} a socket), \
             {available} MiB available",
            user / clients.max(1)
        ),
        mend: (needed > machine.available).then(|| {
            format!("take fewer connections, or more machines: {} MiB are missing", mib - available)
        }),
    }
}

fn backlog(wanted: &Wanted<'_>, machine: &Machine) -> Finding {
    let run = &wanted.scenario.run;
    let opening = run.connect_window as u64 * run.threads as u64;
    let most = machine.somaxconn;
    Finding {
        what: format!("{opening} connections being opened at once, {most} may wait to be accepted"),
        mend: (opening > most).then(|| {
            format!(
                "sysctl -w net.core.somaxconn={opening} on the broker's machine, \
                 or take a smaller connect_window"
            )
        }),
    }
}

/// The findings as text, a line each.
pub fn text(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| match &finding.mend {
        None => format!("ok    {}\n", finding.what),
        Some(mend) => format!("FAILS {}; {mend}\n", finding.what),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{BUILTIN, Setting};

    fn findings(clients: u64, parts: Parts, machine: &Machine) -> Vec<Finding> {
        let text = BUILTIN.iter().find(|builtin| builtin.name == "conn").unwrap().text;
        let scenario = Scenario::read("conn", text, &[Setting::new("clients", clients)]).unwrap();
        let target: Endpoint = "192.0.2.1:1883".parse().unwrap();
        let sources = Sources::plan(target.address, 1, &[], None, clients);
        let targets = [target];
        let wanted =
            Wanted { scenario: &scenario, targets: &targets, sources: &sources, parts: &parts };
        check(&wanted, machine)
    }

    fn machine() -> Machine {
        Machine {
            limits: Limits { soft: 1024, hard: 20_000 },
            file_max: 2_000_000,
            available: 8 << 30,
            somaxconn: 4096,
            conntrack: Some(65_536),
        }
    }

    #[test]
    fn a_small_load_needs_nothing() {
        let findings = findings(1000, Parts::Here, &machine());
        assert!(findings.iter().all(|finding| finding.mend.is_none()), "{findings:?}");
    }

    #[test]
    fn a_million_says_exactly_what_to_change() {
        let text = text(&findings(1_000_000, Parts::Here, &machine()));
        for mend in ["--processes 51", "with --source", "nf_conntrack_max=2000000"] {
            assert!(text.contains(mend), "{mend} in {text}");
        }
        assert!(!text.contains("fs.file-max="), "{text}");
        let small = Machine { available: 1 << 30, file_max: 10_000, ..machine() };
        let text = super::text(&findings(1_000_000, Parts::Workers(51), &small));
        assert!(text.contains("fs.file-max=2000000") && text.contains("MiB are missing"), "{text}");
        assert!(!text.contains("--processes"), "{text}");
    }
}

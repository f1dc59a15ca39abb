//! What `/proc` says of a process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// CPU time and context switches of each thread at one moment.
#[derive(Clone, Debug, Default)]
pub struct ProcessSample {
    threads: BTreeMap<u32, ThreadSample>,
}

#[derive(Clone, Debug, Default)]
struct ThreadSample {
    name: String,
    cpu_ns: u64,
    voluntary: u64,
    involuntary: u64,
}

/// What a process used between two samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuDelta {
    /// CPU time of all threads, ns.
    pub cpu_ns: u64,
    /// Times a thread gave the CPU up.
    pub voluntary_switches: u64,
    /// Times a thread lost the CPU.
    pub involuntary_switches: u64,
    /// The threads that used any.
    pub threads: Vec<ThreadCpu>,
}

/// CPU time of one thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadCpu {
    /// Thread id.
    pub tid: u32,
    /// Name as the kernel has it, at most 15 bytes.
    pub name: String,
    /// CPU time, ns.
    pub cpu_ns: u64,
}

impl ProcessSample {
    /// Reads all threads of `pid`.
    ///
    /// `schedstat` counts in nanoseconds, where `stat` has ticks of 10 ms.
    ///
    /// # Errors
    /// If the process is gone or may not be read. A thread that ends meanwhile is left out.
    pub fn take(pid: u32) -> io::Result<Self> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = entry?.path();
            let tid = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let (Some(tid), Ok(sample)) = (tid, ThreadSample::read(&path)) {
                threads.insert(tid, sample);
            }
        }
        Ok(Self { threads })
    }

    /// Threads alive.
    pub fn threads(&self) -> u32 {
        self.threads.len() as u32
    }

    /// What was used since `earlier`. Threads that ended in between are not seen.
    pub fn since(&self, earlier: &Self) -> CpuDelta {
        let mut delta = CpuDelta::default();
        for (&tid, now) in &self.threads {
            let before = earlier.threads.get(&tid).cloned().unwrap_or_default();
            let cpu_ns = now.cpu_ns.saturating_sub(before.cpu_ns);
            delta.cpu_ns += cpu_ns;
            delta.voluntary_switches += now.voluntary.saturating_sub(before.voluntary);
            delta.involuntary_switches += now.involuntary.saturating_sub(before.involuntary);
            if cpu_ns > 0 {
                delta.threads.push(ThreadCpu { tid, name: now.name.clone(), cpu_ns });
            }
        }
        delta
    }
}

impl ThreadSample {
    fn read(task: &Path) -> io::Result<Self> {
        let schedstat = fs::read_to_string(task.join("schedstat"))?;
        let status = fs::read_to_string(task.join("status"))?;
        Ok(Self {
            name: text_field(&status, "Name:").unwrap_or_default().to_owned(),
            cpu_ns: schedstat.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0),
            voluntary: number_field(&status, "voluntary_ctxt_switches:").unwrap_or(0),
            involuntary: number_field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0),
        })
    }
}

/// Memory of a process, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Resident set.
    pub rss: u64,
    /// Resident anonymous memory: heap and stacks.
    pub rss_anon: u64,
    /// Proportional set; 0 if the kernel does not tell.
    pub pss: u64,
}

impl Memory {
    /// Reads the memory of `pid`.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn of(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let bytes = |text: &str, name| number_field(text, name).unwrap_or(0) * 1024;
        Ok(Self {
            rss: bytes(&status, "VmRSS:"),
            rss_anon: bytes(&status, "RssAnon:"),
            pss: bytes(&rollup, "Pss:"),
        })
    }
}

fn text_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn number_field(text: &str, name: &str) -> Option<u64> {
    text_field(text, name)?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tbroker\nVmRSS:\t  1234 kB\nvoluntary_ctxt_switches:\t5\n\
                          nonvoluntary_ctxt_switches:\t6\n";

    #[test]
    fn fields_are_found_by_their_whole_name() {
        assert_eq!(text_field(STATUS, "Name:"), Some("broker"));
        assert_eq!(number_field(STATUS, "VmRSS:"), Some(1234));
        assert_eq!(number_field(STATUS, "voluntary_ctxt_switches:"), Some(5));
        assert_eq!(number_field(STATUS, "RssAnon:"), None);
    }

    #[test]
    fn own_cpu_time_grows_with_work() {
        let pid = std::process::id();
        let before = ProcessSample::take(pid).unwrap();
        let work: u64 = (0..20_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        std::hint::black_box(work);
        let delta = ProcessSample::take(pid).unwrap().since(&before);
        assert!(delta.cpu_ns > 0);
        assert!(!delta.threads.is_empty());
        assert!(Memory::of(pid).unwrap().rss > 0);
    }

    #[test]
    fn new_threads_count_from_zero() {
        let thread = |cpu_ns| ThreadSample { cpu_ns, ..ThreadSample::default() };
        let before = ProcessSample { threads: [(1, thread(100))].into() };
        let after = ProcessSample { threads: [(1, thread(150)), (2, thread(7))].into() };
        assert_eq!(after.since(&before).cpu_ns, 57);
    }
}

//! Watches the broker's process through the run.

use std::io;

use crate::clock::now_ns;
use crate::measure::{CpuDelta, Memory, ProcessSample};
use crate::result::BrokerSample;

/// Most samples kept: of a long run every second one is dropped, again and again.
const MAX_SAMPLES: usize = 2000;

/// Watches the broker's process.
pub struct Watch {
    pid: u32,
    epoch_ns: u64,
    first: ProcessSample,
    samples: Vec<BrokerSample>,
    interval_ns: u64,
    next_ns: u64,
    /// CPU time at the beginning and the end of the measurement window.
    window: (Option<ProcessSample>, Option<ProcessSample>),
    gone: bool,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// If there is no such process, or it may not be read.
    pub fn begin(pid: u32, epoch_ns: u64, interval_ns: u64) -> io::Result<Self> {
        let first = ProcessSample::take(pid)?;
        let mut watch = Self {
            pid,
            epoch_ns,
            first,
            samples: Vec::new(),
            interval_ns,
            next_ns: 0,
            window: (None, None),
            gone: false,
        };
        watch.look(epoch_ns);
        Ok(watch)
    }

    /// Looks at the process if it is time.
    pub fn look(&mut self, now_ns: u64) {
        if now_ns < self.next_ns || self.gone {
            return;
        }
        self.next_ns = now_ns + self.interval_ns;
        match self.sample() {
            Ok(sample) => self.samples.push(sample),
            Err(_) => self.gone = true,
        }
        if self.samples.len() > MAX_SAMPLES {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.interval_ns *= 2;
        }
    }

    fn sample(&self) -> io::Result<BrokerSample> {
        let now = ProcessSample::take(self.pid)?;
        let CpuDelta { cpu_ns, voluntary_switches, involuntary_switches, .. } =
            now.since(&self.first);
        Ok(BrokerSample {
            at_s: now_ns().saturating_sub(self.epoch_ns) as f64 / 1e9,
            cpu_ns,
            memory: Memory::of(self.pid)?,
            threads: now.threads(),
            voluntary_switches,
            involuntary_switches,
        })
    }

    /// The measurement window opens.
    pub fn open_window(&mut self) {
        self.window.0 = ProcessSample::take(self.pid).ok();
    }

    /// The measurement window closes.
    pub fn close_window(&mut self) {
        self.window.1 = ProcessSample::take(self.pid).ok();
    }

    /// Memory now.
    pub fn memory(&self) -> Option<Memory> {
        Memory::of(self.pid).ok()
    }

    /// Whether the process has ended.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// What was seen: samples, and CPU time in the measurement window.
    pub fn finish(self) -> (Vec<BrokerSample>, Option<CpuDelta>) {
        let (from, until) = self.window;
        (self.samples, from.zip(until).map(|(from, until)| until.since(&from)))
    }
}

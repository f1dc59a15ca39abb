//! The measurement window: after the warm-up, before the drain.

use serde::{Deserialize, Serialize};

use crate::measure::CpuDelta;

use super::merge::Merge;

/// What happened between two moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Wall time, s.
    pub seconds: f64,
    /// Application Messages sent.
    pub sent: u64,
    /// Application Messages delivered.
    pub delivered: u64,
    /// QoS 1 and 2 publications completed.
    pub acknowledged: u64,
    /// CPU of the broker, if its process is known.
    pub broker: Option<CpuDelta>,
    /// CPU of the generator.
    pub generator: CpuDelta,
}

/// What follows from a window. `None` where nothing was delivered, or the process is not known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Application Messages sent a second.
    pub sent_per_s: f64,
    /// Application Messages delivered a second.
    pub delivered_per_s: f64,
    /// Broker CPU µs for each delivered message.
    pub broker_cpu_us: Option<f64>,
    /// Generator CPU µs for each delivered message.
    pub generator_cpu_us: Option<f64>,
}

impl Window {
    /// Deliveries per second.
    pub fn delivery_rate(&self) -> f64 {
        per_second(self.delivered, self.seconds)
    }

    /// CPU µs for each delivery.
    pub fn us_per_delivery(&self, cpu: &CpuDelta) -> Option<f64> {
        (self.delivered > 0).then(|| cpu.cpu_ns as f64 / 1000.0 / self.delivered as f64)
    }

    /// What follows from the counts.
    pub fn rates(&self) -> Rates {
        Rates {
            sent_per_s: per_second(self.sent, self.seconds),
            delivered_per_s: self.delivery_rate(),
            broker_cpu_us: self.broker.as_ref().and_then(|cpu| self.us_per_delivery(cpu)),
            generator_cpu_us: self.us_per_delivery(&self.generator),
        }
    }
}

fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

impl Merge for Window {
    /// Another process's part of the same window. Of the broker only one process gives account:
    /// the one that saw most of it.
    fn merge(&mut self, other: Self) {
        self.seconds = self.seconds.max(other.seconds);
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.acknowledged += other.acknowledged;
        if other.broker.as_ref().map(|cpu| cpu.cpu_ns) > self.broker.as_ref().map(|cpu| cpu.cpu_ns)
        {
            self.broker = other.broker;
        }
        self.generator.merge(other.generator);
    }
}

impl Merge for CpuDelta {
    fn merge(&mut self, other: Self) {
        self.cpu_ns += other.cpu_ns;
        self.voluntary_switches += other.voluntary_switches;
        self.involuntary_switches += other.involuntary_switches;
        self.threads.extend(other.threads);
    }
}

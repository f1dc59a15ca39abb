//! What the broker holds before and after: memory and file descriptors, and the assertion that it
//! gave back what it took.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::broker::Broker;
use crate::support::let_pass;

/// How long memory may take to come back: the broker ends thousands of connections in many turns.
const SETTLING: Duration = Duration::from_secs(30);

/// What may stay beside 5 %: a broker at rest holds 1 to 2 MB, of which 5 % is less than what one
/// storm leaves for the next one on purpose: read and write buffers of each shard, and the slots of
/// emptied tables (a connection's takes about 100 bytes).
pub const ALLOWANCE: u64 = 2 << 20;

/// What was held at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    /// Resident anonymous memory, in bytes.
    pub memory: u64,
    /// Open file descriptors.
    pub descriptors: usize,
}

impl Holding {
    /// As of now.
    pub fn now(broker: &Broker) -> Holding {
        let list = fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("/proc");
        Holding { memory: broker.memory(), descriptors: list.count() }
    }

    /// The most memory that may stay when this was there before.
    fn bound(self) -> u64 {
        self.memory + self.memory / 20 + ALLOWANCE
    }

    /// Wants no more to have been held at a later moment than at this one, 5 % and the allowance.
    pub fn kept(self, later: Holding, what: &str) {
        println!("{what}: memory {} kB, then {} kB", self.memory / 1024, later.memory / 1024);
        assert!(later.memory <= self.bound(), "{what}: held {self:?}, then {later:?}");
    }

    /// What the first storm of its size has left, the measure for those that follow: tables keep
    /// the size they were given. Waits for the descriptors, and prints what was before, at the
    /// `peak` and now; the broker's own few descriptors may have come to be in between.
    pub fn first(self, broker: &Broker, peak: Holding) -> Holding {
        const OWN: usize = 2;
        let until = Instant::now() + SETTLING;
        let mut now = Holding::now(broker);
        while now.descriptors > self.descriptors + OWN {
            assert!(Instant::now() < until, "descriptors: held {self:?}, now {now:?}");
            let_pass(50);
            now = Holding::now(broker);
        }
        println!(
            "the first time: memory {} kB before, {} kB at its height, {} kB after",
            self.memory / 1024,
            peak.memory / 1024,
            now.memory / 1024
        );
        now
    }

    /// Waits until the broker holds no more than this, 5 % and the allowance; there is no event to
    /// wait for. Prints what was before, at the `peak` and after.
    pub fn is_back(self, broker: &Broker, what: &str, peak: Holding) -> Holding {
        let until = Instant::now() + SETTLING;
        let mut now = Holding::now(broker);
        while now.memory > self.bound() || now.descriptors > self.descriptors {
            assert!(Instant::now() < until, "{what}: held {self:?}, at most {peak:?}, now {now:?}");
            let_pass(50);
            now = Holding::now(broker);
        }
        println!(
            "{what}: memory {} kB before, {} kB at its height, {} kB after; descriptors {}, {}, {}",
            self.memory / 1024,
            peak.memory / 1024,
            now.memory / 1024,
            self.descriptors,
            peak.descriptors,
            now.descriptors
        );
        now
    }
}

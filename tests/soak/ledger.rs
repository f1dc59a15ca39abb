//! What the broker holds before and after: memory and file descriptors, and the assertion that it
//! gave back what it took.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::Version::V5;
use crate::support::broker::Broker;
use crate::support::client::{Bystanders, Client};
use crate::support::{is_sanitized, let_pass};

/// How long memory may take to come back: the broker ends thousands of connections in many turns,
/// what its caches keep ages for up to 16 seconds, and free memory goes back to the system once the
/// load stands still.
const SETTLING: Duration = Duration::from_secs(60);

/// What memory may wander in a soak whose slope is not above zero by more than its error.
pub const ALLOWANCE: u64 = 2 << 20;

/// What may stay for each thread that allocates much, beside 5 %: its arena's small live pieces lie
/// close together in a new broker, and on a few pages more after a crowd.
const SCATTER: u64 = 96 << 10;

/// And for each connection that stays: some of its half a dozen small pieces are allocated while
/// the crowd is there, lie among the crowd's, and keep a page each.
const PAGES: u64 = 3 * (4 << 10);

/// What was held at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    /// Resident anonymous memory, in bytes.
    pub memory: u64,
    /// Open file descriptors.
    pub descriptors: usize,
    /// Threads that allocate much: the shards, and the control plane's.
    pub threads: u64,
}

impl Holding {
    /// Before a storm: of a broker that has served a few clients, passed on a message and published
    /// its own ones twice, so that it has what it needs for that: its topics of loads are made when
    /// there first is one.
    pub fn before(broker: &Broker) -> Holding {
        let mut pair = Bystanders::new(broker);
        pair.exchange();
        pair.leave();
        let mut guest = Client::connect(broker, V5, "waits-for-uptime");
        assert_eq!(guest.subscribe("$SYS/broker/uptime", 0), 0);
        guest.receive();
        guest.receive();
        guest.leave();
        Holding::now(broker)
    }

    /// As of now.
    pub fn now(broker: &Broker) -> Holding {
        let process = format!("/proc/{}", broker.pid());
        let list = fs::read_dir(format!("{process}/fd")).expect("/proc");
        let threads = fs::read_dir(format!("{process}/task")).expect("/proc").flatten();
        let names = threads.filter_map(|one| fs::read_to_string(one.path().join("comm")).ok());
        let shards = names.filter(|name| name.starts_with("shard-")).count();
        Holding { memory: broker.memory(), descriptors: list.count(), threads: shards as u64 + 1 }
    }

    /// The most memory that may stay when this was there before; with a sanitizer any.
    fn bound(self) -> u64 {
        if is_sanitized() {
            return u64::MAX;
        }
        let scatter = self.threads * SCATTER + self.descriptors as u64 * PAGES;
        self.memory + self.memory / 20 + scatter
    }

    /// Waits until the broker holds no more than this, 5 % and what is scattered; there is no event
    /// to wait for. With `POND_SOAK_CLOSE` it waits for 5 % alone, as long as it may. Prints what
    /// was before, at the `peak` and after.
    pub fn is_back(self, broker: &Broker, what: &str, peak: Holding) -> Holding {
        let until = Instant::now() + SETTLING;
        let mut now = Holding::now(broker);
        let close = std::env::var_os("POND_SOAK_CLOSE").is_some();
        let enough = if close { self.memory + self.memory / 20 } else { self.bound() };
        while now.memory > enough || now.descriptors > self.descriptors {
            if Instant::now() >= until {
                let back = now.memory <= self.bound() && now.descriptors <= self.descriptors;
                assert!(back, "{what}: held {self:?}, at most {peak:?}, now {now:?}");
                break;
            }
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

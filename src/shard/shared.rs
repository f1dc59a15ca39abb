//! What all shards share.

use std::hash::BuildHasher;

use foldhash::SharedSeed;
use foldhash::fast::{RandomState, SeedableRandomState};

use super::Command;
use super::admission::Admission;
use super::pages::Pages;
use crate::auth::Methods;
use crate::metrics::{ShardMetrics, Snapshot};
use crate::reactor::{Mailbox, Marks, Waiters};
use crate::router::Router;
use crate::session::Directory;
use crate::sync::{Arc, AtomicU8, AtomicU32, Ordering};

/// Bytes of messages in a mailbox above which its feeders are not read.
const MAILBOX_BYTES: usize = 64 << 20;

/// The structures that more than one shard touches, each safe by its own rules
/// (docs/concurrency.md).
pub struct Shared {
    /// Routing trie.
    pub router: Arc<Router>,
    /// ClientId → home shard.
    pub directory: Directory,
    /// One inbox for each shard.
    pub mailboxes: Box<[Mailbox<Command>]>,
    /// Limits on who may connect.
    pub admission: Arc<Admission>,
    /// One set of counters for each shard; written by that shard only.
    pub metrics: Box<[ShardMetrics]>,
    /// Connections of each shard, for balance; a hint, not a count to rely on.
    pub load: Box<[AtomicU32]>,
    /// Files for plain HTTP requests.
    pub pages: Pages,
    /// Enhanced authentication methods.
    pub methods: Methods,
    /// Memory pressure, 0 to 3, set by the control plane and read by every shard.
    pressure: AtomicU8,
    hasher: SeedableRandomState,
}

impl Shared {
    /// For that many shards, with mailboxes of `high_water` commands.
    pub fn new(shards: usize, high_water: usize, methods: Methods) -> Self {
        let seed = RandomState::default().hash_one(shards);
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_random());
        Self::with(Router::new(shards), hasher, high_water, methods)
    }

    /// Like [`Shared::new`], with owners of topics and assigned ClientIds that follow from `seed`,
    /// so that a run can be repeated. Its hashes can be foreseen: not for the open network.
    pub fn seeded(shards: usize, high_water: usize, methods: Methods, seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self::with(Router::with_seed(shards, seed), hasher, high_water, methods)
    }

    fn with(
        router: Router,
        hasher: SeedableRandomState,
        high_water: usize,
        methods: Methods,
    ) -> Self {
        let shards = router.shards();
        let marks = Marks { commands: high_water, bytes: MAILBOX_BYTES };
        let mailbox = |shard| Mailbox::new(format!("shard-{shard}"), marks);
        Self {
            router: Arc::new(router),
            directory: Directory::default(),
            admission: Arc::default(),
            mailboxes: (0..shards).map(mailbox).collect(),
            metrics: (0..shards).map(|_| ShardMetrics::default()).collect(),
            load: (0..shards).map(|_| AtomicU32::new(0)).collect(),
            pages: Pages::default(),
            methods,
            pressure: AtomicU8::new(0),
            hasher,
        }
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.mailboxes.len()
    }

    /// The sum of all shards' counters.
    pub fn snapshot(&self) -> Snapshot {
        let mut sum = Snapshot::zero();
        self.metrics.iter().for_each(|one| sum.merge(&one.snapshot()));
        sum
    }

    /// The hash that names a topic's owner and its place in the caches; the same on every shard.
    pub fn topic_hash(&self, topic: &str) -> u64 {
        self.hasher.hash_one(topic.as_bytes())
    }

    /// The shard that owns the Retained Message of a topic with that hash.
    pub fn owner(&self, hash: u64) -> u16 {
        // The upper half: caches use the lower bits.
        ((hash >> 32) % self.shards() as u64) as u16
    }

    /// Adds a connection to a shard's load, or takes one off.
    pub fn add_load(&self, shard: u16, delta: i32) {
        // Relaxed: a hint. A read-modify-write, because the acceptor adds for other shards.
        let load = &self.load[usize::from(shard)];
        if delta < 0 {
            load.fetch_sub(delta.unsigned_abs(), Ordering::Relaxed);
        } else {
            load.fetch_add(delta.unsigned_abs(), Ordering::Relaxed);
        }
    }

    /// Makes shards run a turn because a mailbox they wait for has room again.
    pub fn nudge(&self, waiters: Waiters) {
        for shard in waiters {
            self.mailboxes[shard].nudge();
        }
    }

    /// Whether any shard may keep a Retained Message that the filter matches: the broker's own are
    /// matched by filters that begin with `$` alone. An owner counts a message before it answers
    /// for it, so whoever has seen a PUBLISH acknowledged finds it counted.
    pub fn any_retained(&self, filter: &str) -> bool {
        self.metrics.iter().any(|metrics| match filter.starts_with('$') {
            true => metrics.retained_messages.get() != 0,
            false => metrics.retained_from_clients.get() != 0,
        })
    }

    /// Live connections of all shards, about.
    pub fn connections(&self) -> usize {
        // Relaxed: see `load`.
        self.load.iter().map(|load| load.load(Ordering::Relaxed) as usize).sum()
    }

    /// The shard with the fewest connections; `own` wins a tie.
    pub fn least_loaded(&self, own: u16) -> u16 {
        // Relaxed: a stale figure makes a slightly worse choice, nothing else.
        let load = |shard: u16| self.load[usize::from(shard)].load(Ordering::Relaxed);
        let mut best = own;
        for shard in 0..self.shards() as u16 {
            if load(shard) < load(best) {
                best = shard;
            }
        }
        best
    }

    /// Memory pressure, 0 to 3.
    pub fn pressure(&self) -> u8 {
        // Relaxed: acted upon some time soon.
        self.pressure.load(Ordering::Relaxed)
    }

    /// Sets the memory pressure.
    pub fn set_pressure(&self, level: u8) {
        self.pressure.store(level, Ordering::Relaxed);
    }
}

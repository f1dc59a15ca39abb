//! The routing trie's own files, and what a model needs to see of their inside.

#[path = "../../../src/router/trie/children.rs"]
mod children;
#[path = "../../../src/router/trie/group.rs"]
mod group;
#[path = "../../../src/router/trie/key.rs"]
mod key;
#[path = "../../../src/router/trie/link.rs"]
mod link;
#[path = "../../../src/router/trie/matches.rs"]
mod matches;
#[path = "../../../src/router/trie/node.rs"]
mod node;
#[path = "../../../src/router/trie/partition.rs"]
mod partition;
#[path = "../../../src/router/trie/root.rs"]
mod root;
#[path = "../../../src/router/trie/shard_set.rs"]
mod shard_set;

pub use group::{Group, GroupId};
pub use matches::{FilterMatch, Matches};
pub use node::FilterId;
pub use root::{Router, Stamp};
pub use shard_set::{MAX_SHARDS, ShardSet};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};

use children::{Children, Leaf, Next};
use crossbeam_epoch as epoch;
use partition::Partition;

/// A hash trie of [`Word`]s with the lock of its writers, as a node has for its children.
pub struct Names {
    trie: Children<Word>,
    partition: Partition,
    /// Leaves that were made and not freed yet.
    pub live: Arc<AtomicIsize>,
}

impl Names {
    pub fn new() -> Self {
        Self { trie: Children::default(), partition: Partition::new(), live: Arc::default() }
    }

    pub fn insert(&self, hash: u32, name: &'static str) {
        self.live.fetch_add(1, Ordering::SeqCst);
        let word = Word {
            hash,
            name,
            next: Next::default(),
            is_live: AtomicBool::new(true),
            live: Arc::clone(&self.live),
        };
        self.trie.insert(Box::new(word), &self.partition.write());
    }

    pub fn remove(&self, hash: u32, name: &str) {
        let writer = self.partition.write();
        let word = self.trie.find(hash, name, writer.guard()).expect("inserted before");
        self.trie.remove(word, &writer);
    }

    /// Finds a leaf, and uses it for as long as the reader is pinned.
    pub fn has(&self, hash: u32, name: &str) -> bool {
        let guard = epoch::pin();
        let Some(found) = self.trie.find(hash, name, &guard) else { return false };
        loom::thread::yield_now();
        found.is(name) && found.hash() == hash
    }
}

/// A leaf that notices when it is used after it was freed, and when it is freed twice.
struct Word {
    hash: u32,
    name: &'static str,
    next: Next<Word>,
    /// Not loom's: it is only asked whether it lives.
    is_live: AtomicBool,
    live: Arc<AtomicIsize>,
}

impl Leaf for Word {
    fn hash(&self) -> u32 {
        assert!(self.is_live.load(Ordering::SeqCst), "read after it was freed");
        self.hash
    }

    fn is(&self, name: &str) -> bool {
        assert!(self.is_live.load(Ordering::SeqCst), "read after it was freed");
        self.name == name
    }

    fn next(&self) -> &Next<Self> {
        &self.next
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        assert!(self.is_live.swap(false, Ordering::SeqCst), "freed twice");
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

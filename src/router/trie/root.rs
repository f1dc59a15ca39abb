//! The router: partitions, and the changes and questions that they answer.

use std::hash::{BuildHasher, RandomState};

use crossbeam::epoch;
use crossbeam::utils::CachePadded;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use smallvec::SmallVec;

use super::children::Leaf;
use super::group::{Group, GroupId, GroupLeaf};
use super::link::Link;
use super::matches::{Level, Levels, Matches, walk};
use super::node::{Entry, FilterId, Node};
use super::partition::{Partition, Writer};
use super::shard_set::MAX_SHARDS;
use crate::sync::{Arc, AtomicU64, Ordering};

/// log2 of the number of partitions for filters whose first level is not a wildcard.
const PARTITION_BITS: u32 = 6;

/// The shared routing structure; see the [module](super) for its shape and its order of reads.
pub struct Router {
    hasher: SeedableRandomState,
    shards: usize,
    partitions: Box<[CachePadded<Partition>]>,
    /// Filters that begin with `+` or `#`.
    wildcards: CachePadded<Partition>,
    next_id: AtomicU64,
}

/// The versions of the partitions that can hold matches for a topic. While it is unchanged, so is
/// what the router answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    partition: u64,
    wildcards: u64,
}

impl Router {
    /// An empty router for `shards` shards, hashing with a seed of its own.
    ///
    /// # Panics
    /// If there are more shards than [`MAX_SHARDS`].
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let seed = RandomState::new().hash_one(shards);
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_random());
        Self::with_hasher(shards, hasher)
    }

    /// An empty router that lists the groups of a filter in an order that `seed` decides, so that a
    /// run can be repeated. Its hashes can be foreseen: not for the open network.
    ///
    /// # Panics
    /// If there are more shards than [`MAX_SHARDS`].
    #[must_use]
    pub fn with_seed(shards: usize, seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self::with_hasher(shards, hasher)
    }

    fn with_hasher(shards: usize, hasher: SeedableRandomState) -> Self {
        assert!(shards <= MAX_SHARDS, "{shards} shards are more than {MAX_SHARDS}");
        let partition = || CachePadded::new(Partition::new());
        Self {
            hasher,
            shards,
            partitions: std::iter::repeat_with(partition).take(1 << PARTITION_BITS).collect(),
            wildcards: partition(),
            next_id: AtomicU64::new(1),
        }
    }

    /// How many shards it tells apart.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards
    }

    /// Records that `shard` has gained its first ordinary subscriber of `filter`. Once this
    /// returns, every match sees it. Doing it again changes nothing.
    ///
    /// # Panics
    /// If `shard` is [`MAX_SHARDS`] or more.
    pub fn add(&self, filter: &str, shard: u16) -> FilterId {
        let writer = self.partition_of(filter).write();
        let entry = self.entry(filter, &writer);
        #[cfg(feature = "canary")]
        if crate::util::canary::Canary::EarlySuback.sings() {
            return entry.id;
        }
        if entry.shards.insert(shard) {
            writer.publish();
        }
        entry.id
    }

    /// Records that `shard` has lost its last ordinary subscriber of `filter`.
    pub fn remove(&self, filter: &str, shard: u16) {
        let writer = self.partition_of(filter).write();
        let Some(path) = self.path(filter, &writer) else { return };
        let Some(entry) = path.link().load(writer.guard()) else { return };
        if entry.shards.remove(shard) {
            path.prune(entry, &writer);
            writer.publish();
        }
    }

    /// Adds a member on `shard` to `group` of `filter`, making the group if it is new. Once this
    /// returns, every match sees the group and the member.
    pub fn group_join(
        &self,
        filter: &str,
        group: &str,
        shard: u16,
        online: bool,
    ) -> (FilterId, Arc<Group>) {
        let writer = self.partition_of(filter).write();
        let entry = self.entry(filter, &writer);
        let hash = Level::new(group, &self.hasher).short_hash();
        if let Some(leaf) = entry.groups.find(hash, group, writer.guard()) {
            leaf.group.count_member(shard, online, 1);
            return (entry.id, Arc::clone(&leaf.group));
        }
        let id = GroupId(self.next_id());
        let joined = Arc::new(Group::new(id, entry.id, filter, group, self.shards));
        joined.count_member(shard, online, 1);
        entry.groups.insert(Box::new(GroupLeaf::new(hash, Arc::clone(&joined))), &writer);
        writer.publish();
        (entry.id, joined)
    }

    /// Takes a member on `shard` out of `group` of `filter`. A group without a member anywhere is
    /// dropped; whoever still holds it sees its counts at zero.
    pub fn group_leave(&self, filter: &str, group: &str, shard: u16, online: bool) {
        let writer = self.partition_of(filter).write();
        let Some(path) = self.path(filter, &writer) else { return };
        let Some(entry) = path.link().load(writer.guard()) else { return };
        let hash = Level::new(group, &self.hasher).short_hash();
        let Some(leaf) = entry.groups.find(hash, group, writer.guard()) else { return };
        leaf.group.count_member(shard, online, -1);
        if leaf.group.is_idle() {
            entry.groups.remove(leaf, &writer);
            path.prune(entry, &writer);
            writer.publish();
        }
    }

    /// The versions that matter to `topic`. Read it *before* [`matches`](Self::matches), and cache
    /// what was found under it.
    #[must_use]
    pub fn stamp(&self, topic: &str) -> Stamp {
        let (first, _) = Level::first(topic, &self.hasher);
        let wildcards = if is_reserved(topic) { 0 } else { self.wildcards.version() };
        Stamp { partition: self.partition(first.hash).version(), wildcards }
    }

    /// Fills `out` with what matches `topic`.
    ///
    /// Takes time with the depth of the topic and the number of its matches, not with the number of
    /// filters.
    pub fn matches(&self, topic: &str, out: &mut Matches) {
        out.clear();
        let guard = epoch::pin();
        let (mut levels, first) = Levels::new(topic, &self.hasher);
        walk(self.partition(first.hash).root(), &mut levels, &guard, out);
        if !is_reserved(topic) {
            walk(self.wildcards.root(), &mut levels, &guard, out);
        }
    }

    /// How many different filters there are.
    #[must_use]
    pub fn filter_count(&self) -> usize {
        self.all_partitions().map(Partition::filters).sum()
    }

    /// Bytes held, without the allocator's own. What was retired but not freed yet is not counted.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let fixed = (self.partitions.len() + 1) * size_of::<CachePadded<Partition>>();
        fixed + self.all_partitions().map(Partition::bytes).sum::<usize>()
    }

    fn all_partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().chain([&self.wildcards]).map(|partition| &**partition)
    }

    fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The partition of a first level that is not a wildcard. Its bits of the hash are the ones
    /// that the children's are not taken from.
    #[inline]
    fn partition(&self, hash: u64) -> &Partition {
        &self.partitions[(hash >> (u64::BITS - PARTITION_BITS)) as usize]
    }

    fn partition_of(&self, filter: &str) -> &Partition {
        match Level::first(filter, &self.hasher).0 {
            Level { name: "+" | "#", .. } => &self.wildcards,
            level => self.partition(level.hash),
        }
    }

    /// The entry of `filter`, made with all nodes on the way if it is new.
    fn entry<'w>(&self, filter: &str, writer: &'w Writer<'_>) -> &'w Entry {
        let guard = writer.guard();
        let mut node = writer.root();
        let mut end = None;
        for name in filter.split('/') {
            node = match name {
                "#" => {
                    end = Some(node.multi());
                    break;
                }
                "+" => node.plus().load(guard).unwrap_or_else(|| {
                    let plus = Box::new(Node::new(0, name));
                    writer.grew(plus.bytes());
                    node.plus().publish(plus, guard)
                }),
                name => {
                    let hash = Level::new(name, &self.hasher).short_hash();
                    node.named().find(hash, name, guard).unwrap_or_else(|| {
                        node.named().insert(Box::new(Node::new(hash, name)), writer)
                    })
                }
            };
        }
        let link = end.unwrap_or(node.entry());
        link.load(guard).unwrap_or_else(|| {
            writer.grew(size_of::<Entry>());
            writer.filter_came();
            link.publish(Box::new(Entry::new(FilterId(self.next_id()))), guard)
        })
    }

    /// The nodes that lead to `filter`, if there are such.
    fn path<'w>(&self, filter: &str, writer: &'w Writer<'_>) -> Option<Path<'w>> {
        let mut node = writer.root();
        let mut path = Path { nodes: SmallVec::new(), multi: false };
        path.nodes.push(node);
        for name in filter.split('/') {
            node = match name {
                "#" => {
                    path.multi = true;
                    break;
                }
                "+" => node.plus().load(writer.guard())?,
                name => {
                    let hash = Level::new(name, &self.hasher).short_hash();
                    node.named().find(hash, name, writer.guard())?
                }
            };
            path.nodes.push(node);
        }
        Some(path)
    }
}

/// A filter's nodes from the root down.
struct Path<'w> {
    nodes: SmallVec<[&'w Node; 16]>,
    multi: bool,
}

impl<'w> Path<'w> {
    /// Where the filter's entry hangs.
    fn link(&self) -> &'w Link<Entry> {
        let last = self.nodes[self.nodes.len() - 1];
        if self.multi { last.multi() } else { last.entry() }
    }

    /// Retires `entry`, the path's own, if nobody needs it, and then the nodes that served it
    /// alone.
    fn prune(&self, entry: &Entry, writer: &Writer<'_>) {
        if !entry.is_idle() {
            return;
        }
        writer.shrank(size_of::<Entry>());
        writer.filter_went();
        self.link().retire(writer.guard());
        for pair in self.nodes.windows(2).rev() {
            if !pair[1].is_bare() {
                break;
            }
            pair[0].remove(pair[1], writer);
        }
    }
}

/// Filters that begin with a wildcard do not match such a topic [MQTT-4.7.2-1].
fn is_reserved(topic: &str) -> bool {
    topic.starts_with('$')
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router")
            .field("shards", &self.shards)
            .field("filters", &self.filter_count())
            .finish_non_exhaustive()
    }
}

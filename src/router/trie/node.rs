//! The nodes of the trie and what they say about a filter.

use super::children::{Children, Leaf, Next};
use super::group::GroupLeaf;
use super::key::Key;
use super::link::Link;
use super::partition::Writer;
use super::shard_set::AtomicShardSet;

/// A Topic Filter's number in the router. Never used twice: a filter that goes and comes back has
/// another number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FilterId(pub u64);

/// One topic level of one or more filters.
pub(super) struct Node {
    key: Key,
    /// The next sibling of the same hash.
    next: Next<Node>,
    /// The `+` child.
    plus: Link<Node>,
    /// All other children.
    named: Children<Node>,
    /// The filter that ends with this level.
    entry: Link<Entry>,
    /// The filter that ends with `#` below this level.
    multi: Link<Entry>,
}

const _: () = assert!(size_of::<Node>() == 64, "a node is one cache line");

/// What the trie knows of one Topic Filter.
pub(super) struct Entry {
    pub(super) id: FilterId,
    /// The shards that have ordinary subscribers.
    pub(super) shards: AtomicShardSet,
    /// The groups that share the filter, by name.
    pub(super) groups: Children<GroupLeaf>,
}

impl Entry {
    pub(super) fn new(id: FilterId) -> Self {
        Self { id, shards: AtomicShardSet::default(), groups: Children::default() }
    }

    /// Whether nobody subscribes to the filter any more.
    pub(super) fn is_idle(&self) -> bool {
        self.groups.is_empty() && self.shards.load().is_empty()
    }
}

impl Node {
    pub(super) fn new(hash: u32, level: &str) -> Self {
        Self {
            key: Key::new(hash, level),
            next: Next::default(),
            plus: Link::default(),
            named: Children::default(),
            entry: Link::default(),
            multi: Link::default(),
        }
    }

    pub(super) fn plus(&self) -> &Link<Node> {
        &self.plus
    }

    pub(super) fn named(&self) -> &Children<Node> {
        &self.named
    }

    pub(super) fn entry(&self) -> &Link<Entry> {
        &self.entry
    }

    pub(super) fn multi(&self) -> &Link<Entry> {
        &self.multi
    }

    /// Whether the node serves no filter.
    pub(super) fn is_bare(&self) -> bool {
        self.entry.is_empty()
            && self.multi.is_empty()
            && self.plus.is_empty()
            && self.named.is_empty()
    }

    /// Unlinks `child` and frees it when no reader can see it any more.
    pub(super) fn remove(&self, child: &Node, writer: &Writer<'_>) {
        let plus = self.plus.load(writer.guard());
        if plus.is_some_and(|plus| std::ptr::eq(plus, child)) {
            writer.shrank(child.bytes());
            self.plus.retire(writer.guard());
        } else {
            self.named.remove(child, writer);
        }
    }

    fn take_children(&mut self, into: &mut Vec<Node>) {
        into.extend(self.plus.take().map(|node| *node));
        self.named.drain(|node| into.push(*node));
    }
}

impl Leaf for Node {
    fn hash(&self) -> u32 {
        self.key.hash()
    }

    fn is(&self, name: &str) -> bool {
        self.key.is(name)
    }

    fn next(&self) -> &Next<Self> {
        &self.next
    }

    fn bytes(&self) -> usize {
        size_of::<Node>() + self.key.heap_bytes()
    }
}

impl Drop for Node {
    /// Frees what lies below with a stack of its own: a trie may be deeper than the thread's stack.
    fn drop(&mut self) {
        let mut below = Vec::new();
        self.take_children(&mut below);
        while let Some(mut node) = below.pop() {
            node.take_children(&mut below);
        }
    }
}

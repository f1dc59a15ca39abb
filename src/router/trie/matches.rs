//! The walk from a Topic Name to the filters that match it.

use std::hash::BuildHasher;

use crossbeam::epoch::Guard;
use foldhash::quality::SeedableRandomState;
use smallvec::SmallVec;

use super::group::Group;
use super::node::{Entry, FilterId, Node};
use super::shard_set::ShardSet;
use crate::sync::Arc;

/// A filter that matches, and the shards that have ordinary subscribers to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilterMatch {
    /// The filter.
    pub id: FilterId,
    /// The shards to tell; at least one.
    pub shards: ShardSet,
}

/// What matches a topic. Kept by the caller and filled again for each topic.
#[derive(Clone, Default, Debug)]
pub struct Matches {
    /// The matching filters that have ordinary subscribers, each once.
    pub filters: SmallVec<[FilterMatch; 4]>,
    /// The groups that share a matching filter, each once. Any one's counts may be zero by now.
    pub groups: SmallVec<[Arc<Group>; 1]>,
}

impl Matches {
    /// Forgets all matches, and keeps the memory.
    pub fn clear(&mut self) {
        self.filters.clear();
        self.groups.clear();
    }

    /// Gives all memory back, with the matches.
    pub fn release(&mut self) {
        *self = Self::default();
    }

    /// Gives back memory for more than `kept` matches of each kind, which are forgotten.
    pub fn shrink(&mut self, kept: usize) {
        self.clear();
        if self.filters.capacity() > kept {
            self.filters.shrink_to_fit();
        }
        if self.groups.capacity() > kept {
            self.groups.shrink_to_fit();
        }
    }

    /// Whether nobody subscribes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.groups.is_empty()
    }

    /// All shards that have ordinary subscribers to any of the filters.
    #[must_use]
    pub fn shards(&self) -> ShardSet {
        let mut all = ShardSet::EMPTY;
        for filter in &self.filters {
            all.extend(&filter.shards);
        }
        all
    }

    fn add(&mut self, entry: &Entry, guard: &Guard) {
        let shards = entry.shards.load();
        if !shards.is_empty() {
            self.filters.push(FilterMatch { id: entry.id, shards });
        }
        entry.groups.for_each(guard, |leaf| self.groups.push(Arc::clone(&leaf.group)));
    }
}

/// One level of a topic and its hash.
#[derive(Clone, Copy)]
pub(super) struct Level<'t> {
    pub(super) name: &'t str,
    pub(super) hash: u64,
}

impl<'t> Level<'t> {
    pub(super) fn new(name: &'t str, hasher: &SeedableRandomState) -> Self {
        Self { name, hash: hasher.hash_one(name) }
    }

    /// The first level of a topic or filter, and what follows its `/`.
    pub(super) fn first(text: &'t str, hasher: &SeedableRandomState) -> (Self, Option<&'t str>) {
        // By bytes: levels are short, and a general search costs more than it saves.
        let (name, rest) = match text.bytes().position(|byte| byte == b'/') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        (Self::new(name, hasher), rest)
    }

    /// The bits that children are found by.
    pub(super) fn short_hash(&self) -> u32 {
        self.hash as u32
    }
}

/// The levels of a topic, split and hashed only as deep as a walk gets, and only once.
pub(super) struct Levels<'t, 'h> {
    seen: SmallVec<[Level<'t>; 12]>,
    rest: Option<&'t str>,
    hasher: &'h SeedableRandomState,
}

impl<'t, 'h> Levels<'t, 'h> {
    pub(super) fn new(topic: &'t str, hasher: &'h SeedableRandomState) -> (Self, Level<'t>) {
        let (first, rest) = Level::first(topic, hasher);
        let mut seen = SmallVec::new();
        seen.push(first);
        (Self { seen, rest, hasher }, first)
    }

    /// Level `depth`, if the topic has it. A walk goes down one level at a time.
    fn get(&mut self, depth: usize) -> Option<Level<'t>> {
        if depth == self.seen.len() {
            let (level, rest) = Level::first(self.rest?, self.hasher);
            self.seen.push(level);
            self.rest = rest;
        }
        self.seen.get(depth).copied()
    }
}

/// Adds to `out` each entry below `root` that matches.
pub(super) fn walk<'g>(
    root: &'g Node,
    levels: &mut Levels<'_, '_>,
    guard: &'g Guard,
    out: &mut Matches,
) {
    let mut stack: SmallVec<[(&Node, usize); 16]> = SmallVec::new();
    stack.push((root, 0));
    while let Some((node, depth)) = stack.pop() {
        // `a/#` matches `a` itself too, so this comes before the look at what is left.
        if let Some(multi) = node.multi().load(guard) {
            out.add(multi, guard);
        }
        let Some(level) = levels.get(depth) else {
            if let Some(entry) = node.entry().load(guard) {
                out.add(entry, guard);
            }
            continue;
        };
        if let Some(plus) = node.plus().load(guard) {
            stack.push((plus, depth + 1));
        }
        if let Some(child) = node.named().find(level.short_hash(), level.name, guard) {
            stack.push((child, depth + 1));
        }
    }
}

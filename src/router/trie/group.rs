//! Groups of Shared Subscriptions, as the router sees them: how many members each shard has.

use super::children::{Leaf, Next};
use super::node::FilterId;
use super::shard_set::ShardSet;
use crate::sync::{Arc, AtomicU32, Ordering};

/// A group's number in the router. Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub u64);

/// One ShareName on one Topic Filter.
///
/// The counts are read live; a reader may see a member come or go a moment late, never a torn
/// count.
#[derive(Debug)]
pub struct Group {
    /// The group's number.
    pub id: GroupId,
    /// The number of its filter.
    pub filter_id: FilterId,
    /// The Topic Filter, without `$share` and ShareName.
    pub filter: Box<str>,
    /// The ShareName.
    pub name: Box<str>,
    shards: Box<[Counts]>,
}

#[derive(Debug, Default)]
struct Counts {
    members: AtomicU32,
    online: AtomicU32,
}

impl Group {
    pub(super) fn new(
        id: GroupId,
        filter_id: FilterId,
        filter: &str,
        name: &str,
        shards: usize,
    ) -> Self {
        let shards = std::iter::repeat_with(Counts::default).take(shards).collect();
        Self { id, filter_id, filter: filter.into(), name: name.into(), shards }
    }

    /// How many members `shard` has.
    #[must_use]
    pub fn members(&self, shard: u16) -> u32 {
        self.count(shard, |counts| &counts.members)
    }

    /// How many of its members `shard` has a connection for.
    #[must_use]
    pub fn online(&self, shard: u16) -> u32 {
        self.count(shard, |counts| &counts.online)
    }

    /// Records that members of `shard` have connected (`delta` > 0) or disconnected (< 0). Called
    /// by that shard alone. The count stops at zero.
    pub fn set_online(&self, shard: u16, delta: i32) {
        if let Some(counts) = self.shards.get(usize::from(shard)) {
            step(&counts.online, delta);
        }
    }

    /// Picks the shard that delivers message number `seq`, skipping those in `exclude`.
    ///
    /// Shards with members online are picked in proportion to how many there are; when there is
    /// none, those with members offline. A publisher that counts `seq` up goes round: any run of
    /// as many messages as there are members serves each shard exactly its share, spread out
    /// rather than in blocks. A fixed `seq` sticks to one shard while the members do not change.
    /// `None`: the group has no member outside `exclude`.
    #[must_use]
    pub fn pick_shard(&self, seq: u64, exclude: &ShardSet) -> Option<u16> {
        self.pick_weighted(seq, exclude, |counts| &counts.online)
            .or_else(|| self.pick_weighted(seq, exclude, |counts| &counts.members))
    }

    fn pick_weighted(
        &self,
        seq: u64,
        exclude: &ShardSet,
        weight: impl Fn(&Counts) -> &AtomicU32,
    ) -> Option<u16> {
        let weights = || {
            self.shards.iter().enumerate().filter_map(|(shard, counts)| {
                let weight = u64::from(weight(counts).load(Ordering::Acquire));
                let shard = shard as u16;
                (weight > 0 && !exclude.contains(shard)).then_some((shard, weight))
            })
        };
        let (mut total, mut common, mut last) = (0, 0, None);
        for (shard, weight) in weights() {
            total += weight;
            common = gcd(common, weight);
            last = Some(shard);
        }
        let total = total.checked_div(common)?;
        // Wraps only from 2^32 members up; a pick is then still a valid one.
        let mut place = (seq % total).wrapping_mul(stride(total)) % total;
        for (shard, weight) in weights() {
            // A weight that changed since the sum may carry the place past the end: `last` then.
            let weight = weight.div_ceil(common);
            if place < weight {
                return Some(shard);
            }
            place -= weight;
        }
        last
    }

    fn count(&self, shard: u16, of: impl Fn(&Counts) -> &AtomicU32) -> u32 {
        self.shards.get(usize::from(shard)).map_or(0, |counts| of(counts).load(Ordering::Acquire))
    }

    /// Counts a member in (+1) or out (-1). The partition's lock is held.
    pub(super) fn count_member(&self, shard: u16, online: bool, delta: i32) {
        if let Some(counts) = self.shards.get(usize::from(shard)) {
            step(&counts.members, delta);
            if online {
                step(&counts.online, delta);
            }
        }
    }

    /// Whether no shard has a member.
    pub(super) fn is_idle(&self) -> bool {
        self.shards.iter().all(|counts| counts.members.load(Ordering::Acquire) == 0)
    }

    fn bytes(&self) -> usize {
        let shared = 2 * size_of::<usize>(); // The counts of the Arc.
        let counts = self.shards.len() * size_of::<Counts>();
        shared + size_of::<Group>() + counts + self.filter.len() + self.name.len()
    }
}

fn step(count: &AtomicU32, delta: i32) {
    let stepped = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
        Some(n.saturating_add_signed(delta))
    });
    debug_assert!(stepped.is_ok_and(|n| n.checked_add_signed(delta).is_some()), "count below zero");
}

/// A step that visits all of `0..total`, with neighbours in time far apart in place: the golden
/// section of `total`, moved up to be coprime to it.
fn stride(total: u64) -> u64 {
    let golden = total * 618 / 1000;
    (golden.max(1)..=total).find(|&step| gcd(step, total) == 1).unwrap_or(1)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A group in its filter's entry.
pub(super) struct GroupLeaf {
    hash: u32,
    next: Next<GroupLeaf>,
    pub(super) group: Arc<Group>,
}

impl GroupLeaf {
    pub(super) fn new(hash: u32, group: Arc<Group>) -> Self {
        Self { hash, next: Next::default(), group }
    }
}

impl Leaf for GroupLeaf {
    fn hash(&self) -> u32 {
        self.hash
    }

    fn is(&self, name: &str) -> bool {
        *self.group.name == *name
    }

    fn next(&self) -> &Next<Self> {
        &self.next
    }

    fn bytes(&self) -> usize {
        size_of::<GroupLeaf>() + self.group.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(members: &[(u32, u32)]) -> Group {
        let group = Group::new(GroupId(1), FilterId(2), "a/b", "g", members.len());
        for (shard, &(total, online)) in members.iter().enumerate() {
            for n in 0..total {
                group.count_member(shard as u16, n < online, 1);
            }
        }
        group
    }

    fn shares(group: &Group, exclude: &ShardSet, messages: u64) -> Vec<u64> {
        let mut shares = vec![0; group.shards.len()];
        for seq in 0..messages {
            shares[usize::from(group.pick_shard(seq, exclude).unwrap())] += 1;
        }
        shares
    }

    #[test]
    fn each_shard_serves_its_share_of_any_full_round() {
        let group = group(&[(5, 5), (0, 0), (3, 3), (9, 1)]);
        assert_eq!(shares(&group, &ShardSet::EMPTY, 9), [5, 0, 3, 1]);
        assert_eq!(shares(&group, &ShardSet::EMPTY, 900), [500, 0, 300, 100]);
        let later = (4..13).filter(|&seq| group.pick_shard(seq, &ShardSet::EMPTY) == Some(0));
        assert_eq!(later.count(), 5);
    }

    #[test]
    fn equal_shards_take_turns() {
        let group = group(&[(7, 7), (7, 7)]);
        let picks: Vec<_> = (0..6).map(|seq| group.pick_shard(seq, &ShardSet::EMPTY)).collect();
        assert_eq!(picks, [0, 1, 0, 1, 0, 1].map(Some));
    }

    #[test]
    fn picks_are_spread_out() {
        let group = group(&[(50, 50), (50, 50), (1, 1)]);
        let mut run = (None, 0);
        for seq in 0..1000 {
            let pick = group.pick_shard(seq, &ShardSet::EMPTY);
            run = if pick == run.0 { (pick, run.1 + 1) } else { (pick, 1) };
            assert!(run.1 <= 3, "{run:?} at {seq}");
        }
    }

    #[test]
    fn offline_members_only_serve_when_no_one_is_online() {
        let group = group(&[(2, 0), (4, 1)]);
        assert_eq!(shares(&group, &ShardSet::EMPTY, 6), [0, 6]);
        let exclude: ShardSet = [1].into_iter().collect();
        assert_eq!(shares(&group, &exclude, 6), [6, 0]);
        group.set_online(1, -1);
        assert_eq!(shares(&group, &ShardSet::EMPTY, 6), [2, 4]);
        assert_eq!(group.pick_shard(0, &[0, 1].into_iter().collect()), None);
    }
}

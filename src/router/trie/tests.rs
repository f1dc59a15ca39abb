//! The router as its users see it: against a list of filters, and under threads.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use crossbeam::epoch;
use proptest::prelude::*;

use super::*;
use crate::router::naive;
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering};

const SHARDS: u16 = 70;

/// What a topic matches: shards by filter, and (filter, group) pairs.
type Found = (BTreeMap<FilterId, Vec<u16>>, BTreeSet<(String, String)>);

fn found(router: &Router, topic: &str) -> Found {
    let mut matches = Matches::default();
    router.matches(topic, &mut matches);
    let filters: BTreeMap<_, _> =
        matches.filters.iter().map(|found| (found.id, found.shards.iter().collect())).collect();
    let groups: BTreeSet<_> = matches
        .groups
        .iter()
        .map(|group| (group.filter.to_string(), group.name.to_string()))
        .collect();
    assert_eq!(filters.len(), matches.filters.len(), "a filter twice for {topic}");
    assert_eq!(groups.len(), matches.groups.len(), "a group twice for {topic}");
    (filters, groups)
}

#[derive(Clone, Debug)]
enum Change {
    Add(String, u16),
    Remove(String, u16),
    Join(String, &'static str, u16),
    Leave(String, &'static str, u16),
}

fn shard() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![0, 1, 69])
}

fn group() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["g", "h"])
}

fn change() -> impl Strategy<Value = Change> {
    let filter = naive::filters;
    prop_oneof![
        (filter(), shard()).prop_map(|(filter, shard)| Change::Add(filter, shard)),
        (filter(), shard()).prop_map(|(filter, shard)| Change::Remove(filter, shard)),
        (filter(), group(), shard()).prop_map(|(f, group, shard)| Change::Join(f, group, shard)),
        (filter(), group(), shard()).prop_map(|(f, group, shard)| Change::Leave(f, group, shard)),
    ]
}

#[derive(Default)]
struct Model {
    filters: BTreeMap<String, BTreeSet<u16>>,
    groups: BTreeMap<(String, String), BTreeMap<u16, u32>>,
}

impl Model {
    fn apply(&mut self, router: &Router, change: Change) {
        match change {
            Change::Add(filter, shard) => {
                router.add(&filter, shard);
                self.filters.entry(filter).or_default().insert(shard);
            }
            Change::Remove(filter, shard) => {
                router.remove(&filter, shard);
                self.filters.entry(filter).or_default().remove(&shard);
            }
            Change::Join(filter, group, shard) => {
                router.group_join(&filter, group, shard, true);
                *self
                    .groups
                    .entry((filter, group.into()))
                    .or_default()
                    .entry(shard)
                    .or_default() += 1;
            }
            Change::Leave(filter, group, shard) => {
                let members = self.groups.entry((filter.clone(), group.into())).or_default();
                if let Some(count @ 1..) = members.get_mut(&shard) {
                    *count -= 1;
                    router.group_leave(&filter, group, shard, true);
                }
            }
        }
        self.filters.retain(|_, shards| !shards.is_empty());
        self.groups.retain(|_, members| members.values().any(|&count| count > 0));
    }

    fn check(&self, router: &Router, topic: &str) {
        let (filters, groups) = found(router, topic);
        let expected = |filter: &str| naive::filter_matches(filter, topic);
        let mut shards: Vec<Vec<u16>> = filters.into_values().collect();
        let mut wanted: Vec<Vec<u16>> = self
            .filters
            .iter()
            .filter(|(filter, _)| expected(filter))
            .map(|(_, shards)| shards.iter().copied().collect())
            .collect();
        shards.sort();
        wanted.sort();
        assert_eq!(shards, wanted, "{topic}");
        let wanted: BTreeSet<_> =
            self.groups.keys().filter(|(filter, _)| expected(filter)).cloned().collect();
        assert_eq!(groups, wanted, "{topic}");
    }

    fn count(&self) -> usize {
        let groups = self.groups.keys().map(|(filter, _)| filter);
        self.filters.keys().chain(groups).collect::<BTreeSet<_>>().len()
    }
}

proptest! {
    #[test]
    fn matches_what_a_list_of_filters_matches(
        changes in prop::collection::vec(change(), 1..60),
        topics in prop::collection::vec(naive::topics(), 1..8),
    ) {
        let router = Router::new(usize::from(SHARDS));
        let empty = router.footprint();
        let mut model = Model::default();
        for change in changes {
            let before: Vec<_> =
                topics.iter().map(|topic| (router.stamp(topic), found(&router, topic))).collect();
            model.apply(&router, change);
            for (topic, (stamp, was)) in topics.iter().zip(before) {
                model.check(&router, topic);
                // What a cache would serve under an unmoved stamp is still right.
                prop_assert!(stamp != router.stamp(topic) || was == found(&router, topic));
            }
            prop_assert_eq!(router.filter_count(), model.count());
        }
        for (filter, shards) in std::mem::take(&mut model.filters) {
            shards.into_iter().for_each(|shard| router.remove(&filter, shard));
        }
        for ((filter, group), members) in std::mem::take(&mut model.groups) {
            for (shard, count) in members {
                (0..count).for_each(|_| router.group_leave(&filter, &group, shard, true));
            }
        }
        prop_assert_eq!((router.filter_count(), router.footprint()), (0, empty));
    }
}

#[test]
fn the_router_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Router>();
    shared::<Group>();
}

#[test]
fn the_cases_of_the_specification() {
    let router = Router::new(1);
    let filters = ["sport/#", "sport/+", "+/+", "/+", "#", "+", "$SYS/#", "a//b"];
    let ids: Vec<_> = filters.iter().map(|filter| router.add(filter, 0)).collect();
    let matching = |topic| {
        let (found, _) = found(&router, topic);
        filters.iter().zip(&ids).filter(|(_, id)| found.contains_key(id)).map(|(f, _)| *f).collect()
    };
    let expect = |topic, expected: &[&str]| {
        let matched: Vec<&str> = matching(topic);
        assert_eq!(matched, expected, "{topic}");
    };
    expect("sport", &["sport/#", "#", "+"]);
    expect("sport/", &["sport/#", "sport/+", "+/+", "#"]);
    expect("sport/tennis", &["sport/#", "sport/+", "+/+", "#"]);
    expect("/finance", &["+/+", "/+", "#"]);
    expect("$SYS/uptime", &["$SYS/#"]);
    expect("$SYS", &["$SYS/#"]);
    expect("$else/x", &[]);
    expect("a//b", &["#", "a//b"]);
}

#[test]
fn a_filter_that_comes_back_has_another_id() {
    let router = Router::new(2);
    let first = router.add("a/b", 0);
    assert_eq!(router.add("a/b", 1), first);
    router.remove("a/b", 0);
    assert_eq!(router.add("a/b", 1), first);
    router.remove("a/b", 1);
    assert_ne!(router.add("a/b", 1), first);
}

#[test]
fn only_changes_of_the_answer_move_the_version() {
    let router = Router::new(2);
    router.add("a/b", 0);
    let stamp = router.stamp("a/b");
    router.add("a/b", 0);
    router.remove("a/b", 1);
    router.remove("a/c", 0);
    router.group_leave("a/b", "g", 0, true);
    assert_eq!(router.stamp("a/b"), stamp);

    let (_, group) = router.group_join("a/b", "g", 0, true);
    let created = router.stamp("a/b");
    assert_ne!(created, stamp);
    let (_, again) = router.group_join("a/b", "g", 1, false);
    assert_eq!((again.id, group.members(1), group.online(1)), (group.id, 1, 0));
    router.group_leave("a/b", "g", 0, true);
    assert_eq!(router.stamp("a/b"), created);
    router.group_leave("a/b", "g", 1, false);
    assert_ne!(router.stamp("a/b"), created);

    let reserved = router.stamp("$SYS/x");
    router.add("#", 0);
    assert_eq!(router.stamp("$SYS/x"), reserved);
    assert_ne!(router.stamp("a/b"), created);
}

#[test]
fn depth_needs_no_stack_and_long_topics_cost_what_the_trie_is_deep() {
    let router = Router::new(1);
    let empty = router.footprint();
    let deepest = format!("{}#", "+/".repeat(199));
    let slashes = "/".repeat(65_535);
    for filter in ["#", "/#", &deepest, &slashes] {
        router.add(filter, 0);
    }
    assert_eq!(found(&router, &slashes).0.len(), 4);
    assert_eq!(found(&router, &"/".repeat(1000)).0.len(), 3);
    assert_eq!(found(&router, &"/".repeat(197)).0.len(), 2);
    router.remove(&slashes, 0);
    router.remove(&deepest, 0);
    router.remove("/#", 0);
    router.remove("#", 0);
    assert_eq!(router.footprint(), empty);
    // A deep trie is dropped without recursion, too.
    router.add(&slashes, 0);
    thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || drop(router))
        .unwrap()
        .join()
        .unwrap();
}

/// A shape on which naive backtracking doubles with each level.
#[test]
fn wildcards_at_every_level_walk_each_node_once() {
    let router = Router::new(1);
    for mask in 0..1u32 << 12 {
        let levels: Vec<_> =
            (0..12).map(|bit| if mask >> bit & 1 == 1 { "+" } else { "a" }).collect();
        router.add(&levels.join("/"), 0);
    }
    assert_eq!(found(&router, &["a"; 12].join("/")).0.len(), 1 << 12);
    assert_eq!(found(&router, &["a"; 11].join("/")).0.len(), 0);
}

#[test]
fn a_unique_filter_of_three_levels_costs_little() {
    let router = Router::new(8);
    let before = router.footprint();
    for n in 0..10_000 {
        router.add(&format!("site-{n}/device-{n}/temperature"), 0);
    }
    let each = (router.footprint() - before) / 10_000;
    assert!(each < 300, "{each} bytes");
}

/// Writers churn filters around some that stay; readers must find those in every single match, and
/// a subscription from the moment that `add` has returned.
#[test]
fn readers_see_what_was_published_while_writers_churn() {
    const KEPT: u64 = 24;
    let router = Router::new(4);
    let name = |n: u64| format!("t/{}/x{n}", n % 3);
    for n in 0..KEPT {
        router.add(&name(n), 0);
    }
    router.add("t/+/#", 1);
    let (stop, announced) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for seed in 0..2 {
            let (router, stop, announced) = (&router, &stop, &announced);
            scope.spawn(move || {
                let mut n: u64 = seed;
                while !stop.load(Ordering::Relaxed) {
                    n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                    let (kept, _) = found(router, &name((n >> 33) % KEPT));
                    assert!(kept.values().any(|shards| shards == &[0]), "lost a filter");
                    // Removed as often as added: what is read here may be retired meanwhile.
                    found(router, &name(1_000_000 + (n >> 33) % 64));
                    let newest = announced.load(Ordering::Acquire);
                    let (seen, _) = found(router, &name(newest));
                    let there = newest == 0 || seen.values().any(|shards| shards == &[2]);
                    assert!(there, "{newest} was added and is not seen");
                }
            });
        }
        let churn = scope.spawn(|| {
            for round in 0..2_000 {
                let filter = name(1_000_000 + round % 64);
                if router.add(&filter, 3).0 & 1 == 0 {
                    router.group_join("t/+/g", &filter, 3, true);
                    router.group_leave("t/+/g", &filter, 3, true);
                }
                router.remove(&name(1_000_000 + (round * 31) % 64), 3);
            }
        });
        for n in KEPT..2_000 {
            router.add(&name(n), 2);
            announced.store(n, Ordering::Release);
        }
        churn.join().unwrap();
        stop.store(true, Ordering::Relaxed);
    });
    assert!(found(&router, "t/0/g").1.is_empty(), "a group is left");
}

#[test]
fn retired_groups_are_freed() {
    let router = Router::new(1);
    let (_, group) = router.group_join("a", "g", 0, false);
    router.group_leave("a", "g", 0, false);
    for _ in 0..1_000_000 {
        if Arc::strong_count(&group) == 1 {
            return;
        }
        epoch::pin().flush();
        thread::yield_now();
    }
    panic!("the trie still holds the group");
}

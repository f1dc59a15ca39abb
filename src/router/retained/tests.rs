//! The store against a list of items.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::router::naive;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    topic: String,
    version: u32,
    expires: Option<u64>,
}

impl RetainedItem for Item {
    fn topic(&self) -> &str {
        &self.topic
    }
    fn footprint(&self) -> usize {
        self.topic.len() + 10 + self.version as usize % 7
    }
    fn expires_at_ms(&self) -> Option<u64> {
        self.expires
    }
}

fn item(topic: &str) -> Item {
    Item { topic: topic.into(), version: 0, expires: None }
}

fn store(topics: impl IntoIterator<Item = String>) -> RetainedStore<Item> {
    let mut store = RetainedStore::new();
    for topic in topics {
        store.set(item(&topic));
    }
    store
}

/// The topics found, and how many calls that looked at one item each it took.
fn scan_all(store: &RetainedStore<Item>, filter: &str) -> (Vec<String>, usize) {
    let (mut out, mut cursor, mut calls) = (Vec::new(), None, 0);
    loop {
        calls += 1;
        match store.scan(filter, cursor.as_deref(), usize::MAX, 1, &mut out) {
            ScanState::Done => break,
            ScanState::More(topic) => cursor = Some(topic),
        }
    }
    (out.into_iter().map(|item| item.topic).collect(), calls)
}

/// What one unlimited call looks at: the least limit under which it ends.
fn examined(store: &RetainedStore<Item>, filter: &str) -> usize {
    (1..)
        .find(|&limit| store.scan(filter, None, usize::MAX, limit, &mut vec![]) == ScanState::Done)
        .unwrap()
}

#[derive(Clone, Debug)]
enum Change {
    Set(String, Option<u64>),
    Remove(String),
    Expire(u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (naive::topics(), prop::option::of(0..100u64)).prop_map(|(t, at)| Change::Set(t, at)),
        1 => naive::topics().prop_map(Change::Remove),
        1 => (0..100u64).prop_map(Change::Expire),
    ]
}

#[derive(Default)]
struct World {
    store: RetainedStore<Item>,
    model: BTreeMap<String, Item>,
    version: u32,
}

impl World {
    fn apply(&mut self, change: Change, budget: usize) {
        match change {
            Change::Set(topic, expires) => {
                self.version += 1;
                let item = Item { topic: topic.clone(), version: self.version, expires };
                assert_eq!(self.store.set(item.clone()), self.model.insert(topic, item));
            }
            Change::Remove(topic) => {
                assert_eq!(self.store.remove(&topic), self.model.remove(&topic));
            }
            Change::Expire(now) => {
                let (mut removed, mut cursor) = (Vec::new(), None);
                while let ScanState::More(topic) =
                    self.store.expire(now, cursor.as_deref(), budget, &mut removed)
                {
                    cursor = Some(topic);
                }
                let expired = |item: &Item| item.expires.is_some_and(|at| at <= now);
                let mut expected: Vec<_> =
                    self.model.values().filter(|item| expired(item)).cloned().collect();
                removed.sort_by(|a, b| a.topic.cmp(&b.topic));
                expected.sort_by(|a, b| a.topic.cmp(&b.topic));
                assert_eq!(removed, expected);
                self.model.retain(|_, item| !expired(item));
            }
        }
        assert_eq!(self.store.len(), self.model.len());
        assert_eq!(self.store.bytes(), self.model.values().map(Item::footprint).sum::<usize>());
    }
}

proptest! {
    /// What is there from the first page to the last, unchanged, is found once, as it is; nothing
    /// else than what was there at some moment is found, and nothing twice.
    #[test]
    fn pages_are_complete_while_the_store_changes(
        before in prop::collection::vec(change(), 0..60),
        between in prop::collection::vec(prop::collection::vec(change(), 0..4), 0..20),
        filter in naive::filters(),
        budgets in prop::collection::vec((1..5usize, 1..5usize), 1..6),
    ) {
        let mut world = World::default();
        for change in before {
            world.apply(change, budgets[0].1);
        }
        let matches = |topic: &str| naive::filter_matches(&filter, topic);
        let mut steady: BTreeMap<_, _> =
            world.model.clone().into_iter().filter(|(topic, _)| matches(topic)).collect();
        let (mut found, mut cursor) = (Vec::new(), None::<Box<str>>);
        let mut between = between.into_iter();
        for &(items, looks) in budgets.iter().cycle() {
            let first = found.len();
            let state = world.store.scan(&filter, cursor.as_deref(), items, looks, &mut found);
            prop_assert!(found.len() - first <= items.min(looks));
            for item in &found[first..] {
                prop_assert_eq!(world.model.get(&item.topic), Some(item));
                prop_assert!(matches(&item.topic), "{} for {}", item.topic, filter);
            }
            match state {
                ScanState::Done => break,
                ScanState::More(topic) => cursor = Some(topic),
            }
            for change in between.next().unwrap_or_default() {
                world.apply(change, items);
            }
            steady.retain(|topic, item| world.model.get(topic) == Some(item));
        }
        let mut by_topic = BTreeMap::new();
        for item in found {
            prop_assert!(by_topic.insert(item.topic.clone(), item).is_none(), "found twice");
        }
        for (topic, item) in steady {
            // A change of this topic before the page and back to `item` after it cannot be:
            // versions grow. A topic that kept its version was not touched.
            prop_assert_eq!(by_topic.get(&topic), Some(&item), "{} for {}", topic, filter);
        }
    }
}

#[test]
fn the_order_keeps_subtrees_together() {
    let mut topics = ["ab", "a/b", "a", "a!", "a/", "a/b/c", "a/b!", "a0", "", "/"];
    topics.sort_by(|a, b| in_order(a, b));
    assert_eq!(topics, ["", "/", "a", "a/", "a/b", "a/b/c", "a/b!", "a!", "a0", "ab"]);
}

#[test]
fn a_filter_without_wildcards_is_looked_up() {
    let store = store((0..1000).map(|n| format!("a/{n}")));
    assert_eq!(examined(&store, "a/77"), 1);
    assert_eq!(scan_all(&store, "a/77").0, ["a/77"]);
    assert_eq!(scan_all(&store, "a/x").0, [""; 0]);
    let mut out = vec![];
    assert_eq!(store.scan("a/77", Some("a/77"), 9, 9, &mut out), ScanState::Done);
    assert!(out.is_empty(), "the cursor has passed it");
}

#[test]
fn subtrees_that_cannot_match_are_jumped_over() {
    // 100 sites with 100 devices with 10 values each.
    let store = store(
        (0..100_000).map(|n| format!("site/{:02}/dev/{:02}/{}", n / 1000, n / 10 % 100, n % 10)),
    );
    assert_eq!(scan_all(&store, "site/+/dev/42/7").0.len(), 100);
    assert!(examined(&store, "site/+/dev/42/7") <= 100 * 4 + 2);
    assert!(examined(&store, "site/+/none/#") <= 100 * 2 + 2);
    assert!(scan_all(&store, "site/+/none/#").1 <= 100 * 2 + 2, "a small budget jumps, too");
    assert!(examined(&store, "site/+") <= 100 * 2 + 2);
    assert!(examined(&store, "+/99/dev/99/+") <= 10 + 6);
    assert!(examined(&store, "site/50/#") <= 1000 + 2);
    assert!(examined(&store, "other/#") <= 1);
}

#[test]
fn wildcards_in_front_jump_over_reserved_topics() {
    let reserved = (0..1000).map(|n| format!("$SYS/{n}"));
    let store = store(reserved.chain(["!x", "a", "%", "$"].map(String::from)));
    assert_eq!(scan_all(&store, "#").0, ["!x", "%", "a"]);
    assert_eq!(scan_all(&store, "+").0, ["!x", "%", "a"]);
    assert_eq!(scan_all(&store, "$SYS/+").0.len(), 1000);
    assert!(examined(&store, "#") <= 5);
}

#[test]
fn nothing_that_expires_costs_nothing_to_sweep() {
    let mut store = store((0..100).map(|n| n.to_string()));
    assert_eq!(store.expire(u64::MAX, None, 1, &mut vec![]), ScanState::Done);
    store.set(Item { expires: Some(5), ..item("50") });
    let mut removed = vec![];
    assert!(matches!(store.expire(4, None, 10, &mut removed), ScanState::More(_)));
    assert_eq!(store.expire(4, None, 1000, &mut removed), ScanState::Done);
    assert_eq!((removed.len(), store.len()), (0, 100));
    assert_eq!(store.expire(5, None, 1000, &mut removed), ScanState::Done);
    assert_eq!((removed.len(), store.len()), (1, 99));
}

#[test]
fn topics_of_nothing_but_separators_are_cheap() {
    let slashes = "/".repeat(65_535);
    let store = store([slashes.clone(), "a".into()]);
    let filter = format!("{}#", "+/".repeat(199));
    assert_eq!(scan_all(&store, &filter).0, [slashes]);
    assert_eq!(scan_all(&store, &"/".repeat(65_534)).0.len(), 0);
}

//! Tables, router and cache together against a list of subscriptions.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::router::{Matches, ShardSet, TopicCache, naive};

const SHARDS: u16 = 3;

/// (shard, session, filter, group or nothing) → (options, subscription id, online).
type Model = BTreeMap<(u16, u32, String, &'static str), (u8, u32, bool)>;

struct World {
    router: Arc<Router>,
    tables: Vec<SubscriptionTable<u32>>,
    cache: TopicCache<Matches>,
    model: Model,
}

#[derive(Clone, Debug)]
struct Change {
    shard: u16,
    session: u32,
    filter: String,
    group: &'static str,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Come(u8, u32, bool),
    Go,
    GoBySlot,
    Online(bool),
}

fn change() -> impl Strategy<Value = Change> {
    let what = prop_oneof![
        3 => (any::<u8>(), 0..5u32, any::<bool>())
            .prop_map(|(options, id, online)| What::Come(options, id, online)),
        1 => Just(What::Go),
        1 => Just(What::GoBySlot),
        1 => any::<bool>().prop_map(What::Online),
    ];
    let group = prop::sample::select(vec!["", "", "g", "h"]);
    (0..SHARDS, 0..4u32, naive::filters(), group, what).prop_map(
        |(shard, session, filter, group, what)| Change { shard, session, filter, group, what },
    )
}

impl World {
    fn new() -> Self {
        let router = Arc::new(Router::new(usize::from(SHARDS)));
        let table = |shard| SubscriptionTable::new(shard, Arc::clone(&router));
        let tables = (0..SHARDS).map(table).collect();
        Self { router, tables, cache: TopicCache::new(8), model: Model::new() }
    }

    fn apply(&mut self, change: Change) {
        let Change { shard, session, filter, group, what } = change;
        let table = &mut self.tables[usize::from(shard)];
        let key = (shard, session, filter.clone(), group);
        let held = self.model.contains_key(&key);
        match what {
            What::Come(options, id, online) if group.is_empty() => {
                let result = table.subscribe(session, &filter, options, id);
                assert_eq!((result.existed, table.name(result.slot)), (held, &*filter));
                self.model.insert(key, (options, id, online));
            }
            What::Come(options, id, online) => {
                let result = table.join(session, &filter, group, options, id, online);
                assert_eq!(result.existed, held);
                let online = self.model.get(&key).map_or(online, |old| old.2);
                self.model.insert(key, (options, id, online));
            }
            What::Go if group.is_empty() => {
                assert_eq!(table.unsubscribe(session, &filter).is_some(), held);
                self.model.remove(&key);
            }
            What::Go => {
                assert_eq!(table.leave(session, &filter, group).is_some(), held);
                self.model.remove(&key);
            }
            What::GoBySlot if group.is_empty() => {
                let slot = table.find(&filter).unwrap_or(u32::MAX);
                assert_eq!(table.unsubscribe_slot(session, slot), held);
                self.model.remove(&key);
            }
            What::GoBySlot => {
                let slot = table.find_group(&filter, group).unwrap_or(u32::MAX);
                assert_eq!(table.leave_slot(session, slot), held);
                self.model.remove(&key);
            }
            What::Online(online) => {
                if let Some(slot) = table.find_group(&filter, group) {
                    table.set_online(session, slot, online);
                    self.model.entry(key).and_modify(|member| member.2 = online);
                }
            }
        }
    }

    /// What the cache or else the router finds, as a shard would ask.
    fn matches(&mut self, topic: &str) -> Matches {
        let (hash, stamp) = (self.cache.hash(topic), self.router.stamp(topic));
        if let Some(matches) = self.cache.get(hash, topic, stamp) {
            return matches.clone();
        }
        let mut matches = Matches::default();
        self.router.matches(topic, &mut matches);
        self.cache.insert(hash, topic, stamp, matches.clone());
        matches
    }

    fn check(&mut self, topic: &str) {
        let matches = self.matches(topic);
        let mut found = Model::new();
        for filter in &matches.filters {
            for shard in filter.shards.iter() {
                let table = &self.tables[usize::from(shard)];
                let slot = table.slot_of(filter.id).expect("the shard has subscribers");
                for subscriber in table.subscribers(slot) {
                    let key = (shard, subscriber.session, table.name(slot).to_owned(), "");
                    let value = (subscriber.options, subscriber.subscription_id, false);
                    assert_eq!(found.insert(key, value), None, "twice");
                }
            }
        }
        let expected = self.model.iter().filter(|((_, _, filter, group), _)| {
            group.is_empty() && naive::filter_matches(filter, topic)
        });
        let expected: Model =
            expected.map(|(key, value)| (key.clone(), (value.0, value.1, false))).collect();
        assert_eq!(found, expected, "{topic}");
        self.check_groups(topic, &matches);
    }

    fn check_groups(&mut self, topic: &str, matches: &Matches) {
        let mut found = BTreeSet::new();
        for group in &matches.groups {
            assert!(found.insert((group.filter.to_string(), group.name.to_string())));
            for (shard, table) in (0..).zip(&mut self.tables) {
                let members = self.model.iter().filter(|((on, _, filter, name), _)| {
                    *on == shard && *filter == *group.filter && **name == *group.name
                });
                let online = members.clone().filter(|(_, member)| member.2).count();
                let counts = (group.members(shard) as usize, group.online(shard) as usize);
                assert_eq!(counts, (members.count(), online));
                let slot = table.group_of(group.id);
                assert_eq!(slot.map_or(0, |slot| table.members(slot).len()), counts.0);
            }
            let shard = group.pick_shard(1, &ShardSet::EMPTY).expect("someone is left");
            let table = &mut self.tables[usize::from(shard)];
            let slot = table.group_of(group.id).unwrap();
            assert!(table.pick(slot, ShareStrategy::RoundRobin, 0, |_| Some(0)).is_some());
        }
        let shared = self.model.keys().filter(|(_, _, filter, group)| {
            !group.is_empty() && naive::filter_matches(filter, topic)
        });
        let expected: BTreeSet<_> =
            shared.map(|(_, _, filter, group)| (filter.clone(), group.to_string())).collect();
        assert_eq!(found, expected, "{topic}");
    }

    fn leave_all(&mut self) {
        let keys: Vec<_> = self.model.keys().cloned().collect();
        for (shard, session, filter, group) in keys {
            self.apply(Change { shard, session, filter, group, what: What::Go });
        }
    }
}

proptest! {
    #[test]
    fn subscribers_are_those_of_a_list_of_subscriptions(
        changes in prop::collection::vec(change(), 1..80),
        topics in prop::collection::vec(naive::topics(), 1..6),
    ) {
        let mut world = World::new();
        let empty = world.router.footprint();
        for change in changes {
            world.apply(change);
            for topic in &topics {
                world.check(topic);
            }
            let ordinary = world.model.keys().filter(|key| key.3.is_empty()).count();
            let counted: usize =
                world.tables.iter().map(SubscriptionTable::subscription_count).sum();
            let members: usize = world.tables.iter().map(SubscriptionTable::member_count).sum();
            prop_assert_eq!((counted, members), (ordinary, world.model.len() - ordinary));
        }
        world.leave_all();
        for table in &world.tables {
            prop_assert_eq!((table.filter_count(), table.group_count(), table.heap), (0, 0, 0));
        }
        prop_assert_eq!((world.router.filter_count(), world.router.footprint()), (0, empty));
    }
}

#[test]
fn a_popular_filter_takes_and_gives_back_many_sessions() {
    let router = Arc::new(Router::new(1));
    let mut table = SubscriptionTable::new(0, Arc::clone(&router));
    let slot = table.subscribe(0, "news", 0, 0).slot;
    let stamp = router.stamp("news");
    for session in 1..10_000u32 {
        assert_eq!(table.subscribe(session, "news", 1, session).slot, slot);
    }
    assert_eq!(router.stamp("news"), stamp, "only the first subscriber tells the router");
    assert!(table.subscribe(77, "news", 2, 5).existed);
    assert_eq!(table.subscriber(77, slot).map(|s| (s.options, s.subscription_id)), Some((2, 5)));
    for session in (0..10_000).filter(|session| session % 10 != 0) {
        assert!(table.unsubscribe_slot(session, slot));
        assert!(!table.unsubscribe_slot(session, slot));
    }
    let left: BTreeSet<_> = table.subscribers(slot).iter().map(|s| s.session).collect();
    assert_eq!(left, (0..10_000).step_by(10).collect());
}

#[test]
fn a_filter_and_a_share_of_it_do_not_touch_each_other() {
    let router = Arc::new(Router::new(1));
    let mut table = SubscriptionTable::new(0, router);
    table.subscribe(1, "t", 0, 0);
    table.join(1, "t", "g", 0, 0, true);
    assert!(table.unsubscribe(1, "t").is_some());
    assert_eq!(table.unsubscribe(1, "t"), None);
    assert!(table.find_group("t", "g").is_some());
    table.subscribe(1, "t", 0, 0);
    assert!(table.leave(1, "t", "g").is_some());
    assert_eq!(table.leave(1, "t", "g"), None);
    assert_eq!(table.subscription_count(), 1);
}

#[test]
fn one_subscription_to_a_filter_of_its_own_costs_little() {
    let mut table = SubscriptionTable::new(0, Arc::new(Router::new(1)));
    let empty = table.footprint();
    for session in 0..16_384u64 {
        table.subscribe(session, &format!("site/{session:05}/temperature"), 0, 0);
    }
    let each = (table.footprint() - empty) / 16_384;
    assert!(each <= 120, "{each} bytes");
}

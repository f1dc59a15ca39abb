//! Topic Filters and Topic Names: the routing trie, and the plain matcher beside it, against one
//! written from the words of the specification.

use std::collections::BTreeSet;

use pondhawk::protocol::{check_topic_filter, check_topic_name, filter_matches};
use pondhawk::router::{Matches, Router};

const SHARDS: u16 = 3;

/// Levels from the end, one at a time, by the letter of section 4.7.
fn matches(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) => true,
        ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => matches(filter, topic),
        ([wanted, filter @ ..], [level, topic @ ..]) => wanted == level && matches(filter, topic),
        _ => false,
    }
}

fn by_the_letter(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && (filter.starts_with('#') || filter.starts_with('+')) {
        return false;
    }
    let (filter, topic): (Vec<_>, Vec<_>) =
        (filter.split('/').collect(), topic.split('/').collect());
    matches(&filter, &topic)
}

/// Lines: `+filter` subscribes, `-filter` takes one subscription back, anything else is a topic.
/// The length of the line so far chooses the shard.
pub fn run(data: &[u8]) {
    let router = Router::with_seed(SHARDS.into(), 7);
    let mut subscribed: Vec<(String, u16)> = Vec::new();
    let text = String::from_utf8_lossy(data);
    for (index, line) in text.lines().enumerate() {
        let shard = (line.len() + index) as u16 % SHARDS;
        if let Some(filter) = line.strip_prefix('+') {
            if check_topic_filter(filter).is_ok() && !filter.starts_with("$share/") {
                // The router is told of a shard's first subscriber only.
                let new = (filter.to_owned(), shard);
                if !subscribed.contains(&new) {
                    router.add(filter, shard);
                    subscribed.push(new);
                }
            }
        } else if let Some(filter) = line.strip_prefix('-') {
            if let Some(at) = subscribed.iter().position(|(have, _)| have == filter) {
                let (filter, shard) = subscribed.swap_remove(at);
                router.remove(&filter, shard);
            }
        } else if check_topic_name(line).is_ok() {
            compare(&router, &subscribed, line);
        }
    }
    for (filter, shard) in subscribed {
        router.remove(&filter, shard);
    }
    assert_eq!(router.filter_count(), 0, "removed filters stay");
}

fn compare(router: &Router, subscribed: &[(String, u16)], topic: &str) {
    let mut found = Matches::default();
    router.matches(topic, &mut found);
    let mut expected_filters = BTreeSet::new();
    let mut expected_shards = BTreeSet::new();
    for (filter, shard) in subscribed {
        let is_match = by_the_letter(filter, topic);
        assert_eq!(filter_matches(filter, topic), is_match, "{filter:?} and {topic:?}");
        if is_match {
            expected_filters.insert(filter);
            expected_shards.insert(*shard);
        }
    }
    let ids: BTreeSet<_> = found.filters.iter().map(|found| format!("{:?}", found.id)).collect();
    assert_eq!(ids.len(), found.filters.len(), "a filter twice for {topic:?}");
    assert_eq!(ids.len(), expected_filters.len(), "for {topic:?}: {expected_filters:?}");
    let shards: BTreeSet<u16> =
        (0..SHARDS).filter(|shard| found.shards().contains(*shard)).collect();
    assert_eq!(shards, expected_shards, "for {topic:?}");
}

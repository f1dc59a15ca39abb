//! Test help: matching by the letter of the specification, and names that hit its corners.

use proptest::prelude::*;

/// Whether `filter` matches `topic`, level by level.
pub(super) fn filter_matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

fn level() -> impl Strategy<Value = &'static str> {
    // Bytes below and above `/`, one level a prefix of another, an empty one, a long one.
    prop::sample::select(vec!["a", "b", "", "a!", "ab", "a0", "$x", "a level of many bytes"])
}

/// Topic Names that collide a lot.
pub(super) fn topics() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..5)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("not empty", |topic| !topic.is_empty())
}

/// Topic Filters that match them.
pub(super) fn filters() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => level(), 2 => Just("+")];
    (prop::collection::vec(level, 1..5), any::<bool>(), 0..6)
        .prop_map(|(mut levels, multi, alone)| {
            if multi {
                levels.push("#");
            }
            if alone == 0 { String::from("#") } else { levels.join("/") }
        })
        .prop_filter("not empty", |filter| !filter.is_empty())
}

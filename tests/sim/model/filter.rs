//! Which Topic Names a Topic Filter matches [MQTT-4.7]: level by level, as the specification says.

/// Whether `filter`, without `$share` and ShareName, matches `topic`.
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['#', '+']) {
        return false; // [MQTT-4.7.2-1]
    }
    let wanted: Vec<&str> = filter.split('/').collect();
    let levels: Vec<&str> = topic.split('/').collect();
    for (at, want) in wanted.iter().enumerate() {
        if *want == "#" {
            return true; // The parent level included [MQTT-4.7.1-2].
        }
        match levels.get(at) {
            None => return false,
            Some(level) if *want != "+" && want != level => return false,
            Some(_) => {}
        }
    }
    wanted.len() == levels.len()
}

#[test]
fn filters_match_as_the_specification_has_it() {
    for (filter, topic, is) in [
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("a/+", "a", false),
        ("a/+", "a/b", true),
        ("+", "/a", false),
        ("+/+", "/a", true),
        ("#", "$SYS/a", false),
        ("a", "a/b", false),
    ] {
        assert_eq!(matches(filter, topic), is, "{filter} {topic}");
    }
}

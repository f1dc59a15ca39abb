//! The access control file evaluated line by line, as its description reads: what the compiled
//! list has to agree with.

use proptest::prelude::*;

use super::{Access, Who, parse_acl_file};
use crate::protocol::filter_matches;

#[derive(Clone, Debug)]
enum Line {
    User(String),
    Topic(&'static str, String),
    Pattern(&'static str, String),
}

impl Line {
    fn text(&self) -> String {
        match self {
            Self::User(name) => format!("user {name}\n"),
            Self::Topic(access, filter) => format!("topic {access} {filter}\n"),
            Self::Pattern(access, filter) => format!("pattern {access} {filter}\n"),
        }
    }
}

/// A name put in for `%u` or `%c` stands for itself, whatever characters it has.
fn pattern_matches(filter: &str, topic: &str, who: Who<'_>) -> bool {
    let mut plain = Vec::new();
    for (at, level) in filter.split('/').enumerate() {
        let name = match level {
            "%u" => match who.username {
                Some(name) => name,
                None => return false,
            },
            "%c" => who.client_id,
            _ => {
                plain.push(level);
                continue;
            }
        };
        if topic.split('/').nth(at) != Some(name) {
            return false;
        }
        plain.push("+");
    }
    let dollar = topic.starts_with('$') && !filter.starts_with('$');
    !dollar && filter_matches(&plain.join("/"), topic)
}

fn listed<'a>(
    rules: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    access: Access,
    matches: impl Fn(&str) -> bool,
) -> Option<bool> {
    let wanted = if access == Access::Read { "read" } else { "write" };
    if rules.clone().any(|(kind, filter)| kind == "deny" && matches(filter)) {
        return Some(false);
    }
    let grants = |kind: &str| kind == wanted || kind == "readwrite";
    let mut granting = rules.filter(|(kind, filter)| grants(kind) && matches(filter));
    granting.next().map(|_| true)
}

fn naive(lines: &[Line], who: Who<'_>, topic: &str, access: Access) -> bool {
    let mut own = Vec::new();
    let mut patterns = Vec::new();
    let mut user = None;
    for line in lines {
        match line {
            Line::User(name) => user = Some(name.as_str()),
            Line::Topic(kind, filter) if user == who.username => own.push((*kind, &**filter)),
            Line::Topic(..) => {}
            Line::Pattern(kind, filter) => patterns.push((*kind, &**filter)),
        }
    }
    let dollar = |filter: &str| topic.starts_with('$') && !filter.starts_with('$');
    let matches = |filter: &str| !dollar(filter) && filter_matches(filter, topic);
    if let Some(decided) = listed(own.into_iter(), access, matches) {
        return decided;
    }
    let wild = |name: &str| name.contains(['+', '#']);
    if who.username.is_some_and(wild) || wild(who.client_id) {
        return false;
    }
    let matches = |filter: &str| pattern_matches(filter, topic, who);
    listed(patterns.into_iter(), access, matches).unwrap_or(false)
}

fn filter(levels: &'static [&'static str]) -> impl Strategy<Value = String> {
    let level = prop::sample::select(levels);
    let levels = prop::collection::vec(level, 1..4);
    let joined = (levels, any::<bool>()).prop_map(|(mut levels, hash)| {
        if hash {
            levels.push("#");
        }
        levels.join("/")
    });
    joined.prop_filter("a filter is not empty", |filter| !filter.is_empty())
}

fn line() -> impl Strategy<Value = Line> {
    let access = || prop::sample::select(&["read", "write", "readwrite", "deny"][..]);
    prop_oneof![
        prop::sample::select(&["a", "b", "+", "$SYS"][..]).prop_map(|n| Line::User(n.to_owned())),
        (access(), filter(&["a", "b", "", "+", "$SYS", "%u"])).prop_map(|(a, f)| Line::Topic(a, f)),
        (access(), filter(&["a", "b", "", "+", "%u", "%c", "$SYS"]))
            .prop_map(|(a, f)| Line::Pattern(a, f)),
    ]
}

const LEVELS: &[&str] = &["a", "b", "", "$SYS", "%u", "x"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_list_decides_as_the_file_reads(
        lines in prop::collection::vec(line(), 0..40),
        names in prop::collection::vec(prop::sample::select(LEVELS), 1..5),
        username in prop::option::of(prop::sample::select(&["a", "b", "+", "$SYS", "a/b"][..])),
        client_id in prop::sample::select(&["a", "b", "#", "a/b", ""][..]),
    ) {
        let topic = names.join("/");
        let text: String = lines.iter().map(Line::text).collect();
        let (acl, _) = parse_acl_file(text.as_bytes()).expect("the lines are good");
        let who = Who { username, client_id };
        for access in [Access::Read, Access::Write] {
            let expected = naive(&lines, who, &topic, access);
            prop_assert_eq!(acl.allows(who, &topic, access), expected, "{:?}\n{}", access, text);
        }
    }
}

fn allows(acl: &str, username: Option<&str>, client_id: &str, topic: &str, access: Access) -> bool {
    let (acl, _) = parse_acl_file(acl.as_bytes()).expect("is good");
    acl.allows(Who { username, client_id }, topic, access)
}

#[test]
fn c17_an_empty_file_refuses_everything() {
    for acl in ["", "\n \n", "# topic read #\n", "\r\n", "user bob\n"] {
        for username in [None, Some("bob")] {
            assert!(!allows(acl, username, "c", "a", Access::Read), "{acl:?}");
            assert!(!allows(acl, username, "c", "a", Access::Write), "{acl:?}");
        }
    }
}

#[test]
fn c18_names_never_act_as_wildcards_or_levels() {
    let acl = "pattern readwrite home/%u/x\npattern readwrite dev/%c/#\npattern read all/#\n";
    for (username, client_id) in [("#", "c"), ("+", "c"), ("bob", "#"), ("bob", "+"), ("b+", "c")] {
        for topic in ["home/eve/x", "home/#/x", "dev/c/1", "dev/eve/1", "all/1"] {
            assert!(!allows(acl, Some(username), client_id, topic, Access::Read), "{topic}");
        }
    }
    assert!(!allows(acl, Some("a/x"), "c", "home/a/x", Access::Read));
    assert!(!allows(acl, Some("a/x"), "c", "home/a/x/x", Access::Read));
    assert!(!allows(acl, Some("bob"), "a/b", "dev/a/b/c", Access::Read));
    assert!(!allows(acl, Some("$SYS"), "$SYS", "$SYS/x", Access::Read));
    assert!(allows(acl, Some("bob"), "c", "home/bob/x", Access::Write));
    assert!(allows(acl, Some("a/x"), "c", "dev/c/1", Access::Write));
    assert!(!allows(acl, None, "c", "home//x", Access::Read), "%u needs a user name");
}

#[test]
fn a_file_reads_as_mosquitto_reads_it() {
    let acl = " topic read with spaces/#\ntopic x\r\nuser the boss  \ntopic deny x/y\n  topic \
               readwrite x/#\nuser ann\ntopic write only\nuser the boss\ntopic more\n";
    let boss = Some("the boss");
    assert!(allows(acl, None, "c", "with spaces/1", Access::Read));
    assert!(!allows(acl, None, "c", "with spaces/1", Access::Write));
    assert!(allows(acl, None, "c", "x", Access::Write));
    assert!(!allows(acl, Some("nobody"), "c", "x", Access::Read));
    assert!(allows(acl, boss, "c", "x/z", Access::Write));
    assert!(!allows(acl, boss, "c", "x/y", Access::Write), "deny first");
    assert!(allows(acl, boss, "c", "more", Access::Read), "the second section counts too");
    assert!(!allows(acl, Some("ann"), "c", "only", Access::Read));
}

#[test]
fn a_wrong_line_refuses_the_file_by_its_number() {
    for (bad, why) in [
        ("topic", "missing"),
        ("topic ", "missing"),
        ("topic reed x", "none of read"),
        ("topic a b", "none of read"),
        ("topic read a/#/b", "#"),
        ("topic read a+", "+"),
        ("user", "missing"),
        ("user  ", "missing"),
        ("users bob", "none of user"),
        ("Topic x", "none of user"),
        (" # not in the first column", "none of user"),
        ("\ttopic x", "none of user"),
        ("pattern", "missing"),
    ] {
        let text = format!("# head\ntopic good\n{bad}\n");
        let error = parse_acl_file(text.as_bytes()).expect_err(bad);
        assert_eq!(error.line, 3, "{bad:?}");
        assert!(error.what.contains(why), "{bad:?}: {}", error.what);
    }
    // The line ends at its last visible character, so "topic read" is about the topic "read".
    let (acl, _) = parse_acl_file(b"topic read\n").expect("is good");
    assert!(acl.allows(Who { username: None, client_id: "c" }, "read", Access::Write));
}

#[test]
fn suspicious_patterns_are_named() {
    let text = "pattern a/%u\npattern a/dev-%c/#\npattern a/b\n";
    let (_, warnings) = parse_acl_file(text.as_bytes()).expect("is good");
    let lines: Vec<_> = warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [2, 3]);
    assert!(warnings[0].what.contains("dev-%c"));
}

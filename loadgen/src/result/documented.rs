//! Checks that docs/results.md lists every field of a result file, and no other.

use std::collections::BTreeSet;

use serde_json::Value;

use super::latencies::LatencyKind;
use super::sample;

const DOCUMENT: &str = include_str!("../../../docs/results.md");

/// Maps whose names are the user's or the machine's.
const OPEN_MAPS: [&str; 4] = ["scenario.parameters", "labels", "notes", "environment.sysctls"];

fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let of_kind = LatencyKind::ALL.iter().any(|kind| kind.key() == name);
                let name = match () {
                    () if OPEN_MAPS.contains(&path) => "*",
                    () if path.ends_with("latency") && of_kind => "KIND",
                    () => name,
                };
                let dot = if path.is_empty() { "" } else { "." };
                paths(value, &format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(entries) => {
            entries.iter().for_each(|entry| paths(entry, &format!("{path}[]"), found));
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

#[test]
fn every_field_is_documented() {
    let text = sample::full().to_json();
    let mut written = BTreeSet::new();
    paths(&serde_json::from_str(&text).unwrap(), "", &mut written);
    let table = DOCUMENT.split("## Fields").nth(1).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<String> = rows.map(str::to_owned).collect();
    let missing: Vec<_> = written.difference(&documented).collect();
    assert!(missing.is_empty(), "not in docs/results.md: {missing:?}");
    let gone: Vec<_> = documented.difference(&written).collect();
    assert!(gone.is_empty(), "only in docs/results.md: {gone:?}");
}

#[test]
fn every_kind_of_histogram_is_documented() {
    for kind in LatencyKind::ALL {
        assert!(DOCUMENT.contains(&format!("`{}`", kind.key())), "{}", kind.key());
    }
}

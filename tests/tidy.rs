//! The repository's own rules, checked as a test: layering, sizes, names that may not appear, that
//! the documents tell the truth, and that every statement of the specifications has its test.
//!
//! One run reports every violation, each with its place and the mend. The rules are data at the
//! top of the files under `tests/tidy/`; CONTRIBUTING.md has the reasons.

#[path = "tidy/bans.rs"]
mod bans;
#[path = "conformance/mod.rs"]
mod conformance;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;

use source::{Source, Tree};

/// A broken rule: where, what, and how to mend it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    file: String,
    line: usize,
    text: String,
}

impl Violation {
    fn new(file: &str, line: usize, text: impl Into<String>) -> Self {
        Violation { file: file.into(), line, text: text.into() }
    }
}

fn check(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in &tree.sources {
        found.extend(check_source(source));
    }
    found.extend(shape::check_lists(&tree.sources));
    found.extend(bans::check_lists(&tree.sources));
    found.extend(documents::check(tree));
    found.sort();
    found
}

fn check_source(source: &Source) -> Vec<Violation> {
    let mut found = shape::check(source);
    found.extend(bans::check(source));
    found.extend(layers::check(source));
    found
}

#[test]
fn the_repository_is_tidy() {
    // Cargo sets it when it runs a test.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    let tree = Tree::read(root.as_ref());
    assert!(tree.sources.len() > 20, "the walk found too few files: {}", tree.sources.len());
    let found = check(&tree);
    let lines = found.iter().map(|v| format!("{}:{}: {}", v.file, v.line, v.text));
    let report = lines.collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} violations:\n{report}", found.len());
}

/// What is found in a file at `path` that holds `text`.
#[cfg(test)]
fn found_in(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(path.into(), text.into());
    check_source(&source).into_iter().map(|v| format!("{}: {}", v.line, v.text)).collect()
}

/// Asserts that exactly one violation is found, on `line`, whose text contains `part`.
#[cfg(test)]
fn assert_found(path: &str, text: &str, line: usize, part: &str) {
    let found = found_in(path, text);
    let fits =
        found.len() == 1 && found[0].starts_with(&format!("{line}: ")) && found[0].contains(part);
    assert!(fits, "{part:?} on line {line} expected, not {found:#?}");
}

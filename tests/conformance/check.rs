//! The checks: nothing that binds the broker without a test, no page that is stale.

use std::fs;
use std::path::Path;

use super::evidence::{Evidence, Version};
use super::page;
use super::statements::{self, Binds, Fault, Statement};

/// Everything the pages are made of.
pub struct Proof {
    v5: Vec<Statement>,
    v311: Vec<Statement>,
    /// The faults known from other brokers.
    pub faults: Vec<Fault>,
    /// What the tests show.
    pub evidence: Evidence,
}

impl Proof {
    fn read() -> Proof {
        // Cargo sets it when it runs a test.
        let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
        let root = Path::new(&root);
        let table =
            |name: &str| fs::read_to_string(root.join("tests/conformance").join(name)).expect(name);
        Proof {
            v5: statements::parse(&table("mqtt-5.0.tsv")),
            v311: statements::parse(&table("mqtt-3.1.1.tsv")),
            faults: statements::parse_faults(&table("faults.tsv")),
            evidence: Evidence::collect(root),
        }
    }

    /// The statements of one specification.
    pub fn of(&self, version: Version) -> &[Statement] {
        match version {
            Version::V5 => &self.v5,
            Version::V311 => &self.v311,
        }
    }
}

/// In the order of the page.
pub const VERSIONS: [Version; 2] = [Version::V5, Version::V311];

#[test]
fn every_statement_is_listed_once() {
    let proof = Proof::read();
    // As many as the standards have; MQTT 3.1.1 misprints two of its numbers.
    assert_eq!((proof.v5.len(), proof.v311.len()), (251, 141));
    for version in VERSIONS {
        for pair in proof.of(version).windows(2) {
            assert!(pair[0].order() < pair[1].order(), "{} is out of order", pair[1].number);
        }
    }
}

#[test]
fn what_a_test_shows_is_well_formed_and_exists() {
    let proof = Proof::read();
    let mut wrong = proof.evidence.mistakes.clone();
    for version in VERSIONS {
        for (number, tests) in proof.evidence.of(version) {
            if !proof.of(version).iter().any(|statement| statement.number == *number) {
                wrong.push(format!("{}: {version} has no [MQTT-{number}]", tests[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_statement_that_binds_the_broker_has_a_test() {
    let proof = Proof::read();
    let mut bare = Vec::new();
    for version in VERSIONS {
        for statement in proof.of(version) {
            let shown = proof.evidence.of(version).contains_key(&statement.number);
            if statement.binds == Binds::Broker && !shown {
                bare.push(format!("{version} [MQTT-{}] {}", statement.number, statement.text));
            }
            if statement.binds.is_absent() && shown {
                bare.push(format!(
                    "{version} [MQTT-{}] is shown by a test: it binds the broker now",
                    statement.number
                ));
            }
        }
    }
    assert!(bare.is_empty(), "no test shows these:\n{}", bare.join("\n"));
}

#[test]
fn every_fault_known_from_other_brokers_has_a_test() {
    let proof = Proof::read();
    for fault in proof.faults.iter().filter(|fault| fault.needs.is_empty()) {
        let tests = proof.evidence.guards(&fault.id);
        // These two run each scenario with one shard and with four.
        let over_sockets =
            tests.iter().any(|test| test.starts_with("wire::") || test.starts_with("shards::"));
        assert!(over_sockets, "{}: no test of tests/wire or tests/shards has its name", fault.id);
    }
    for id in proof.evidence.guarded() {
        assert!(proof.faults.iter().any(|fault| fault.id == id), "{id} is not in faults.tsv");
    }
}

#[test]
fn the_pages_are_up_to_date() {
    let proof = Proof::read();
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    for (name, text) in [
        ("docs/conformance.md", page::conformance(&proof)),
        ("docs/faults.md", page::faults(&proof)),
    ] {
        let path = Path::new(&root).join(name);
        if std::env::var_os("POND_WRITE_PAGES").is_some() {
            fs::write(&path, &text).expect("write the page");
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "{name} is stale: POND_WRITE_PAGES=1 cargo test --test tidy");
    }
}

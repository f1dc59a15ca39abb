//! The pages, as text.

use std::fmt::Write;

use super::check::{Proof, VERSIONS};
use super::evidence::Version;
use super::statements::Binds;

const WRITTEN_BY: &str = "<!-- Written by `POND_WRITE_PAGES=1 cargo test --test tidy`; do \
                          not edit. -->\n\n";

const HOW_TO_READ: &str = "\
Each numbered statement of the MQTT specifications, what it asks for in a few words, and the tests
that show that the broker does it. The number leads to the exact wording in the
[5.0](https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html) and
[3.1.1](https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html) standards.

`wire::retained::NAME` runs as `cargo test --test wire retained::NAME`. The tests of `wire` and
`shards` speak to the built broker over TCP, those of `transports` over TLS and WebSocket, too, with
one shard and with four, in bytes written by hand; `core` runs the shards' code on a transport in
memory. Many tests show more than they say here: what they receive is read strictly
(`tests/support/parse.rs`).

*Clients only* marks a statement that asks nothing of a server, not even to notice who breaks it.
";

/// docs/conformance.md.
pub fn conformance(proof: &Proof) -> String {
    let mut page = format!("# Conformance\n\n{WRITTEN_BY}{HOW_TO_READ}");
    for version in VERSIONS {
        section(&mut page, proof, version);
    }
    page
}

fn section(page: &mut String, proof: &Proof, version: Version) {
    let statements = proof.of(version);
    let count = |binds| statements.iter().filter(|statement| statement.binds == binds).count();
    let absent = statements.iter().filter(|statement| statement.binds.is_absent()).count();
    let absent = match absent {
        0 => String::new(),
        count => format!("; {count} is about bridges"),
    };
    let _written = write!(
        page,
        "\n## MQTT {version}\n\n{} statements: {} bind the broker, each with a test; {} bind \
         clients only{absent}.\n\n\
         | statement | what it asks for | shown by |\n|---|---|---|\n",
        statements.len(),
        count(Binds::Broker),
        count(Binds::Client),
    );
    for statement in statements {
        let tests = proof.evidence.of(version).get(&statement.number);
        let tests = tests.map(|tests| code_list(tests.iter().map(String::as_str)));
        let shown = match (statement.binds, tests) {
            (Binds::Client, None) => "*clients only*".into(),
            (Binds::Client, Some(tests)) => format!("*clients only*; {tests}"),
            (Binds::Bridge, _) => "*about bridges*".into(),
            (Binds::Broker, tests) => tests.unwrap_or_default(),
        };
        let text = statement.text.replace('|', "\\|");
        let _written = writeln!(page, "| MQTT-{} | {text} | {shown} |", statement.number);
    }
}

/// docs/faults.md.
pub fn faults(proof: &Proof) -> String {
    let mut page = format!("# Faults known from other brokers\n\n{WRITTEN_BY}{ABOUT_FAULTS}");
    for fault in &proof.faults {
        let tests = proof.evidence.guards(&fault.id);
        let tests = match tests.is_empty() {
            true => format!("*about {}*", fault.needs),
            false => code_list(tests.into_iter()),
        };
        let cells = [&fault.id, &fault.scenario, &fault.behaviour, &tests];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _written = writeln!(page, "| {} |", cells.join(" | "));
    }
    page
}

const ABOUT_FAULTS: &str = "\
Each was a real fault of some MQTT broker. The tests that guard against it have its number in front
of their names, so `cargo test b14_` runs those of one. Where a scenario names a count, the test may
use a smaller one that shows the same. *About …* marks what is possible only with something that is
not there or not tested for it yet.

| number | what a client does | what has to happen | guarded by |
|---|---|---|---|
";

fn code_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

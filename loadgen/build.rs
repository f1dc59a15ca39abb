//! Tells the generator which commit it is built from, for the results it writes.

use std::path::Path;
use std::process::Command;

fn main() {
    // A commit moves the log of HEAD; a change of the sources may make the tree dirty.
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=../src");
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]);
    if let Some(log) = log.filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    // Built from an archive there is no commit to name.
    let commit = git(&["describe", "--always", "--dirty", "--abbrev=12"]);
    println!("cargo::rustc-env=LOADGEN_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

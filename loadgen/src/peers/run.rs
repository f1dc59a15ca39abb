//! The command.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::args::PeersArgs;
use crate::failure::Failure;
use crate::output::say;
use crate::result::Verdict;

use super::cases::Case;
use super::table;

/// Runs each case and prints the table.
///
/// # Errors
/// If a broker does not start, or a result cannot be written.
pub fn run(args: &PeersArgs) -> Result<Verdict, Failure> {
    let cases = if args.case.is_empty() { Case::standard() } else { args.case.clone() };
    let at = |error| Failure::of(&args.out.display().to_string(), error);
    fs::create_dir_all(&args.out).map_err(at)?;
    let mut results = Vec::with_capacity(cases.len());
    for (number, case) in (1..).zip(&cases) {
        // Nobody reads it: the run goes on.
        let _ = writeln!(io::stderr(), "{number} of {}: {}", cases.len(), case.name);
        results.push((case.clone(), compare(args, case)?));
    }
    let table = table::markdown(&results)?;
    fs::write(args.out.join("table.md"), &table).map_err(at)?;
    say(&table)?;
    let kept = results.iter().all(|(_, result)| result["verdict"] == "kept");
    Ok(if kept { Verdict::Kept } else { Verdict::Broken })
}

/// One `loadgen ab`.
fn compare(args: &PeersArgs, case: &Case) -> Result<Value, Failure> {
    let path = args.out.join(format!("{}.json", case.name));
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["ab", "--quiet", "--scenario", &case.load]).arg("--out").arg(&path);
    command.args(["--rounds", &args.rounds.to_string()]);
    command.args(["--slice", &args.slice, "--warmup", &args.warmup]);
    for broker in &args.broker {
        command.args(["--broker", broker]);
    }
    if let Some(cpus) = &args.cpus {
        command.args(["--cpus", cpus]);
    }
    let status = command.status()?;
    // 1 says that a promise was broken: that is a result, too.
    match status.code() {
        Some(0 | 1) => read(&path),
        _ => Err(Failure::of(&case.name, format!("loadgen ab ended with {status}"))),
    }
}

fn read(path: &Path) -> Result<Value, Failure> {
    let of = |error: &dyn std::fmt::Display| Failure::of(&path.display().to_string(), error);
    let text = fs::read_to_string(path).map_err(|error| of(&error))?;
    serde_json::from_str(&text).map_err(|error| of(&error))
}

//! Printing and writing results.

use std::fs;

use serde::Serialize;

use crate::args::OutputArgs;
use crate::failure::Failure;
use crate::result::RunResult;

use super::say;
use super::summary::summary;

/// A report, other than of one run, that can be shown to a person.
pub trait Show {
    /// The report as text, with a line end.
    fn text(&self) -> String;
}

/// Writes the result of a run where `output` wants it, with the labels given there.
///
/// # Errors
/// If the file or the standard output cannot be written.
pub fn emit_run(result: &mut RunResult, output: &OutputArgs) -> Result<(), Failure> {
    result.labels.extend(output.label.iter().cloned());
    if let Some(folder) = &output.hgrm {
        let failed = |error| Failure::of(&folder.display().to_string(), error);
        fs::create_dir_all(folder).map_err(failed)?;
        for (kind, latency) in result.latency.iter() {
            let path = folder.join(format!("{}.hgrm", kind.key()));
            fs::write(path, latency.hgrm()).map_err(failed)?;
        }
    }
    write(|| Ok(result.to_json()), || summary(result), output)
}

/// Writes a report where `output` wants it.
///
/// # Errors
/// If the file or the standard output cannot be written.
pub fn emit(report: &(impl Serialize + Show), output: &OutputArgs) -> Result<(), Failure> {
    let json = || serde_json::to_string_pretty(report).map_err(|e| Failure::of("JSON", e));
    write(|| Ok(json()? + "\n"), || report.text(), output)
}

fn write(
    json: impl Fn() -> Result<String, Failure>,
    text: impl Fn() -> String,
    output: &OutputArgs,
) -> Result<(), Failure> {
    if let Some(path) = &output.out {
        fs::write(path, json()?)
            .map_err(|error| Failure::of(&path.display().to_string(), error))?;
    }
    if output.quiet {
        return Ok(());
    }
    let text = if output.json { json()? } else { text() };
    Ok(say(&text)?)
}

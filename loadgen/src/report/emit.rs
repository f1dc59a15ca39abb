//! Printing and writing results.

use std::fs;
use std::io::{self, Write};

use serde::Serialize;

use crate::args::OutputArgs;
use crate::failure::Failure;

/// A result that can be shown to a person.
pub trait Show {
    /// The result as text, with a line end.
    fn text(&self) -> String;
}

/// Writes a result where `output` wants it.
///
/// # Errors
/// If the file or the standard output cannot be written.
pub fn emit(result: &(impl Serialize + Show), output: &OutputArgs) -> Result<(), Failure> {
    let json = || serde_json::to_string_pretty(result).map_err(|e| Failure::of("JSON", e));
    if let Some(path) = &output.out {
        fs::write(path, json()? + "\n")
            .map_err(|error| Failure::of(&path.display().to_string(), error))?;
    }
    if output.quiet {
        return Ok(());
    }
    let text = if output.json { json()? + "\n" } else { result.text() };
    Ok(io::stdout().write_all(text.as_bytes())?)
}

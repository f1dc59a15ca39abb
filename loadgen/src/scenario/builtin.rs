//! The scenarios that the program brings along.

use std::fs;

use crate::failure::Failure;

use super::model::Scenario;
use super::problem::{Problem, nearest};
use super::values::Setting;

/// A scenario of the program.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        /// All of them: the files of `loadgen/scenarios`.
        pub const BUILTIN: &[Builtin] = &[$(Builtin {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $name, ".toml")),
        }),*];
    };
}

builtin!("conn", "p2p", "fanin", "fanout", "shared", "storm", "idle", "retained", "takeover",);

/// Reads a scenario: a built-in one by its name, otherwise a file.
///
/// # Errors
/// If there is no such scenario, or it has problems; all of them are named.
pub fn load(name: &str, settings: &[Setting]) -> Result<Scenario, Failure> {
    let builtin = BUILTIN.iter().find(|builtin| builtin.name == name);
    let read = match builtin {
        Some(builtin) => Scenario::read(name, builtin.text, settings),
        None => {
            let text = fs::read_to_string(name).map_err(|error| missing(name, &error))?;
            Scenario::read(name, &text, settings)
        }
    };
    read.map_err(|problems| listed(&problems))
}

fn missing(name: &str, error: &std::io::Error) -> Failure {
    let known = nearest(name, BUILTIN.iter().map(|builtin| builtin.name));
    let hint = known.map_or_else(
        || "`loadgen scenarios` lists the built-in ones".to_owned(),
        |near| format!("did you mean the built-in '{near}'?"),
    );
    Failure::of(&format!("scenario '{name}'"), format!("{error}; {hint}"))
}

/// All problems, a line each.
fn listed(problems: &[Problem]) -> Failure {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n").into()
}

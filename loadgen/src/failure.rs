//! What stops the generator from giving a result.

use std::fmt;
use std::io;

/// A reason, for the one who typed the command.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// The process's exit code: usage or set-up error.
    pub const EXIT_CODE: u8 = 2;

    /// `what` could not be done because of `why`.
    pub fn of(what: &str, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

//! What is wrong with a listener's TLS.

use std::path::Path;

/// For the operator.
#[derive(Debug)]
pub(in crate::transport) struct Problem {
    /// The option it is about.
    pub(in crate::transport) option: &'static str,
    /// What is wrong: no full stop.
    pub(in crate::transport) what: String,
    /// What to do about it: no full stop.
    pub(in crate::transport) mend: &'static str,
}

impl Problem {
    /// With an option as a whole.
    pub(super) fn of(
        option: &'static str,
        what: impl std::fmt::Display,
        mend: &'static str,
    ) -> Self {
        Self { option, what: what.to_string(), mend }
    }

    /// With a file that an option names.
    pub(super) fn with(
        option: &'static str,
        path: &Path,
        what: impl std::fmt::Display,
        mend: &'static str,
    ) -> Self {
        Self { option, what: format!("{option} {}: {what}", path.display()), mend }
    }
}

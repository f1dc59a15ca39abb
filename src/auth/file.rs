//! What is wrong in a password or access control file; whoever read it knows its name.

/// The file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl FileError {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// The file can be used, but a line of it is probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWarning {
    /// The line, counted from 1.
    pub line: usize,
    /// What about it.
    pub what: String,
}

impl FileWarning {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

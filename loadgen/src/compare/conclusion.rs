//! What a comparison says.

use std::fmt;

use serde::Serialize;

/// What a comparison says of the new side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Better in something that is judged, and worse in nothing.
    Faster,
    /// Worse in something that is judged.
    Slower,
    /// Neither was shown. That is not the same as being equal.
    NoDifferenceShown,
}

impl Conclusion {
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Faster | Self::NoDifferenceShown => 0,
            Self::Slower => 1,
        }
    }

    /// Of several: one that is slower makes all slower.
    pub fn of_all(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::NoDifferenceShown, |sum, part| match (sum, part) {
            (Self::Slower, _) | (_, Self::Slower) => Self::Slower,
            (Self::Faster, _) | (_, Self::Faster) => Self::Faster,
            _ => Self::NoDifferenceShown,
        })
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NoDifferenceShown => "no difference shown",
        })
    }
}

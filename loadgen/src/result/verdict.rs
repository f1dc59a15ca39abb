//! Whether a run kept its promises.

use serde::{Deserialize, Serialize};

use super::merge::Merge;

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All promises kept.
    Kept,
    /// A promise of the QoS was broken, or clients were lost.
    Broken,
    /// The generator was too slow for the asked rate: the figures say nothing of the broker.
    GeneratorBound,
}

impl Verdict {
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Kept => 0,
            Self::Broken => 1,
            Self::GeneratorBound => 3,
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Kept => "promises kept",
            Self::Broken => "promises broken",
            Self::GeneratorBound => "generator-bound: the figures say nothing of the broker",
        }
    }
}

impl Merge for Verdict {
    /// A broken promise outweighs a slow generator, which outweighs a clean part.
    fn merge(&mut self, other: Self) {
        let weight = |verdict| match verdict {
            Self::Kept => 0,
            Self::GeneratorBound => 1,
            Self::Broken => 2,
        };
        if weight(other) > weight(*self) {
            *self = other;
        }
    }
}

//! What reading a file yields, whatever its format.

use super::error::Mistake;
use super::places::Places;
use super::schema::Config;

/// Said once where persistence is asked for.
pub(super) const PERSISTENCE: &str = "PERSISTENCE IS NOT AVAILABLE: this version keeps \
    sessions and retained messages in memory only, and a restart loses them. persistence and the \
    options that belong to it (persistence_file, persistence_location, autosave_interval, \
    autosave_on_changes) have no effect.";

/// What was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    /// Its options, as far as they are right.
    pub(super) config: Config,
    /// Where they stand.
    pub(super) places: Places,
    /// What is wrong.
    pub(super) mistakes: Vec<Mistake>,
    /// Sentences for the operator.
    pub(super) warnings: Vec<String>,
}

//! Counters, one set for each shard.

/// All values at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    samples: Vec<Sample>,
}

/// One exported value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// The value.
    pub value: i64,
}

impl Snapshot {
    /// Every value with its description.
    pub fn iter(&self) -> impl Iterator<Item = Sample> + '_ {
        self.samples.iter().copied()
    }
}

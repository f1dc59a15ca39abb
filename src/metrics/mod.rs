//! Counters and gauges, one set for each shard.
//!
//! A shard's set is written by that shard's thread alone, so an increment is a plain load and
//! store; any thread may read it. Readers see each value whole but no moment common to all of them.
//! `names.rs` holds the one list: a line there is a field, a name and a help text.

mod counters;
mod drops;
mod names;
mod shard;
mod snapshot;

pub use counters::{Counter, Gauge};
pub use drops::DropReason;
pub use names::{Descriptor, Kind};
pub use shard::{ShardMetrics, Values};
pub use snapshot::{Sample, Snapshot};

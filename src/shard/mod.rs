//! One core's thread and everything it owns.

mod handle;

pub use handle::{Handle, Shards};

//! `loadgen peers`: the standard cases against a list of brokers, as one table.
//!
//! Each case is one `loadgen ab`, run as a process of its own: brokers of one case are gone before
//! the next begins, and each result is kept as that command wrote it.

mod cases;
mod run;
mod table;

pub use cases::Case;
pub use run::run;

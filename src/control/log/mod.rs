//! The log: Mosquitto's kinds of messages over `tracing`, written by a thread of its own.
//!
//! # Kinds
//! An event's target may be a kind's name (`notice`, `subscribe`, …) and then is of that kind
//! whatever its level. Any other target of this crate goes by level: error, warning, information,
//! and debug for the rest. Other crates are heard from warning up. `log_type` chooses which kinds
//! are written; what is not chosen costs its caller one load, since `tracing` remembers the choice
//! for each place that logs, and forgets it when a reload changes the choice.
//!
//! # Fields
//! The message says everything. What a program may want to pick out stands in fields beside it;
//! they appear in JSON lines only. The field `like` is not written: it names what the line is one
//! of many of, and lines of one name that come too fast are summed up in one ([`limit`]).
//!
//! # Never waiting
//! Lines go through a bounded queue to the writer thread. When it is full a line is dropped and
//! counted, and so is one that a destination did not take; [`LogHandle::lost_lines`] tells, and the
//! metrics collector says so in the log.

pub mod limit;

mod dest;
mod handle;
mod kinds;
mod layer;
mod line;
mod record;
mod stamp;
mod syslog;
mod topic;
mod writer;

pub use handle::{Log, LogGuard, LogHandle, Prepared};
pub use topic::publish_through;
pub use writer::Publish;

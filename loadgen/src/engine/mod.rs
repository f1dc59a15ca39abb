//! Threads, sockets and pacing that drive many clients.
//!
//! A [`Plan`] says which clients there are and on which thread; a [`Fleet`] runs it. Each thread is
//! one mio loop with its own clients. A turn is: poll, read, pump publishers, one write for each
//! client with something to say.

mod control;
mod fleet;
mod link;
mod pacer;
mod plan;
mod snapshot;
mod source;
mod timer;
mod worker;

pub use fleet::{Fleet, Outcome};
pub use link::{Link, Received, may_be_closed};
pub use plan::Plan;
pub use snapshot::Snapshot;
pub use source::{Sources, raise_descriptor_limit};

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
mod source;
mod timer;
mod worker;

pub use fleet::{Fleet, Outcome};
pub use plan::{ClientPlan, Plan};
pub use source::{Sources, raise_descriptor_limit};

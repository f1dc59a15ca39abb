//! Threads that drive many clients.
//!
//! A [`Fleet`] runs the clients of a plan in this process. Each thread is one mio loop with its own
//! clients in a slab of [`Seat`]s; there is no thread, task or timer for a single client. A turn:
//! poll, open connections, read, pump publishers, one write for each client with something to say.
//!
//! [`Seat`]: seat::Seat

mod churn;
mod control;
mod course;
mod fleet;
mod keep_alive;
mod link;
mod opener;
mod outcome;
mod pacer;
mod seat;
mod slow;
mod timer;
mod traffic;
mod worker;

pub use fleet::{Fleet, FleetSettings};
pub use link::{Link, Received, may_be_closed};
pub use outcome::{FlowTally, Outcome};
pub use seat::SEAT_BYTES;

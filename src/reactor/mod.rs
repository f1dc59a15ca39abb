//! A shard's event loop: tokens and bytes, no MQTT.
//!
//! [`Reactor`] owns the poll, the clock and the order of a turn, and drives a [`Handler`]. It runs
//! on the shard's thread. [`Mailbox`] is the one part that other threads touch: they push commands
//! and wake the owner only if it sleeps.

mod clock;
mod mailbox;
mod poll;
mod spin;

pub use clock::Clock;
pub use mailbox::{Mailbox, Marks, SHARDS_MAX, Waiters};
pub use poll::{CONNECTION_TOKEN_MIN, Handler, Reactor, ReactorConfig, Ready};

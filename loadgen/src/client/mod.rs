//! One MQTT client as a state machine: bytes in, bytes out, no socket and no clock.
//!
//! [`Client`] does the handshake and knows its roles: a [`Publisher`], a
//! [`Subscriber`](subscriber::Subscriber), both, or none. What clients of one group share is in
//! [`Kind`], what clients of one process share in [`Board`]; what one thread measures goes to a
//! [`Recorder`].

mod board;
mod frame;
mod inflight;
mod kind;
mod machine;
mod publisher;
mod recorder;
mod schedule;
mod seen;
pub mod stamp;
mod subscriber;
#[cfg(test)]
mod tests;
mod wire;

pub use board::{Board, Totals};
pub use kind::Kind;
pub use machine::{Client, Context, Ended, Ours, Stage};
pub use publisher::{Due, Publisher};
pub use recorder::Recorder;
pub use schedule::{Progress, Schedule};
pub use seen::{Seen, SeenFlow};
pub use subscriber::Damage;

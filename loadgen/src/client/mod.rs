//! One MQTT client as a state machine: bytes in, bytes out, no socket and no clock.
//!
//! [`Client`] does the handshake and hands everything after it to its role: a [`Publisher`] or a
//! [`Subscriber`]. What clients of one process share is in [`Board`]; what one thread measures
//! goes to a [`Recorder`].

mod board;
mod inflight;
mod machine;
mod publisher;
mod recorder;
pub mod stamp;
mod subscriber;
mod template;
#[cfg(test)]
mod tests;
mod wire;

pub use board::{Board, Totals};
pub use machine::{Client, Context, Ended, Role, Stage};
pub use publisher::{Load, Publisher};
pub use recorder::{Integrity, Recorder};
pub use subscriber::{FlowRange, Subscriber};

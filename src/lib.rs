//! Pondhawk: an MQTT 3.1, 3.1.1 and 5.0 broker.
//!
//! # Layout
//! Imports point downward only; `tests/tidy.rs` checks the table.
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`util`], [`sync`] |
//! | 1 | [`protocol`], [`metrics`] |
//! | 2 | [`session`], [`router`], [`auth`], [`config`] |
//! | 3 | [`connection`] |
//! | 4 | `transport`, `reactor` |
//! | 5 | `shard` |
//! | 6 | `control` |
//! | 7 | `cli` and the binary |
//!
//! Layers 4 to 7 are there with the feature `broker`, a default.

pub mod auth;
pub mod config;
pub mod connection;
pub mod metrics;
pub mod protocol;
pub mod router;
pub mod session;
pub mod sync;
pub mod util;

#[cfg(feature = "broker")]
pub mod cli;
#[cfg(feature = "broker")]
pub mod control;
#[cfg(feature = "broker")]
pub mod reactor;
#[cfg(feature = "broker")]
pub mod shard;
#[cfg(feature = "broker")]
pub mod transport;

//! The simulator: several shards of the real code on one thread, with a schedule, a clock, a
//! network and Clients that all follow from one seed; beside them a model broker that says at each
//! step what the specification allows.
//!
//! - [`plan`] draws from the seed what this run is made of: options, features, probabilities, and
//!   the list of operations. The list is data, so a failing one can be shortened.
//! - [`world`] is the network and the shards' event loops, with the state in [`socket`];
//!   [`client`] the Clients, in bytes written by hand.
//! - [`model`] is the specification as plain, slow code.
//! - [`run`] carries the operations out and asks the model at each step; [`memory`] checks what
//!   the broker holds after each turn, [`ending`] what is left in the end; [`shrink`] shortens a
//!   failing history; [`report`] sums up.
//!
//! tests/README.md says how to run it for hours and how to replay a seed.
#![cfg(feature = "broker")]
#![allow(clippy::print_stdout, clippy::print_stderr)] // It reports seeds and totals.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "canary")]
mod canaries;
mod client;
mod ending;
mod memory;
mod model;
mod packet;
mod plan;
mod report;
mod rights;
mod run;
mod shrink;
mod socket;
mod spec;
mod tests;
mod world;

//! Soak and storms: much at once, or a little for long, and then everything is given back.
//!
//! Each has a short form that belongs to the checks and a long one that is run for its figures, the
//! test's name then standing last:
//!
//! ```sh
//! cargo test --test soak -- --ignored --nocapture reconnect_storm
//! ```
#![cfg(feature = "broker")]
// The long forms are run for their figures.
#![allow(clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod descriptors;
mod guest;
mod hostile;
mod ledger;
mod reconnect;
mod retained;
mod slope;
mod soak;
mod stalled;
mod takeover;

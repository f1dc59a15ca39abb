//! Interoperability: the real broker with client libraries and tools that other people wrote, each
//! in every protocol version it speaks.
//!
//! The libraries are moved by one small interface, so that a scenario is told once and holds for
//! each of them. What they need is installed by `tests/run`.
#![cfg(feature = "broker")]
// A failing scenario says where it was.
#![allow(clippy::print_stderr)]

mod clients;
mod rumqtt;
mod scenarios;
mod script;
mod stalled;
mod support;
mod tools;

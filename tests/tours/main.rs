//! What people who come from Mosquitto do first, as its tutorials tell them, with its own clients:
//! here it has to work as told. And what they read meanwhile: the log, line by line.
//!
//! With `POND_TEST_BROKER=/usr/sbin/mosquitto` the tours run against Mosquitto itself.
#![cfg(feature = "broker")]

mod access;
mod bad_input;
mod browser;
mod clients;
mod debian;
mod log_lines;
mod pki;
mod program;
mod start;
#[path = "../support/mod.rs"]
mod support;
mod transports;

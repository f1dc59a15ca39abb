//! What people who come from Mosquitto do first, as its tutorials tell them, with its own clients:
//! here it has to work as told. And what they read meanwhile: the log, line by line.
#![cfg(feature = "broker")]

mod log_lines;
mod program;
#[path = "../support/mod.rs"]
mod support;

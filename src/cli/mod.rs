//! The command line: what was typed, and starting the broker accordingly.
//!
//! Errors are sentences on standard error and exit code 1, as Mosquitto does. The log begins only
//! once the configuration is known to be right.

mod args;
mod limits;
mod panics;
mod passwd;
mod passwd_file;
mod pid_file;
mod privileges;
mod program;
mod serve;
mod signal;

pub use args::{Action, Invocation};
pub use serve::main;

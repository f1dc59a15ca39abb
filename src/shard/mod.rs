//! One core's thread and everything it owns: connections, sessions, its part of the
//! subscriptions and of the Retained Messages, timers and buffers.
//!
//! - [`Shard`] is the pure part: bytes, commands and time in; bytes, commands and log events
//!   out. It has no socket and no clock, so the same code runs on sockets (`driver`) and on the
//!   in-memory transport ([`memory`]) that tests step through and that holds a million sessions.
//! - [`Core`] is the state that a connection's machine reaches through
//!   [`connection::Host`](crate::connection::Host); the machines stand beside it.
//! - [`Command`] is what shards say to each other; [`Handle`] is how the control plane speaks to
//!   them.
//!
//! # Who owns what
//! A session is touched by its home shard only. A Retained Message is owned by the shard that
//! its topic's hash names. Shared between shards are the routing trie, the directory, the
//! mailboxes and the counters ([`Shared`]), nothing else.

mod access;
mod admission;
mod authenticate;
mod books;
mod command;
mod core;
mod describe;
mod driver;
mod engine;
mod forward;
mod groups;
mod handle;
mod host;
mod logging;
pub mod memory;
mod pages;
mod recheck;
mod replay;
mod retain;
mod route;
mod sessions;
mod settings;
mod shared;
mod tidy;
mod timers;

pub use command::{Adopt, Command};
pub use core::Core;
pub use engine::{Served, Shard};
pub use handle::{Handle, Shards};
pub use pages::{Ask, Page};
pub use settings::Settings;
pub use shared::Shared;

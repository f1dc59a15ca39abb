//! The topics below `$SYS`: names, payloads and times as in Mosquitto.
//!
//! [`Announcer`] wakes at each `sys_interval`, reads the shards' counters, and publishes what has
//! changed, retained, by way of the shards that own the topics; [`Tree`] decides what that is. A
//! subscriber gets the last values at once, like any Retained Message. With an interval of 0
//! nothing is computed and nothing wakes.

mod announcer;
mod load;
mod tree;

pub use announcer::{Announcer, Reschedule, announce};
pub use tree::Tree;

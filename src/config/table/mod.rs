//! The table of options, one file a section.
//!
//! A declaration here is the only place that knows an option's name, type, default, bounds, unit,
//! reload and help.

mod clients;
mod features;
mod listener;
mod logging;
mod packets;
mod process;
mod queues;
mod sections;
mod tuning;

pub use clients::Clients;
pub use features::Features;
pub use listener::Listener;
pub use logging::Logging;
pub use packets::Packets;
pub use process::Process;
pub use queues::Queues;
pub use sections::{SECTIONS, Section, global};
pub use tuning::Tuning;

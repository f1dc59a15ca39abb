//! The table of options, one file a section.
//!
//! A declaration here is the only place that knows an option's name, type, default, bounds, unit,
//! reload and help.

mod clients;
mod features;
mod listener;
mod listener_access;
mod listener_tls;
mod listener_web;
mod logging;
mod packets;
mod process;
mod queues;
mod sections;
mod security;
mod tuning;

pub use clients::Clients;
pub use features::Features;
pub use listener::Listener;
pub use listener_access::Access;
pub use listener_tls::Tls;
pub use listener_web::Web;
pub use logging::Logging;
pub use packets::Packets;
pub use process::Process;
pub use queues::Queues;
pub use sections::{LISTENER_SECTIONS, SECTIONS, Section, global, of_listeners};
pub use security::Security;
pub use tuning::Tuning;

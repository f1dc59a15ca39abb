//! Options: one table, a typed schema, and what the data plane reads.
//!
//! The way of an option's value:
//! 1. [`table`] declares each option once: name, type, default, allowed values, unit, whether a
//!    reload applies it, help. The typed [`Config`], the parser, the messages about mistakes and
//!    `docs/options.md` all come from that declaration.
//! 2. [`Source::load`] reads the file and what the command line overrides, and reports *every*
//!    mistake with file, line, option and mend ([`Mistakes`]).
//! 3. [`Config::compile`] turns the result, once, into [`Runtime`] and [`ListenerRuntime`]: plain
//!    fields in the units the hot paths count in, "unlimited" being the largest value of a type, so
//!    that no path looks an option up, parses a unit or treats zero specially.
//! 4. On a reload [`Config::adopt`] takes over what may change while running and names the rest.
//!
//! This module owns no threads and opens nothing but the configuration file.

pub mod options;
pub mod table;

mod checks;
mod duration;
mod error;
mod file;
mod listeners;
mod lists;
mod log;
mod mosquitto;
mod nearest;
mod places;
mod read;
mod reference;
mod reload;
mod runtime;
mod schema;
mod source;
mod value;
mod words;
mod write;

pub use error::{Mistake, Mistakes};
pub use listeners::{
    Bind, CertificateFiles, Identity, ListenerRuntime, ProxyRuntime, SecurityRuntime, TlsRuntime,
    WebRuntime,
};
pub use lists::Network;
pub use log::{LogDest, LogDests, LogFormat, LogType, LogTypes, TimeFormat};
pub use mosquitto::{options as mosquitto_options, page as mosquitto_page};
pub use reference::reference;
pub use reload::Changes;
pub use runtime::{
    ConnectLimits, Features, PacketLimits, PasswordLimits, Runtime, SessionLimits, TurnLimits,
    UNLIMITED,
};
pub use schema::Config;
pub use source::{Loaded, Source};
pub use words::{
    ListenerProtocol, ProxyVersion, QueueFullPolicy, SharedStrategy, SocketDomain, TlsVersion,
    Versions,
};
pub use write::Extent;

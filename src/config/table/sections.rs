//! The sections of options, in the order of the reference page.

use super::{
    Access, Clients, Features, Listener, Logging, Packets, Process, Queues, Security, Tls, Tuning,
    Web,
};
use crate::config::Config;
use crate::config::options::Opt;

/// A section of the table.
pub struct Section<T: 'static> {
    /// Its heading.
    pub title: &'static str,
    /// Its options.
    pub options: &'static [Opt<T>],
}

/// Every section of global options.
pub const SECTIONS: [Section<Config>; 8] = [
    Section { title: "Process", options: Process::OPTIONS },
    Section { title: "Security", options: Security::OPTIONS },
    Section { title: "Clients", options: Clients::OPTIONS },
    Section { title: "Packets", options: Packets::OPTIONS },
    Section { title: "Queues", options: Queues::OPTIONS },
    Section { title: "Features", options: Features::OPTIONS },
    Section { title: "Logging", options: Logging::OPTIONS },
    Section { title: "Tuning", options: Tuning::OPTIONS },
];

/// Every section of a listener's options.
pub const LISTENER_SECTIONS: [Section<Listener>; 4] = [
    Section { title: "Listener", options: Listener::OPTIONS },
    Section { title: "Listener: access", options: Access::OPTIONS },
    Section { title: "Listener: TLS", options: Tls::OPTIONS },
    Section { title: "Listener: WebSocket and proxies", options: Web::OPTIONS },
];

/// Every option of a listener.
pub fn of_listeners() -> impl Iterator<Item = &'static Opt<Listener>> {
    LISTENER_SECTIONS.iter().flat_map(|section| section.options)
}

/// Every global option.
pub fn global() -> impl Iterator<Item = &'static Opt<Config>> {
    SECTIONS.iter().flat_map(|section| section.options)
}

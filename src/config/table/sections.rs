//! The sections of global options, in the order of the reference page.

use super::{Clients, Features, Logging, Packets, Process, Queues, Tuning};
use crate::config::Config;
use crate::config::options::Opt;

/// A section of the table.
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Its options.
    pub options: &'static [Opt<Config>],
}

/// Every section of global options.
pub const SECTIONS: [Section; 7] = [
    Section { title: "Process", options: Process::OPTIONS },
    Section { title: "Clients", options: Clients::OPTIONS },
    Section { title: "Packets", options: Packets::OPTIONS },
    Section { title: "Queues", options: Queues::OPTIONS },
    Section { title: "Features", options: Features::OPTIONS },
    Section { title: "Logging", options: Logging::OPTIONS },
    Section { title: "Tuning", options: Tuning::OPTIONS },
];

/// Every global option.
pub fn global() -> impl Iterator<Item = &'static Opt<Config>> {
    SECTIONS.iter().flat_map(|section| section.options)
}

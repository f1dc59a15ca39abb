//! The typed configuration: what the table's sections add up to.

use super::table::{
    Clients, Features, Listener, Logging, Packets, Process, Queues, Security, Tuning,
};

/// Every option's value, in the units the operator writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Threads, memory, the end of the process.
    pub process: Process,
    /// Who may connect, and do what.
    pub security: Security,
    /// How Clients connect.
    pub clients: Clients,
    /// What one connection may send.
    pub packets: Packets,
    /// What waits for one Client.
    pub queues: Queues,
    /// What the broker offers.
    pub features: Features,
    /// The log.
    pub logging: Logging,
    /// Event loops.
    pub tuning: Tuning,
    /// The listeners, in the order of the file.
    pub listeners: Vec<Listener>,
    /// No listener is configured: those above are on the loopback interface only.
    pub local_only: bool,
}

impl Config {
    /// Whether Clients without credentials are accepted, the default resolved.
    pub fn allow_anonymous(&self) -> bool {
        self.security.allow_anonymous.unwrap_or(self.local_only)
    }
}

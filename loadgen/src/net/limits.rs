//! What one process may open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors besides the connections: standard streams, polls, timers, pipes, /proc.
const OTHERS: u64 = 128;

/// Limits of descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What holds now.
    pub soft: u64,
    /// How far it may be raised without privileges.
    pub hard: u64,
}

/// The limits of this process.
///
/// # Errors
/// As the system call.
pub fn descriptor_limit() -> Result<Limits, String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| error.to_string())?;
    Ok(Limits { soft, hard })
}

impl Limits {
    /// Connections that fit one process once the soft limit is raised.
    pub fn connections(self) -> u64 {
        self.hard.saturating_sub(OTHERS)
    }
}

/// Raises the soft limit of open descriptors to the hard limit, and checks that `needed` fit.
///
/// # Errors
/// If they do not.
pub fn raise_descriptor_limit(needed: u64) -> Result<(), String> {
    let limits = descriptor_limit()?;
    if limits.soft < limits.hard {
        setrlimit(Resource::RLIMIT_NOFILE, limits.hard, limits.hard).map_err(|e| e.to_string())?;
    }
    if needed > limits.connections() {
        let hard = limits.hard;
        return Err(format!("{needed} connections do not fit the limit of {hard} descriptors"));
    }
    Ok(())
}

//! The phases of the broker's life, published.

use std::time::Duration;

use super::watch::Watch;

/// Where the broker is in its life; it only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The configuration is read; nothing listens.
    Boot,
    /// Sockets are being bound.
    Listen,
    /// Clients can connect.
    Running,
    /// No new connections; those there are have until the shutdown timeout to end.
    Drain,
    /// The shards have been told to end.
    Stopped,
}

/// The published [`Phase`].
#[derive(Clone)]
pub struct Lifecycle(Watch<Phase>);

impl Default for Lifecycle {
    fn default() -> Self {
        Self(Watch::new(Phase::Boot))
    }
}

impl Lifecycle {
    /// The phase now.
    pub fn phase(&self) -> Phase {
        self.0.get()
    }

    /// Moves on to `phase`; a phase that is past already changes nothing.
    pub fn advance(&self, phase: Phase) {
        self.0.change(|now| *now = phase.max(*now));
    }

    /// Blocks until `phase` is reached or past; false if `patience` ran out first.
    pub fn wait(&self, phase: Phase, patience: Duration) -> bool {
        self.0.wait(patience, |now| *now >= phase).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_never_comes_back() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.phase(), Phase::Boot);
        lifecycle.advance(Phase::Running);
        lifecycle.advance(Phase::Listen);
        assert_eq!(lifecycle.phase(), Phase::Running);
        assert!(lifecycle.wait(Phase::Listen, Duration::ZERO));
        assert!(!lifecycle.wait(Phase::Drain, Duration::ZERO));
    }
}

//! The one place that reads the time for the data plane.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::util::Now;

/// Both clocks. A copy shares the original's zero: make one for the process and give every shard a
/// copy, so that deadlines mean the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock whose monotonic part begins at 0 now.
    pub fn start() -> Self {
        Self { zero: Instant::now() }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        // A wall clock set before 1970 reads as 1970: it is for display only.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_ms: self.mono_ms(), wall_s: wall.as_secs() }
    }

    /// Reads the monotonic clock alone, in milliseconds rounded down.
    pub fn mono_ms(&self) -> u64 {
        self.zero.elapsed().as_millis() as u64
    }
}

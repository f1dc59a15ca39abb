//! The one clock of the generator.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of the system's monotonic clock.
///
/// The value is the same in every process of one machine, so a stamp made in one generator process
/// can be read in another.
pub fn now_ns() -> u64 {
    let time =
        clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap_or(nix::sys::time::TimeSpec::new(0, 0));
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

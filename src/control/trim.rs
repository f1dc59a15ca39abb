//! Gives memory back to the system when the load has fallen.
//!
//! glibc keeps what was freed below something that lives, for each thread's arena. Only
//! `malloc_trim` returns it: it walks the free lists and gives back whole pages. It holds an
//! arena's lock meanwhile, so that a shard which allocates just then waits; that is why it is
//! called when a load has ended, and not while one goes on.
#![allow(unsafe_code)] // The C library's call has no safe wrapper.

/// A fall of the load below this is not worth a walk, in bytes.
const FALL_MIN_BYTES: u64 = 1 << 20;

/// The load has fallen when it lost a quarter.
const FALL_SHARE: u64 = 4;

/// Readings, one a second, from one trimming to the next.
const REST_READINGS: u64 = 5;

/// Decides when to trim.
pub(super) struct Trim {
    /// The greatest load since the last trimming, in bytes.
    peak: u64,
    last: u64,
    rested: u64,
}

impl Trim {
    /// Before the first reading.
    pub(super) fn new() -> Self {
        Self { peak: 0, last: 0, rested: REST_READINGS }
    }

    /// Takes in how many bytes are held, and trims if they have fallen and fall no more.
    pub(super) fn update(&mut self, held_bytes: u64) {
        if self.is_due(held_bytes) {
            trim();
        }
    }

    fn is_due(&mut self, held: u64) -> bool {
        let falls = held + FALL_MIN_BYTES / 4 < self.last;
        self.last = held;
        self.rested = self.rested.saturating_add(1);
        self.peak = self.peak.max(held);
        let fallen = self.peak - held;
        let enough = fallen >= FALL_MIN_BYTES && fallen >= self.peak / FALL_SHARE;
        let due = enough && !falls && self.rested >= REST_READINGS;
        if due {
            self.peak = held;
            self.rested = 0;
        }
        due
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: its argument is only how much to leave at the top; it may be called from any thread
    // at any time (MT-Safe in glibc's manual) and touches free memory only.
    unsafe { nix::libc::malloc_trim(0) };
}

/// Other C libraries have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn due(loads: &[u64]) -> Vec<bool> {
        let mut trim = Trim::new();
        loads.iter().map(|&load| trim.is_due(load)).collect()
    }

    #[test]
    fn a_load_that_has_fallen_is_trimmed_once() {
        assert_eq!(due(&[10 * MIB, 20 * MIB, MIB, MIB, MIB]), [false, false, false, true, false]);
    }

    #[test]
    fn what_falls_on_is_waited_for() {
        let falling = [20 * MIB, 15 * MIB, 10 * MIB, 5 * MIB, 5 * MIB];
        assert_eq!(due(&falling), [false, false, false, false, true]);
    }

    #[test]
    fn a_small_fall_is_left_alone() {
        assert_eq!(due(&[1000, 0, 0]), [false; 3]);
        assert_eq!(due(&[100 * MIB, 95 * MIB, 95 * MIB]), [false; 3]);
    }

    #[test]
    fn a_load_that_comes_and_goes_is_trimmed_now_and_then() {
        let swinging: Vec<u64> =
            (0..40_u64).map(|at| if at % 4 < 2 { 20 * MIB } else { MIB }).collect();
        let trims = due(&swinging).into_iter().filter(|&due| due).count();
        assert!((1..=8).contains(&trims), "{trims}");
    }
}

//! Gives memory back to the system when the load has fallen.
//!
//! glibc keeps what was freed below something that lives, for each thread's arena, and a few pieces
//! of every small size for each thread. Only `malloc_trim` returns it: it walks the free lists and
//! gives back whole pages. Before, the shards and the log hand over what is set aside for them
//! ([`SetAside`]); after it they give back the ends of their heaps, which it leaves. It holds an
//! arena's lock meanwhile, so that a shard which allocates just then waits; that is why it is
//! called when the load stands still, and so seldom that it takes less than a hundredth of the
//! time. It runs on a thread of its own.
//!
//! Left to itself, glibc gives large pieces, which it maps one by one, and the end of a heap back
//! as they are freed. A broker that passes on messages of 300 kB then spends most of its time in
//! page faults (docs/benchmarks.md). [`keep_until_trimmed`] ends that.
#![allow(unsafe_code)] // The C library's calls have no safe wrapper.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::estate::Estate;
use super::pace::Pace;
use crate::util::SetAside;

/// What is too little to be worth a walk, in bytes.
const WORTH_MIN: u64 = 128 << 10;

/// What is too little to be worth one when the broker knows that it holds so much less: then it is
/// no noise, and what has become free is more than what was counted.
const FALLEN_MIN: u64 = 32 << 10;

/// And as a part of what there is.
const WORTH_SHARE: u64 = 20;

/// The load stands still when it has changed by less than this part of itself, or than what is
/// too little.
const STILL_SHARE: u64 = 64;

/// From one trimming to the next, at least.
const REST: Duration = Duration::from_secs(5);

/// And as many times what the last one took.
const REST_SHARE: u32 = 100;

/// After so long a trimming is followed by another: what caches and pools had kept of the load has
/// aged (`shard::tidy`), and lay between what was freed before.
const AGED: Duration = Duration::from_secs(20);

/// How much the broker holds, and how much it has done, at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// Bytes, by its own count.
    pub(super) held: u64,
    /// Bytes, by the system's count: what is resident and belongs to no file. `None`: it does
    /// not say.
    pub(super) resident: Option<u64>,
    /// Calls on sockets since the broker started.
    pub(super) calls: u64,
}

impl Load {
    /// With the system's count as of now.
    pub(super) fn now(held: u64, calls: u64) -> Self {
        Self { held, resident: resident(), calls }
    }
}

/// Decides when to trim.
pub(super) struct Trim {
    /// The greatest load since the last trimming, in bytes.
    peak: u64,
    /// What was held, and resident, after the last trimming.
    left: Option<(u64, u64)>,
    last: u64,
    /// Memory that a load has used while what is held stayed the same.
    pace: Pace,
    rest_until: Option<Instant>,
    /// When to trim once more.
    again_at: Option<Instant>,
    work: Option<JoinHandle<Duration>>,
}

impl Trim {
    /// Before the first reading.
    pub(super) fn new() -> Self {
        Self {
            peak: 0,
            left: None,
            last: 0,
            pace: Pace::new(),
            rest_until: None,
            again_at: None,
            work: None,
        }
    }

    /// Takes in how much is held, and trims if it is time, the ends of other heaps after the rest.
    pub(super) fn update(&mut self, load: Load, now: Instant, estate: &Estate) {
        if let Some(took) = self.ended() {
            self.rest_until = Some(now + REST.max(took * REST_SHARE));
            self.left = None;
            estate.plane.give_back();
            estate.log.give_back();
        }
        if self.work.is_none() && self.is_due(load, now) {
            self.work = begin(estate);
        }
    }

    /// How long the trimming took that has ended since.
    fn ended(&mut self) -> Option<Duration> {
        self.work.take_if(|work| work.is_finished())?.join().ok()
    }

    fn is_due(&mut self, load: Load, now: Instant) -> bool {
        let Load { held, resident, calls } = load;
        let still = held.abs_diff(self.last) <= (held / STILL_SHARE).max(WORTH_MIN);
        self.last = held;
        self.peak = self.peak.max(held);
        let is_worth = |bytes: u64, of: u64, min: u64| bytes >= min.max(of / WORTH_SHARE);
        let fallen = is_worth(self.peak - held, self.peak, FALLEN_MIN);
        // What came and went between two readings shows in what is resident alone.
        let grown = resident.is_some_and(|resident| {
            let left = *self.left.get_or_insert((held, resident));
            let explained = held.saturating_sub(left.0);
            let unexplained = resident.saturating_sub(left.1).saturating_sub(explained);
            is_worth(unexplained, resident, WORTH_MIN)
        });
        let ended = self.pace.has_ended(calls);
        let wanted = fallen || grown || ended;
        let rested = self.rest_until.is_none_or(|until| now >= until);
        // Once for each, so it need not be rested.
        let again = self.again_at.is_some_and(|at| now >= at);
        if !(still && (again || rested && wanted)) {
            return false;
        }
        self.peak = held;
        self.pace.forget();
        self.again_at = wanted.then(|| now + AGED);
        true
    }
}

/// Pieces below so many bytes come from the heaps: the most that glibc allows.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_MIN: nix::libc::c_int = 32 << 20;

/// So many free bytes at the end of a heap are given back at once: a whole heap of its kind.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const END_MAX: nix::libc::c_int = 64 << 20;

/// Has the allocator keep what is freed until it is trimmed. To be called when there is no other
/// thread yet.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_until_trimmed() {
    // SAFETY: it sets numbers that all threads read without a lock, and there is one thread. When
    // it refuses a number, all stays as it was.
    unsafe {
        nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, MAPPED_MIN);
        nix::libc::mallopt(nix::libc::M_TRIM_THRESHOLD, END_MAX);
    }
}

/// Other C libraries have no such settings.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_until_trimmed() {}

/// What is resident and belongs to no file, in bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn begin(estate: &Estate) -> Option<JoinHandle<Duration>> {
    let (sender, receiver) = mpsc::channel();
    estate.plane.hand_over(&sender);
    estate.log.hand_over(&sender);
    // This thread's own.
    let _ = sender.send(SetAside::take());
    drop(sender);
    let work = move || {
        // Dropped by a thread that ends before the walk: what it has set aside goes with it.
        let dropping = thread::spawn(move || receiver.into_iter().for_each(drop));
        let _ = dropping.join();
        let began = Instant::now();
        // SAFETY: its argument is only how much to leave at the top; it may be called from any
        // thread at any time (MT-Safe in glibc's manual) and touches free memory only.
        unsafe { nix::libc::malloc_trim(0) };
        began.elapsed()
    };
    thread::Builder::new().name("trim".into()).spawn(work).ok()
}

/// Other C libraries have no such call.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn begin(_: &Estate) -> Option<JoinHandle<Duration>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// One reading a second; a trimming has ended by the next, and left what is told.
    fn due(loads: &[(u64, u64)]) -> Vec<bool> {
        let mut trim = Trim::new();
        let start = Instant::now();
        let mut readings = Vec::new();
        for (&(held, resident), second) in loads.iter().zip(0..) {
            let now = start + Duration::from_secs(second);
            let due = trim.is_due(Load { held, resident: Some(resident), calls: 0 }, now);
            if due {
                trim.rest_until = Some(now + REST);
                trim.left = None;
            }
            readings.push(due);
        }
        readings
    }

    fn held(loads: &[u64]) -> Vec<bool> {
        due(&loads.iter().map(|&held| (held, 30 * MIB)).collect::<Vec<_>>())
    }

    #[test]
    fn a_load_that_has_fallen_is_trimmed_once() {
        let loads = [10 * MIB, 20 * MIB, MIB, MIB, MIB, MIB];
        assert_eq!(held(&loads), [false, false, false, true, false, false]);
    }

    #[test]
    fn what_ages_later_is_trimmed_later() {
        let loads: Vec<u64> = [20 * MIB].into_iter().chain([MIB; 100]).collect();
        let trims = held(&loads);
        let when: Vec<usize> = (0..trims.len()).filter(|&second| trims[second]).collect();
        assert_eq!(when, [2, 22]);
    }

    #[test]
    fn what_falls_on_is_waited_for() {
        let falling = [20 * MIB, 15 * MIB, 10 * MIB, 5 * MIB, 5 * MIB];
        assert_eq!(held(&falling), [false, false, false, false, true]);
    }

    #[test]
    fn a_small_fall_is_left_alone() {
        assert_eq!(held(&[1000, 0, 0, 0]), [false; 4]);
        assert_eq!(held(&[500 << 10, 480 << 10, 480 << 10]), [false; 3]);
        assert_eq!(held(&[500 << 10, 460 << 10, 460 << 10]), [false, true, false]);
        assert_eq!(held(&[100 * MIB, 96 * MIB, 96 * MIB, 96 * MIB]), [false; 4]);
    }

    #[test]
    fn what_came_and_went_between_two_readings_is_trimmed_once() {
        let quick = [(MIB, 3 * MIB), (MIB, 9 * MIB), (MIB, 3 * MIB), (MIB, 3 * MIB)];
        assert_eq!(due(&quick), [false, true, false, false]);
        // Nothing came of it: what is left is the new measure.
        let kept = [(MIB, 3 * MIB), (MIB, 9 * MIB), (MIB, 9 * MIB), (MIB, 9 * MIB)];
        assert_eq!(due(&kept), [false, true, false, false]);
        let explained = [(MIB, 3 * MIB), (7 * MIB, 9 * MIB), (7 * MIB, 9 * MIB)];
        assert_eq!(due(&explained), [false; 3]);
    }

    #[test]
    fn work_that_leaves_the_load_as_it_was_is_trimmed_once_over() {
        let mut trim = Trim::new();
        let start = Instant::now();
        let when = (0..60).filter(|&second| {
            let calls = 2_000 * second.min(10);
            let load = Load { held: MIB, resident: Some(3 * MIB), calls };
            trim.is_due(load, start + Duration::from_secs(second))
        });
        assert_eq!(when.collect::<Vec<_>>(), [15, 35]);
    }

    #[test]
    fn a_load_that_comes_and_goes_is_trimmed_now_and_then() {
        let swinging: Vec<u64> =
            (0..40_u64).map(|at| if at % 4 < 2 { 20 * MIB } else { MIB }).collect();
        let trims = held(&swinging).into_iter().filter(|&due| due).count();
        assert!((1..=8).contains(&trims), "{trims}");
    }
}

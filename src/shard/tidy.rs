//! Giving memory back when a crowd has gone.
//!
//! The tables of connections, sessions and subscriptions give theirs back as they empty. What has
//! no such moment of its own is looked at here, about once a second while the shard has something
//! to do: caches and pools age, lists that are filled and emptied each turn keep no more than they
//! need, timers that nobody waits for are taken out. Each part is bounded, so that no turn is held
//! up; a shard at rest does none of it, and does not wake for it.

use crossbeam::epoch;

use super::core::Timer;
use super::engine::Shard;
use crate::util::{Compact, Home, Shrink, Wheel};

/// From a turn that did something to the next look.
const PERIOD_MS: u64 = 1_000;

/// Timers looked at in one turn, in well under a millisecond.
const PURGE_BUDGET: usize = 8 * 1024;

/// From there to the next turn of that search.
const PURGE_MS: u64 = 64;

/// Timers without an owner that are not worth a search.
const PURGE_MIN: usize = 1_024;

/// Looks in which the cache of routes is gone through once.
const CACHE_PARTS: usize = 8;

/// Capacity that a list keeps, in entries.
pub(super) const LIST_KEPT: usize = 256;

/// When a shard looks at its memory.
#[derive(Debug)]
pub(super) struct Tidy {
    /// Monotonic ms; `u64::MAX`: not before the shard has done something.
    due_ms: u64,
    /// The present turn has looked.
    done: bool,
    /// A search for timers without an owner has begun.
    purging: bool,
}

impl Tidy {
    pub(super) fn new() -> Self {
        Self { due_ms: u64::MAX, done: false, purging: false }
    }

    pub(super) fn due_ms(&self) -> Option<u64> {
        (self.due_ms != u64::MAX).then_some(self.due_ms)
    }

    /// A turn ends, which has used memory unless all that it did was to look.
    pub(super) fn end_turn(&mut self, now_ms: u64) {
        if !self.done && self.due_ms == u64::MAX {
            self.due_ms = now_ms.saturating_add(PERIOD_MS);
        }
        self.done = false;
    }
}

impl Shard {
    /// Looks at the memory if it is time.
    pub(super) fn tidy(&mut self) {
        let now = self.core.now.mono_ms;
        if now < self.tidy.due_ms {
            return;
        }
        self.core.routes.age(CACHE_PARTS);
        self.core.pool.age();
        self.shrink_lists();
        free_retired();
        self.purge_timers();
        let (routes, pooled) = (self.core.routes.footprint(), self.core.pool.bytes());
        self.core.metrics().cache_bytes.set((routes + pooled) as i64);
        let more = !self.core.routes.is_empty() || pooled > 0;
        self.tidy.due_ms = match (self.tidy.purging, more) {
            (true, _) => now.saturating_add(PURGE_MS),
            (false, true) => now.saturating_add(PERIOD_MS),
            (false, false) => u64::MAX,
        };
        self.tidy.done = true;
    }

    /// True when this turn has looked at the shard's memory: the driver's own lists are next.
    pub fn has_tidied(&self) -> bool {
        self.tidy.done
    }

    /// Brings together what is left when a crowd has gone, near something that was there before.
    pub fn compact(&mut self) {
        let home = self.home();
        self.seats.compact(home);
        self.due.compact(home);
        let core = &mut self.core;
        core.shared.directory.compact(core.id, core.shared.mailboxes.len(), home);
        core.links.compact(home);
        core.sessions.compact(home);
        core.access.compact(home);
        core.table.compact(home);
        core.via_owner.compact(home);
        core.timers.compact(home);
        core.pool.compact(home);
        core.dirty.compact(home);
        core.ended.compact(home);
        core.gathered.compact(home);
        core.events.compact(home);
        core.answers.compact(home);
        core.matches.release();
        core.shapes.release();
    }

    /// Memory that the shard has had from the beginning.
    pub fn home(&self) -> Home {
        self.core.timers.home()
    }

    /// Looks for timers without an owner, few as they may be.
    pub fn begin_purge(&mut self) {
        self.tidy.purging = true;
        let soon = self.core.now.mono_ms.saturating_add(PURGE_MS);
        self.tidy.due_ms = self.tidy.due_ms.min(soon);
    }

    fn shrink_lists(&mut self) {
        self.due.shrink(LIST_KEPT);
        let core = &mut self.core;
        core.dirty.shrink(LIST_KEPT);
        core.ended.shrink(LIST_KEPT);
        core.gathered.shrink(LIST_KEPT);
        core.matches.shrink(LIST_KEPT);
        core.shapes.shrink();
    }

    /// Timers are not cancelled, so a session that has ended leaves one in the wheel, for as long
    /// as it might have lived. Once most of them are such, they are taken out.
    fn purge_timers(&mut self) {
        let Self { seats, core, tidy, .. } = self;
        let owners = seats.len() + core.sessions.len();
        if !tidy.purging && core.timers.len() < 2 * owners + PURGE_MIN {
            return;
        }
        let (links, sessions) = (&core.links, &core.sessions);
        let is_wanted = |timer: Timer, at_ms: u64| {
            let set_ms = match timer {
                Timer::Connection(key) if links.contains(key) => {
                    seats.get(key.index).map(|seat| seat.armed_ms)
                }
                Timer::Connection(_) => None,
                Timer::Session(key) => sessions.get(key).map(|session| session.timer_ms),
                Timer::RetainedSweep => return true,
            };
            set_ms.is_some_and(|set_ms| Wheel::<Timer>::rounded(set_ms) == at_ms)
        };
        tidy.purging = !core.timers.purge(PURGE_BUDGET, is_wanted);
    }
}

/// What was taken out of the routing trie is freed when no thread can see it any more, by whoever
/// changes the trie next. When nobody does, it is done here: the garbage of this thread is handed
/// over, and the epoch moved on until it is old enough.
fn free_retired() {
    for _ in 0..3 {
        epoch::pin().flush();
    }
}

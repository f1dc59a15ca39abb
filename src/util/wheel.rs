//! A hierarchical timer wheel: time in, expired keys out.
//!
//! # Lazy timers
//! There is no cancelling and no moving. The owner keeps the true deadline in its own state; when
//! its key comes out it compares, and inserts again if the deadline has moved. Extending a
//! keep-alive on every packet is then one store, and the wheel is touched once a period.
//!
//! # Shape
//! Ten levels of 64 slots. A slot of level `n` spans `64^n` ticks of [`TICK_MS`], so the levels
//! cover every `u64` deadline. An entry sits at the level of the highest base-64 digit in which its
//! tick differs from the wheel's own, and moves down when the wheel reaches the slot: at most
//! nine moves in its life. Occupied slots are bits in a word per level, so a jump of the clock
//! costs what it passes, not what it skips.
//!
//! # Accuracy
//! For an `advance(now)`: every deadline `<= now - TICK_MS` has come out, none `> now` has.
//!
//! # Memory
//! An entry is its key and eight bytes. Slots are plain vectors, released when they empty. Entries
//! that nobody waits for any more stay until they are due, or until [`Wheel::purge`] finds them.

use super::compact::{Compact, Home};
use super::shrink::Shrink;

/// Resolution in milliseconds. MQTT's own times are in seconds; 64 ms keeps wakes few.
pub const TICK_MS: u64 = 1 << TICK_BITS;

const TICK_BITS: u32 = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Ticks have `64 - TICK_BITS` bits: ten digits of `SLOT_BITS` hold them all.
const LEVELS: usize = (u64::BITS - TICK_BITS).div_ceil(SLOT_BITS) as usize;
/// An emptied slot keeps its memory up to so many entries, against churn at low rates.
const SLOT_CAPACITY_KEPT: usize = 16;

/// Timers keyed by `K`.
///
/// Invariants: every entry at level `n > 0` has digit `n` above the wheel's and all higher digits
/// equal; an entry at level 0 is due at the wheel's tick or differs from it in the lowest digit
/// only. A bit of `occupied` is set if and only if its slot has entries.
#[derive(Debug)]
pub struct Wheel<K> {
    /// All deadlines before this tick have come out.
    tick: u64,
    len: usize,
    occupied: [u64; LEVELS],
    /// `LEVELS * SLOTS`, level by level.
    slots: Box<[Vec<Entry<K>>]>,
    /// Where [`Wheel::purge`] goes on: a slot, and how many of its entries are left to look at.
    purged: (usize, usize),
}

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    tick: u64,
    key: K,
}

impl<K: Copy> Wheel<K> {
    /// An empty wheel that stands at `now_ms`.
    pub fn new(now_ms: u64) -> Self {
        Self {
            tick: now_ms >> TICK_BITS,
            len: 0,
            occupied: [0; LEVELS],
            slots: (0..LEVELS * SLOTS).map(|_| Vec::new()).collect(),
            purged: (0, usize::MAX),
        }
    }

    /// Something that lies where the wheel was made, for ever.
    pub fn home(&self) -> Home {
        Home::of(&*self.slots)
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds `key`, to come out of the first advance that reaches `deadline_ms`, rounded up to a
    /// tick. A deadline in the past comes out of the next advance. The same key may be inserted
    /// any number of times and comes out as often.
    pub fn insert(&mut self, deadline_ms: u64, key: K) {
        self.len += 1;
        self.place(Entry { tick: deadline_ms.div_ceil(TICK_MS), key });
    }

    /// Appends every key whose deadline `now_ms` has reached to `expired`, tick by tick; within a
    /// tick in no particular order. A `now_ms` before an earlier one does nothing.
    pub fn advance(&mut self, now_ms: u64, expired: &mut Vec<K>) {
        self.advance_budget(now_ms, usize::MAX, expired);
    }

    /// As [`Wheel::advance`], but stops after `budget` entries have been expired or moved a level.
    /// Returns whether the budget ran out: then call again before sleeping.
    pub fn advance_budget(&mut self, now_ms: u64, budget: usize, expired: &mut Vec<K>) -> bool {
        let target = now_ms >> TICK_BITS;
        let mut budget = budget;
        while self.tick <= target {
            if !self.cascade(&mut budget) || !self.expire(&mut budget, expired) {
                return true;
            }
            let next = self.next_tick().unwrap_or(u64::MAX).min(target);
            if self.tick == next {
                break;
            }
            self.tick = next;
        }
        false
    }

    /// When to advance next, in milliseconds and never before `now_ms`: at or before the earliest
    /// deadline rounded up to a tick. Earlier by less than the span of its slot if the entry has
    /// yet to move down a level. `None` if the wheel is empty.
    pub fn next_deadline(&self, now_ms: u64) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        let tick = match self.current_level(0) {
            Some(_) => self.tick,
            None => self.next_tick()?,
        };
        Some(tick.saturating_mul(TICK_MS).max(now_ms))
    }

    /// The time that `keep` is given for an entry with this deadline.
    pub fn rounded(deadline_ms: u64) -> u64 {
        deadline_ms.div_ceil(TICK_MS).saturating_mul(TICK_MS)
    }

    /// Takes out entries that nobody waits for: those whose key and [rounded](Wheel::rounded)
    /// deadline `keep` refuses. Looks at up to `budget` entries and goes on from there at the next
    /// call. True when it has come round.
    pub fn purge(&mut self, budget: usize, keep: impl Fn(K, u64) -> bool) -> bool {
        let mut budget = budget;
        let (first, mut left) = self.purged;
        for at in first..self.slots.len() {
            let slot = &mut self.slots[at];
            // From the end on, where entries come and go meanwhile.
            left = left.min(slot.len());
            while left > 0 {
                if budget == 0 {
                    self.purged = (at, left);
                    return false;
                }
                (budget, left) = (budget - 1, left - 1);
                let Entry { tick, key } = slot[left];
                if !keep(key, tick.saturating_mul(TICK_MS)) {
                    slot.swap_remove(left);
                    self.len -= 1;
                }
            }
            slot.shrink(SLOT_CAPACITY_KEPT);
            if slot.is_empty() {
                self.occupied[at / SLOTS] &= !(1 << (at % SLOTS));
            }
            left = usize::MAX;
        }
        self.purged = (0, usize::MAX);
        true
    }

    /// Puts an entry where it belongs relative to the wheel's tick.
    fn place(&mut self, entry: Entry<K>) {
        let tick = entry.tick.max(self.tick);
        let differing = tick ^ self.tick;
        // The lowest digit's bits are forced on: no difference at all is level 0 as well.
        let highest_bit = (differing | (SLOTS as u64 - 1)).ilog2();
        let level = (highest_bit / SLOT_BITS) as usize;
        let slot = digit(tick, level);
        self.occupied[level] |= 1 << slot;
        self.slots[level * SLOTS + slot].push(entry);
    }

    /// Moves the entries of higher slots that begin at the wheel's tick down. False if the budget
    /// ended first.
    fn cascade(&mut self, budget: &mut usize) -> bool {
        while let Some(level) = self.current_level(1) {
            while let Some(entry) = self.pop_current(level) {
                debug_assert!(entry.tick >= self.tick);
                self.place(entry);
                if !spend(budget) {
                    return false;
                }
            }
        }
        true
    }

    /// Takes out the entries due at the wheel's tick. False if the budget ended first.
    fn expire(&mut self, budget: &mut usize, expired: &mut Vec<K>) -> bool {
        while let Some(entry) = self.pop_current(0) {
            debug_assert!(entry.tick <= self.tick);
            self.len -= 1;
            expired.push(entry.key);
            if !spend(budget) {
                return false;
            }
        }
        true
    }

    /// The lowest level, from `lowest` up, whose slot for the wheel's own tick has entries: work to
    /// do before moving on.
    fn current_level(&self, lowest: usize) -> Option<usize> {
        (lowest..LEVELS).find(|&level| self.occupied[level] & (1 << digit(self.tick, level)) != 0)
    }

    fn pop_current(&mut self, level: usize) -> Option<Entry<K>> {
        let digit = digit(self.tick, level);
        let slot = &mut self.slots[level * SLOTS + digit];
        let entry = slot.pop();
        if slot.is_empty() {
            self.occupied[level] &= !(1 << digit);
            if slot.capacity() > SLOT_CAPACITY_KEPT {
                *slot = Vec::new();
            }
        }
        entry
    }

    /// The first tick after the wheel's own at which an occupied slot begins.
    ///
    /// The lowest level that has one decides: all of a level's slots lie before the next slot of
    /// the level above.
    fn next_tick(&self) -> Option<u64> {
        (0..LEVELS).find_map(|level| {
            let digit = digit(self.tick, level);
            let later = self.occupied[level] & (u64::MAX << digit) & !(1 << digit);
            if later == 0 {
                return None;
            }
            let shift = level as u32 * SLOT_BITS;
            let prefix = (self.tick >> shift) & !(SLOTS as u64 - 1);
            Some((prefix | u64::from(later.trailing_zeros())) << shift)
        })
    }
}

impl<K: Copy> Compact for Wheel<K> {
    fn compact(&mut self, home: Home) {
        self.slots.iter_mut().for_each(|list| list.compact(home));
    }
}

/// The base-64 digit of `tick` at `level`.
fn digit(tick: u64, level: usize) -> usize {
    (tick >> (level as u32 * SLOT_BITS)) as usize & (SLOTS - 1)
}

/// Takes one from the budget; false if that was the last.
fn spend(budget: &mut usize) -> bool {
    *budget = budget.saturating_sub(1);
    *budget > 0
}

#[cfg(test)]
mod tests;

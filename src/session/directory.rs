//! ClientId → home shard: the one structure that CONNECT shares between shards.
//!
//! Partitioned by the ClientId's hash; each partition has one short lock. It is touched when a
//! client connects and when a session ends, never by a PUBLISH. Only the home shard changes or
//! releases its own entries, so an entry that names this shard can't move under its feet.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::sync::{Arc, AtomicUsize, Ordering};
use crate::util::{self, Compact, Key, Shrink};

const PARTITIONS: usize = 256;

/// Where a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// The shard that owns the session.
    pub shard: u16,
    /// The session in that shard's slab; meaningful to that shard only.
    pub session: Key,
}

/// The answer to [`Directory::claim`]. A session is counted while it is in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// No session had this ClientId: the caller is its home now and creates it at once.
    New,
    /// A session lives there.
    Existing(Home),
    /// No session had this ClientId, and there may be no more of them.
    Full,
}

/// The ClientIds of one range of hashes.
type Partition = Mutex<HashMap<Arc<str>, Home, RandomState>>;

/// See the module's documentation.
#[derive(Debug)]
pub struct Directory {
    hasher: RandomState,
    /// Lock: one partition at a time, held for one map operation, no other lock inside.
    partitions: Box<[Partition]>,
    /// How many sessions there are.
    sessions: AtomicUsize,
}

impl Default for Directory {
    fn default() -> Self {
        let hasher = RandomState::default();
        let partitions =
            (0..PARTITIONS).map(|_| Mutex::new(HashMap::with_hasher(hasher.clone()))).collect();
        Self { hasher, partitions, sessions: AtomicUsize::new(0) }
    }
}

impl Directory {
    fn partition(&self, client_id: &str) -> &Partition {
        let hash = self.hasher.hash_one(client_id);
        // The upper half: the maps use the lower bits.
        &self.partitions[(hash >> 32) as usize % PARTITIONS]
    }

    /// Looks the ClientId up, and makes `shard` its home when it has none and there are fewer than
    /// `most` sessions.
    pub fn claim(&self, client_id: &Arc<str>, shard: u16, most: u64) -> Claim {
        let mut map = self.partition(client_id).lock();
        if let Some(home) = map.get(client_id) {
            return Claim::Existing(*home);
        }
        if !self.count_one(most) {
            return Claim::Full;
        }
        map.insert(Arc::clone(client_id), Home { shard, session: Key::NONE });
        Claim::New
    }

    /// Counts one session more if there are fewer than `most`.
    fn count_one(&self, most: u64) -> bool {
        // Relaxed: a count that nothing else depends on.
        let more = |count: usize| ((count as u64) < most).then_some(count + 1);
        self.sessions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// The home shard says which of its sessions has the ClientId.
    pub fn settle(&self, client_id: &str, shard: u16, session: Key) {
        let mut map = self.partition(client_id).lock();
        let entry = map.get_mut(client_id);
        debug_assert!(entry.as_ref().is_some_and(|home| home.shard == shard));
        if let Some(home) = entry {
            home.session = session;
        }
    }

    /// The session has ended; the ClientId is free.
    pub fn release(&self, client_id: &str, shard: u16) {
        let mut map = self.partition(client_id).lock();
        let removed = map.remove(client_id);
        map.shrink(0);
        drop(map);
        if removed.is_some() {
            // Relaxed: a count that nothing else depends on.
            self.sessions.fetch_sub(1, Ordering::Relaxed);
        }
        debug_assert!(removed.is_none_or(|home| home.shard == shard));
    }

    /// Brings together what a crowd has left apart. Each of `shards` is asked for its part, so that
    /// none is held up by all of it.
    pub fn compact(&self, shard: u16, shards: usize, near: util::Home) {
        let part = self.partitions.iter().skip(usize::from(shard)).step_by(shards.max(1));
        part.for_each(|partition| partition.lock().compact(near));
    }

    /// Number of sessions in the process.
    pub fn len(&self) -> usize {
        self.partitions.iter().map(|partition| partition.lock().len()).sum()
    }

    /// True when no session exists.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_claim_wins_until_released() {
        let directory = Directory::default();
        let id: Arc<str> = "sensor".into();
        assert_eq!(directory.claim(&id, 3, u64::MAX), Claim::New);
        directory.settle(&id, 3, Key { index: 9, generation: 1 });
        let home = Home { shard: 3, session: Key { index: 9, generation: 1 } };
        assert_eq!(directory.claim(&id, 1, u64::MAX), Claim::Existing(home));
        directory.release(&id, 3);
        assert!(directory.is_empty());
        assert_eq!(directory.claim(&id, 1, u64::MAX), Claim::New);
    }

    #[test]
    fn all_parts_together_are_the_whole() {
        let directory = Directory::default();
        let capacity =
            || -> usize { directory.partitions.iter().map(|one| one.lock().capacity()).sum() };
        let ids: Vec<Arc<str>> = (0..2560).map(|n| format!("client-{n}").into()).collect();
        let key = |n| Key { index: n, generation: 1 };
        for (id, n) in ids.iter().zip(0..) {
            directory.claim(id, 0, u64::MAX);
            directory.settle(id, 0, key(n));
        }
        ids[100..].iter().for_each(|id| directory.release(id, 0));
        let before = capacity();
        (0..3).for_each(|shard| directory.compact(shard, 3, util::Home::of(&directory)));
        assert!(capacity() < before, "{} of {before}", capacity());
        assert_eq!(directory.len(), 100);
        for (id, n) in ids[..100].iter().zip(0..) {
            let home = Home { shard: 0, session: key(n) };
            assert_eq!(directory.claim(id, 1, u64::MAX), Claim::Existing(home));
        }
    }

    #[test]
    fn racing_claims_have_one_winner() {
        let directory = Arc::new(Directory::default());
        for round in 0..200 {
            let winners: usize = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..4u16)
                    .map(|shard| {
                        let directory = Arc::clone(&directory);
                        let id: Arc<str> = format!("client-{round}").into();
                        scope.spawn(move || {
                            usize::from(directory.claim(&id, shard, u64::MAX) == Claim::New)
                        })
                    })
                    .collect();
                racers.into_iter().map(|racer| racer.join().unwrap_or(0)).sum()
            });
            assert_eq!(winners, 1);
        }
    }
}

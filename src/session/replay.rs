//! Retained Messages on their way to a new subscription.
//!
//! They are pulled a page at a time from the shards that own them, while the socket drains, so
//! any number of them costs one page of memory and none counts against the session's queue.
//!
//! A live message that was published with RETAIN may overtake the cursor. What the cursor then
//! finds under that topic is no newer than what the Client has already seen, so it is skipped:
//! `overtaken` remembers those topics by hash until the replays end. A subscription made after
//! the live message is owed what is stored all the same, so the cursors that were there are
//! remembered with the topic: those that were there when the message came, not when it was sent.
//! One that waited in the session's queue while a later one of its topic passed it may be older
//! than what is stored.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::num::NonZeroU32;

use foldhash::fast::RandomState;

use crate::protocol::{Message, QoS};

/// Upper bound of the overtaken topics remembered (16 bytes each, 2 MiB with the table's slack).
/// Past it, live messages wait in the session's queue until the replay has ended.
const OVERTAKEN_MAX: usize = 65_536;

/// One subscription's replay.
#[derive(Debug)]
pub struct ReplayCursor {
    /// Names this replay among all that its shard ever started.
    pub id: u64,
    /// The Topic Filter.
    pub filter: Box<str>,
    /// Maximum QoS of the subscription.
    pub qos: QoS,
    /// Its Subscription Identifier, 0 when it has none.
    pub subscription_id: u32,
    /// The shard whose store is read next.
    pub shard: u16,
    /// The last topic examined there.
    pub after: Option<Box<str>>,
    /// Messages fetched and not yet sent.
    pub page: VecDeque<Message>,
    /// A page was asked for and has not come.
    pub waiting: bool,
    /// Every store was read to its end; only `page` is left.
    pub complete: bool,
}

/// All replays of one session.
#[derive(Debug, Default)]
pub struct Replay {
    /// Oldest first; the first one is being sent.
    pub cursors: VecDeque<ReplayCursor>,
    /// The newest cursor when the topic was last overtaken, by the topic's hash.
    overtaken: HashMap<u64, u64>,
    /// The newest cursor.
    newest: u64,
    hasher: RandomState,
}

impl Replay {
    /// Begins a replay of `filter`, in place of an unfinished one of the same filter. `id` is
    /// above that of every earlier replay of this session, so that a late page of one of those is
    /// not taken for a page of this.
    pub fn start(&mut self, id: u64, filter: &str, qos: QoS, subscription_id: u32) {
        self.cancel(filter);
        self.newest = id;
        // Nearly always the only one.
        self.cursors.reserve_exact(1);
        self.cursors.push_back(ReplayCursor {
            id,
            filter: filter.into(),
            qos,
            subscription_id,
            shard: 0,
            after: None,
            page: VecDeque::new(),
            waiting: false,
            complete: false,
        });
    }

    /// The subscription is gone: nothing of it may follow the UNSUBACK.
    pub fn cancel(&mut self, filter: &str) {
        self.cursors.retain(|cursor| &*cursor.filter != filter);
    }

    /// The unfinished replay with this id.
    pub fn cursor_mut(&mut self, id: u64) -> Option<&mut ReplayCursor> {
        self.cursors.iter_mut().find(|cursor| cursor.id == id)
    }

    /// A live message that was published with RETAIN is about to be sent. False: too many have
    /// overtaken, it has to wait in the queue.
    pub fn overtake(&mut self, topic: &str) -> bool {
        let hash = self.hasher.hash_one(topic);
        if self.overtaken.len() >= OVERTAKEN_MAX && !self.overtaken.contains_key(&hash) {
            return false;
        }
        self.overtaken.insert(hash, self.newest);
        true
    }

    /// Names the newest replay, for a message that has to be queued now.
    pub fn newest(&self) -> Option<NonZeroU32> {
        // Half of the number is enough, see `overtake_late`; in one replay of four billion it is
        // zero, and what it has is sent once more than needed.
        NonZeroU32::new(self.newest as u32)
    }

    /// A live message that was published with RETAIN has waited in the queue and is sent now;
    /// `newest` is from when it was queued. It waited in order: nothing is gained by holding it
    /// back when too many have overtaken.
    pub fn overtake_late(&mut self, topic: &str, newest: Option<NonZeroU32>) {
        let Some(newest) = newest else { return };
        // Replays begun since then; a message doesn't outwait four billion of them.
        let since = (self.newest as u32).wrapping_sub(newest.get());
        let newest = self.newest.saturating_sub(since.into());
        let hash = self.hasher.hash_one(topic);
        if self.overtaken.len() < OVERTAKEN_MAX || self.overtaken.contains_key(&hash) {
            let noted = self.overtaken.entry(hash).or_insert(newest);
            *noted = newest.max(*noted);
        }
    }

    /// True when a live message of that topic was sent since the replay with this id began.
    pub fn was_overtaken(&self, id: u64, topic: &str) -> bool {
        self.overtaken.get(&self.hasher.hash_one(topic)).is_some_and(|newest| *newest >= id)
    }

    /// True when nothing is left to send or to fetch.
    pub fn is_finished(&self) -> bool {
        self.cursors.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_replay_forgets_the_old_pages() {
        let mut replay = Replay::default();
        replay.start(1, "a/#", QoS::AtLeastOnce, 0);
        let first = replay.cursors[0].id;
        replay.start(2, "a/#", QoS::AtMostOnce, 5);
        assert_eq!(replay.cursors.len(), 1);
        assert!(replay.cursor_mut(first).is_none());
        replay.cancel("a/#");
        assert!(replay.is_finished());
    }

    #[test]
    fn overtaken_topics_are_bounded() {
        let mut replay = Replay::default();
        for n in 0..OVERTAKEN_MAX {
            assert!(replay.overtake(&n.to_string()));
        }
        assert!(!replay.overtake("one more"));
        assert!(replay.overtake("5"), "already noted");
        assert!(replay.was_overtaken(0, "5"));
    }

    #[test]
    fn only_replays_that_had_begun_are_overtaken() {
        let mut replay = Replay::default();
        replay.start(1, "a/#", QoS::AtLeastOnce, 0);
        assert!(replay.overtake("a/b"));
        replay.start(2, "+/b", QoS::AtLeastOnce, 0);
        assert!(replay.was_overtaken(1, "a/b"));
        assert!(!replay.was_overtaken(2, "a/b"));
        assert!(replay.overtake("a/b"));
        assert!(replay.was_overtaken(2, "a/b"));
    }

    #[test]
    fn what_was_queued_before_a_replay_began_does_not_overtake_it() {
        for start in [0, u64::from(u32::MAX) - 1] {
            let mut replay = Replay::default();
            let before = replay.newest();
            replay.start(start + 1, "a/#", QoS::AtLeastOnce, 0);
            let between = replay.newest();
            replay.start(start + 3, "+/b", QoS::AtLeastOnce, 0);
            replay.overtake_late("a/b", before);
            assert!(!replay.was_overtaken(start + 1, "a/b"));
            replay.overtake_late("a/b", between);
            assert!(replay.was_overtaken(start + 1, "a/b"));
            assert!(!replay.was_overtaken(start + 3, "a/b"));
            replay.overtake_late("a/b", replay.newest());
            replay.overtake_late("a/b", between);
            assert!(replay.was_overtaken(start + 3, "a/b"));
        }
    }
}

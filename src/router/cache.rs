//! What a shard found for the topics that it sees often.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::trie::Stamp;

/// Entries that share a place: the reach of one look-up and of one eviction.
const WAYS: usize = 8;
/// Longer topics are not kept, in bytes: they would decide how much memory the cache takes.
const MAX_TOPIC: usize = 512;

/// A bounded cache from Topic Name to `V`, valid as long as the topic's stamp is.
///
/// A topic is admitted when it comes a second time within about as many misses as the cache has
/// places. A flood of topics that never return therefore costs two bytes each, overwritten in
/// place, and pushes nothing out. Within a set of eight the topic that was not asked for since the
/// hand last passed goes first (CLOCK).
///
/// A stale value stays until its topic is inserted again, pushed out or [aged](Self::age) out; what
/// it holds is bounded by the number of entries, so keep large values out.
pub struct TopicCache<V, S = Stamp> {
    sets: Box<[Set<V, S>]>,
    /// The last topic missed at each place: 16 bits of its hash.
    sighted: Box<[u16]>,
    hasher: RandomState,
    /// The set that is aged next.
    aged: usize,
    len: usize,
    topic_bytes: usize,
}

struct Set<V, S> {
    tags: [u32; WAYS],
    /// A bit for each way asked for since the hand passed.
    referenced: u8,
    hand: u8,
    ways: [Option<Box<Entry<V, S>>>; WAYS],
}

struct Entry<V, S> {
    stamp: S,
    topic: Box<str>,
    value: V,
}

impl<V, S: Copy + Eq> TopicCache<V, S> {
    /// An empty cache for about `capacity` topics (rounded up to a power of two, at least eight).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let sets = capacity.div_ceil(WAYS).max(1).next_power_of_two();
        Self {
            sets: std::iter::repeat_with(Set::default).take(sets).collect(),
            sighted: vec![0; sets * WAYS].into(),
            hasher: RandomState::default(),
            aged: 0,
            len: 0,
            topic_bytes: 0,
        }
    }

    /// The hash by which `topic` is kept, seeded for this cache. Compute it once a message.
    #[inline]
    #[must_use]
    pub fn hash(&self, topic: &str) -> u64 {
        self.hasher.hash_one(topic)
    }

    /// What was kept for `topic` under this very `stamp`.
    #[inline]
    pub fn get(&mut self, hash: u64, topic: &str, stamp: S) -> Option<&V> {
        let set = &mut self.sets[hash as usize & (self.sets.len() - 1)];
        let way = set.find(hash, topic)?;
        set.referenced |= 1 << way;
        set.ways[way].as_ref().filter(|entry| entry.stamp == stamp).map(|entry| &entry.value)
    }

    /// Offers what was found for `topic`, with the stamp read *before* it was looked for; whether
    /// it was kept. `hash` is [`hash`](Self::hash) of the topic.
    pub fn insert(&mut self, hash: u64, topic: &str, stamp: S, value: V) -> bool {
        let at = hash as usize & (self.sets.len() - 1);
        if let Some(way) = self.sets[at].find(hash, topic) {
            if let Some(entry) = &mut self.sets[at].ways[way] {
                entry.stamp = stamp;
                entry.value = value;
            }
            return true;
        }
        if topic.len() > MAX_TOPIC || !self.sighted_before(hash) {
            return false;
        }
        let set = &mut self.sets[at];
        let way = set.make_room();
        set.tags[way] = tag(hash);
        // Not referenced yet: one that never comes a third time is the first to go.
        set.referenced &= !(1 << way);
        let entry = Box::new(Entry { stamp, topic: topic.into(), value });
        self.topic_bytes += topic.len();
        match set.ways[way].replace(entry) {
            Some(evicted) => self.topic_bytes -= evicted.topic.len(),
            None => self.len += 1,
        }
        true
    }

    /// Forgets topics that were not asked for since their turn came last: one call for each
    /// `1 / part` of all places, round and round. So a cache that a crowd has filled empties when
    /// the crowd has gone, and a topic that is published to once in a while is looked up in the
    /// router, which costs little at such a rate.
    pub fn age(&mut self, part: usize) {
        if self.len == 0 {
            return;
        }
        let sets = self.sets.len();
        for _ in 0..sets.div_ceil(part) {
            let set = &mut self.sets[self.aged];
            self.aged = (self.aged + 1) % sets;
            for way in 0..WAYS {
                if set.referenced & 1 << way == 0
                    && let Some(entry) = set.ways[way].take()
                {
                    self.len -= 1;
                    self.topic_bytes -= entry.topic.len();
                }
            }
            set.referenced = 0;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sets.fill_with(Set::default);
        self.sighted.fill(0);
        (self.len, self.topic_bytes) = (0, 0);
    }

    /// How many topics are kept, stale ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no topic is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes held, without the allocator's own and without what the values point to.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let fixed = size_of_val(&*self.sets) + size_of_val(&*self.sighted);
        fixed + self.len * size_of::<Entry<V, S>>() + self.topic_bytes
    }

    /// Whether this is the second time for the topic; notes the first.
    fn sighted_before(&mut self, hash: u64) -> bool {
        let place = &mut self.sighted[hash as usize & (self.sets.len() * WAYS - 1)];
        let mark = (hash >> 48) as u16;
        std::mem::replace(place, mark) == mark
    }
}

impl<V, S> Set<V, S> {
    #[inline]
    fn find(&self, hash: u64, topic: &str) -> Option<usize> {
        let tag = tag(hash);
        (0..WAYS).find(|&way| {
            self.tags[way] == tag && self.ways[way].as_ref().is_some_and(|e| *e.topic == *topic)
        })
    }

    /// A free way, or the next that was not referenced, clearing the marks that it passes.
    fn make_room(&mut self) -> usize {
        if let Some(free) = self.ways.iter().position(Option::is_none) {
            return free;
        }
        loop {
            let way = usize::from(self.hand);
            self.hand = (self.hand + 1) % WAYS as u8;
            if self.referenced & 1 << way == 0 {
                return way;
            }
            self.referenced &= !(1 << way);
        }
    }
}

impl<V, S> Default for Set<V, S> {
    fn default() -> Self {
        Self { tags: [0; WAYS], referenced: 0, hand: 0, ways: [const { None }; WAYS] }
    }
}

/// Bits of the hash that the choice of the set leaves.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

impl<V, S> std::fmt::Debug for TopicCache<V, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicCache").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(cache: &mut TopicCache<u32, u64>, topic: &str, stamp: u64, value: u32) -> bool {
        cache.insert(cache.hash(topic), topic, stamp, value)
    }

    fn get(cache: &mut TopicCache<u32, u64>, topic: &str, stamp: u64) -> Option<u32> {
        cache.get(cache.hash(topic), topic, stamp).copied()
    }

    #[test]
    fn a_topic_is_kept_from_its_second_time_on() {
        let mut cache = TopicCache::new(64);
        assert!(!offer(&mut cache, "a/b", 1, 10));
        assert_eq!(get(&mut cache, "a/b", 1), None);
        assert!(offer(&mut cache, "a/b", 1, 10));
        assert_eq!(get(&mut cache, "a/b", 1), Some(10));
    }

    #[test]
    fn another_stamp_is_a_miss_until_the_value_is_renewed() {
        let mut cache = TopicCache::new(64);
        offer(&mut cache, "a/b", 1, 10);
        offer(&mut cache, "a/b", 1, 10);
        assert_eq!(get(&mut cache, "a/b", 2), None);
        assert!(offer(&mut cache, "a/b", 2, 20));
        assert_eq!((get(&mut cache, "a/b", 2), get(&mut cache, "a/b", 1)), (Some(20), None));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn equal_hashes_do_not_mix_topics_up() {
        let mut cache = TopicCache::<u32, u64>::new(64);
        for topic in ["a", "b"] {
            cache.insert(5, topic, 1, topic.len() as u32);
            cache.insert(5, topic, 1, u32::from(topic.as_bytes()[0]));
        }
        assert_eq!(cache.get(5, "a", 1), Some(&97));
        assert_eq!(cache.get(5, "b", 1), Some(&98));
        assert_eq!(cache.get(5, "c", 1), None);
    }

    #[test]
    fn a_flood_of_single_topics_pushes_out_nothing() {
        let mut cache = TopicCache::new(1024);
        for n in 0..100 {
            let topic = format!("hot/{n}");
            offer(&mut cache, &topic, 1, n);
            offer(&mut cache, &topic, 1, n);
        }
        let before = cache.footprint();
        for n in 0..100_000 {
            offer(&mut cache, &format!("once/{n}"), 1, n);
        }
        let kept = (0..100).filter(|n| get(&mut cache, &format!("hot/{n}"), 1).is_some()).count();
        assert!(kept >= 98, "{kept}");
        assert!(cache.footprint() < before + 4096);
    }

    #[test]
    fn memory_is_bounded_when_every_topic_comes_twice() {
        let mut cache = TopicCache::new(64);
        for n in 0..10_000 {
            let topic = format!("{n:0>400}");
            offer(&mut cache, &topic, 1, n);
            offer(&mut cache, &topic, 1, n);
        }
        let long = "x".repeat(60_000);
        assert!(!offer(&mut cache, &long, 1, 0) && !offer(&mut cache, &long, 1, 0));
        assert!(cache.len() <= 64, "{}", cache.len());
        assert!(cache.footprint() < 64 * 700, "{}", cache.footprint());
        cache.clear();
        assert_eq!((cache.len(), get(&mut cache, "0", 1)), (0, None));
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_forgotten() {
        let mut cache = TopicCache::new(1024);
        let empty = cache.footprint();
        for n in 0..500 {
            let topic = format!("crowd/{n}");
            offer(&mut cache, &topic, 1, n);
            offer(&mut cache, &topic, 1, n);
            // In demand, or the others push it out where chance puts more than eight in its set.
            assert_eq!(get(&mut cache, "crowd/7", 1), (n >= 7).then_some(7));
        }
        for _ in 0..2 * 8 {
            assert_eq!(get(&mut cache, "crowd/7", 1), Some(7));
            cache.age(8);
        }
        assert_eq!((cache.len(), get(&mut cache, "crowd/7", 1)), (1, Some(7)));
        (0..2 * 8).for_each(|_| cache.age(8));
        assert_eq!((cache.len(), cache.footprint()), (0, empty));
    }

    #[test]
    fn what_is_asked_for_outlives_what_is_not() {
        let mut cache = TopicCache::<u32, u64>::new(8);
        // One set: eight ways, all topics compete.
        let keep = |cache: &mut TopicCache<u32, u64>, n: u64| {
            let (hash, topic) = (n << 48 | n << 32, format!("t{n}"));
            cache.insert(hash, &topic, 1, n as u32);
            cache.insert(hash, &topic, 1, n as u32)
        };
        for n in 1..=8 {
            assert!(keep(&mut cache, n));
        }
        for n in 9..200 {
            assert_eq!(cache.get(3 << 48 | 3 << 32, "t3", 1), Some(&3), "before {n}");
            assert!(keep(&mut cache, n));
        }
    }
}

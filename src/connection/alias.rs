//! Topic Aliases, both ways. They belong to the network connection, not to the session.

use std::collections::HashMap;

use crate::sync::Arc;

/// Aliases that the Client has set [MQTT-3.3.2.3.4].
#[derive(Debug)]
pub struct AliasTable {
    topics: Vec<Option<Box<str>>>,
    maximum: u16,
}

impl AliasTable {
    /// A table for aliases 1 to `maximum`, without memory until one is set.
    pub fn new(maximum: u16) -> Self {
        Self { topics: Vec::new(), maximum }
    }

    /// Binds `alias` to `topic`; false when it is above the maximum (0x94) [MQTT-3.3.2-9].
    pub fn set(&mut self, alias: u16, topic: &str) -> bool {
        if alias == 0 || alias > self.maximum {
            return false;
        }
        let index = usize::from(alias) - 1;
        if self.topics.len() <= index {
            self.topics.resize(index + 1, None);
        }
        if self.topics[index].as_deref() != Some(topic) {
            self.topics[index] = Some(topic.into());
        }
        true
    }

    /// The topic bound to `alias`.
    pub fn get(&self, alias: u16) -> Option<&str> {
        self.topics.get(usize::from(alias).checked_sub(1)?)?.as_deref()
    }
}

/// How a topic goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Spelled out, without alias.
    Spelled,
    /// Spelled out and bound to this alias from now on.
    Bind(u16),
    /// Only the alias; the Client knows it.
    Alias(u16),
}

/// Learns which topics are hot and gives those the Client's few aliases.
///
/// CLOCK with counters: a hit raises its entry's heat, a miss cools the entry under the hand and
/// takes its place once it is cold. So a topic seen once does not push out a hot one, and the
/// aliases follow when traffic changes.
#[derive(Debug)]
pub struct AliasLearner {
    entries: Vec<Learned>,
    by_topic: HashMap<Arc<str>, u16>,
    maximum: u16,
    hand: usize,
}

#[derive(Debug)]
struct Learned {
    topic: Arc<str>,
    heat: u8,
}

const HEAT_MAX: u8 = 8;

impl AliasLearner {
    /// For `maximum` aliases, at least one.
    pub fn new(maximum: u16) -> Self {
        debug_assert!(maximum > 0);
        Self { entries: Vec::new(), by_topic: HashMap::new(), maximum, hand: 0 }
    }

    /// Decides how `topic` goes out. The caller has made sure that the packet is really sent.
    pub fn choose(&mut self, topic: &str) -> Chosen {
        if let Some(at) = self.by_topic.get(topic) {
            let entry = &mut self.entries[usize::from(*at)];
            entry.heat = (entry.heat + 1).min(HEAT_MAX);
            return Chosen::Alias(at + 1);
        }
        if self.entries.len() < usize::from(self.maximum) {
            return self.bind(self.entries.len(), topic);
        }
        let at = self.hand;
        self.hand = (self.hand + 1) % self.entries.len();
        if self.entries[at].heat > 0 {
            self.entries[at].heat -= 1;
            return Chosen::Spelled;
        }
        self.bind(at, topic)
    }

    fn bind(&mut self, at: usize, topic: &str) -> Chosen {
        let topic: Arc<str> = topic.into();
        let learned = Learned { topic: Arc::clone(&topic), heat: 1 };
        if at == self.entries.len() {
            self.entries.push(learned);
        } else {
            let old = std::mem::replace(&mut self.entries[at], learned);
            self.by_topic.remove(&old.topic);
        }
        self.by_topic.insert(topic, at as u16);
        Chosen::Bind(at as u16 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incoming_aliases_rebind_and_have_a_limit() {
        let mut table = AliasTable::new(2);
        assert!(table.get(1).is_none());
        assert!(table.set(2, "a"));
        assert_eq!(table.get(2), Some("a"));
        assert!(table.get(1).is_none());
        assert!(table.set(2, "b"));
        assert_eq!(table.get(2), Some("b"));
        assert!(!table.set(3, "c"));
        assert!(!table.set(0, "c"));
        assert!(table.get(0).is_none());
        assert!(!AliasTable::new(0).set(1, "a"));
    }

    #[test]
    fn a_hot_topic_keeps_its_alias_against_passing_ones() {
        let mut learner = AliasLearner::new(1);
        assert_eq!(learner.choose("hot"), Chosen::Bind(1));
        for n in 0..100 {
            assert_eq!(learner.choose("hot"), Chosen::Alias(1));
            assert_eq!(learner.choose(&format!("passing/{n}")), Chosen::Spelled);
        }
    }

    #[test]
    fn aliases_follow_the_traffic() {
        let mut learner = AliasLearner::new(2);
        for _ in 0..20 {
            learner.choose("old/1");
            learner.choose("old/2");
        }
        let bound = (0..100).find_map(|_| match learner.choose("new") {
            Chosen::Bind(alias) => Some(alias),
            _ => None,
        });
        let alias = bound.expect("the new topic gets an alias");
        assert_eq!(learner.choose("new"), Chosen::Alias(alias));
    }
}

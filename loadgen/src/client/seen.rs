//! Which messages of shared subscriptions came, whatever member they came to.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// A bit for each message of each flow of each shared subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    bits: HashMap<(u32, u32), Box<Bits>>,
}

/// The messages of one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bits {
    words: Vec<u64>,
    duplicates: u64,
}

/// One flow of one shared subscription, to be sent to another process.
#[derive(Debug, Serialize, Deserialize)]
pub struct SeenFlow {
    shared: u32,
    flow: u32,
    words: Vec<u64>,
    duplicates: u64,
}

impl Seen {
    /// Takes note of a message; `false` if it came before.
    #[inline]
    pub fn record(&mut self, shared: u32, flow: u32, sequence: u32) -> bool {
        let bits = self.bits.entry((shared, flow)).or_default();
        let (word, bit) = (sequence as usize / 64, 1 << (sequence % 64));
        if word >= bits.words.len() {
            bits.words.resize(word + 1, 0);
        }
        let fresh = bits.words[word] & bit == 0;
        bits.words[word] |= bit;
        bits.duplicates += u64::from(!fresh);
        fresh
    }

    /// Adds what another thread or process saw. A message seen in both came twice.
    pub fn merge(&mut self, other: Self) {
        for (key, theirs) in other.bits {
            let mine = self.bits.entry(key).or_default();
            if mine.words.len() < theirs.words.len() {
                mine.words.resize(theirs.words.len(), 0);
            }
            for (mine_word, word) in mine.words.iter_mut().zip(theirs.words) {
                mine.duplicates += u64::from((*mine_word & word).count_ones());
                *mine_word |= word;
            }
            mine.duplicates += theirs.duplicates;
        }
    }

    /// Each shared subscription and flow, the messages seen at least once, and those seen again.
    pub fn counts(&self) -> impl Iterator<Item = (u32, u32, u64, u64)> {
        self.bits.iter().map(|(&(shared, flow), bits)| {
            let unique = bits.words.iter().map(|word| u64::from(word.count_ones())).sum();
            (shared, flow, unique, bits.duplicates)
        })
    }

    /// The first ranges of the first `sent` messages that did not come, both ends included.
    pub fn missing(&self, shared: u32, flow: u32, sent: u64, most: usize) -> Vec<(u64, u64)> {
        let words = self.bits.get(&(shared, flow)).map_or(&[][..], |bits| &bits.words);
        let has = |n: u64| words.get(n as usize / 64).is_some_and(|word| word >> (n % 64) & 1 == 1);
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for number in (0..sent).filter(|&number| !has(number)) {
            let count = ranges.len();
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ if count == most => break,
                _ => ranges.push((number, number)),
            }
        }
        ranges
    }

    /// The parts, to be sent.
    pub fn into_flows(self) -> Vec<SeenFlow> {
        let flow = |((shared, flow), bits): ((u32, u32), Box<Bits>)| SeenFlow {
            shared,
            flow,
            words: bits.words,
            duplicates: bits.duplicates,
        };
        self.bits.into_iter().map(flow).collect()
    }

    /// What was sent.
    pub fn from_flows(flows: Vec<SeenFlow>) -> Self {
        let bits = flows.into_iter().map(|flow| {
            let bits = Bits { words: flow.words, duplicates: flow.duplicates };
            ((flow.shared, flow.flow), Box::new(bits))
        });
        Self { bits: bits.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_once_over_all_members() {
        let (mut left, mut right) = (Seen::default(), Seen::default());
        assert!([0, 2, 64].iter().all(|&n| left.record(1, 5, n)));
        assert!(!left.record(1, 5, 2));
        assert!([1, 64].iter().all(|&n| right.record(1, 5, n)));
        left.merge(Seen::from_flows(right.into_flows()));
        assert_eq!(left.counts().collect::<Vec<_>>(), [(1, 5, 4, 2)]);
        assert_eq!(left.missing(1, 5, 67, 9), [(3, 63), (65, 66)]);
        assert_eq!(left.missing(1, 5, 67, 1), [(3, 63)]);
        assert_eq!(left.missing(9, 9, 2, 3), [(0, 1)]);
    }
}

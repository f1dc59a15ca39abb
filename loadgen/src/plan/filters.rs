//! All filters of a scenario, to be matched with each topic once.

use std::collections::HashMap;

/// A trie of Topic Filters; each stands for the sets of subscribers that have it.
#[derive(Debug)]
pub struct Filters {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, u32>,
    /// Child of `+`.
    any: Option<u32>,
    /// Sets whose filter ends here.
    here: Vec<u32>,
    /// Sets whose filter ends here with `#`.
    rest: Vec<u32>,
}

impl Filters {
    /// No filters.
    pub fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    /// Adds a filter for `set`.
    pub fn add(&mut self, filter: &str, set: u32) {
        let mut at = 0;
        for level in filter.split('/') {
            if level == "#" {
                self.nodes[at].rest.push(set);
                return;
            }
            let next = self.nodes.len() as u32;
            let node = &mut self.nodes[at];
            let child = match level {
                "+" => *node.any.get_or_insert(next),
                _ => *node.children.entry(level.into()).or_insert(next),
            };
            if child == next {
                self.nodes.push(Node::default());
            }
            at = child as usize;
        }
        self.nodes[at].here.push(set);
    }

    /// Calls `found` with each set that has a filter matching `topic`, perhaps more than once.
    pub fn matching(&self, topic: &str, mut found: impl FnMut(u32)) {
        // A topic that begins with $ is not matched by a leading wildcard [MQTT-4.7.2-1].
        let hidden = topic.starts_with('$');
        let mut now = vec![0_u32];
        let mut next = Vec::new();
        for (depth, level) in topic.split('/').enumerate() {
            for &at in &now {
                let node = &self.nodes[at as usize];
                let wild = !(hidden && depth == 0);
                if wild {
                    node.rest.iter().for_each(|&set| found(set));
                    next.extend(node.any);
                }
                next.extend(node.children.get(level));
            }
            std::mem::swap(&mut now, &mut next);
            next.clear();
        }
        for &at in &now {
            let node = &self.nodes[at as usize];
            node.here.iter().chain(&node.rest).for_each(|&set| found(set));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pondhawk::protocol::filter_matches;

    #[test]
    fn the_trie_agrees_with_the_codec() {
        let filters =
            ["a/b", "a/+", "a/#", "#", "+/b", "a", "a/b/c", "+", "$SYS/#", "a/+/c", "b/#"];
        let topics = ["a", "a/b", "a/c", "a/b/c", "b", "$SYS/x", "/a", "a/"];
        let mut trie = Filters::new();
        filters.iter().enumerate().for_each(|(set, filter)| trie.add(filter, set as u32));
        for topic in topics {
            let mut found = Vec::new();
            trie.matching(topic, |set| found.push(set as usize));
            found.sort_unstable();
            let expected: Vec<_> =
                (0..filters.len()).filter(|&set| filter_matches(filters[set], topic)).collect();
            assert_eq!(found, expected, "{topic}");
        }
    }
}

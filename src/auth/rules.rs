//! A list of access rules, compiled: which of its filters match a topic.
//!
//! Most users have a few rules, which are compared one after the other and take little memory;
//! lists with more become a tree of topic levels, where the cost of a look-up depends on the
//! depth of the topic and not on the length of the list.

use std::hash::{Hash, Hasher};

use hashbrown::{Equivalent, HashMap};
use smallvec::SmallVec;

use super::{Grants, Who};

/// Up to this many rules a walk over all of them is no slower than a tree: a choice.
const FEW: usize = 8;

/// One rule as written.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    filter: Box<str>,
    grants: Grants,
    /// `%u` and `%c` as whole levels stand for the Client's names.
    pattern: bool,
}

/// See the module's documentation. Filters are well formed.
#[derive(Clone, Debug)]
pub(super) enum Rules {
    Few(Box<[Rule]>),
    Many(Box<Tree>),
}

impl Rules {
    /// Compiles a list; the order does not count, since what the matching rules say is added up.
    pub(super) fn compile(rules: Vec<Rule>) -> Self {
        if rules.len() <= FEW {
            return Self::Few(rules.into_boxed_slice());
        }
        let mut tree = Tree::default();
        for rule in rules {
            tree.add(&rule);
        }
        tree.children.shrink_to_fit();
        Self::Many(Box::new(tree))
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Few(rules) if rules.is_empty())
    }

    /// What all rules that match `topic` say together.
    pub(super) fn about(&self, topic: &str, who: Who<'_>) -> Grants {
        match self {
            Self::Many(tree) => tree.about(topic, who),
            Self::Few(rules) => {
                let mut sum = Grants::NONE;
                for rule in rules.iter().filter(|rule| rule.matches(topic, who)) {
                    sum.add(rule.grants);
                }
                sum
            }
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::Few(Box::default())
    }
}

impl Rule {
    /// `filter` is a well-formed Topic Filter.
    pub(super) fn new(filter: &str, grants: Grants, pattern: bool) -> Self {
        Self { filter: filter.into(), grants, pattern }
    }

    /// A filter that does not begin with `$` does not match a topic that does: not even by a
    /// wildcard, nor by a name put in for `%u`.
    fn matches(&self, topic: &str, who: Who<'_>) -> bool {
        if topic.starts_with('$') && !self.filter.starts_with('$') {
            return false;
        }
        let mut names = topic.split('/');
        for level in self.filter.split('/') {
            if level == "#" {
                return true;
            }
            let Some(name) = names.next() else { return false };
            let fits = match level {
                "+" => true,
                // A name with a `/` or a wildcard in it equals no level of a topic.
                "%u" if self.pattern => who.username == Some(name),
                "%c" if self.pattern => who.client_id == name,
                level => level == name,
            };
            if !fits {
                return false;
            }
        }
        names.next().is_none()
    }
}

/// "No such child"; the root is nobody's child.
const NOBODY: u32 = 0;

#[derive(Clone, Debug, Default)]
struct Node {
    /// Of the filters that end here.
    here: Grants,
    /// Of those that go on with `#`: they match this level and all below.
    below: Grants,
    plus: u32,
    user: u32,
    client: u32,
}

/// The filters by their levels. Children with a name stand in one table for the whole tree.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    children: HashMap<Child, u32, foldhash::fast::RandomState>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Child {
    parent: u32,
    level: Box<str>,
}

/// The same, borrowed, to look one up.
struct ChildRef<'a> {
    parent: u32,
    level: &'a str,
}

impl Hash for Child {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ChildRef { parent: self.parent, level: &self.level }.hash(state);
    }
}

impl Hash for ChildRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parent.hash(state);
        self.level.hash(state);
    }
}

impl Equivalent<Child> for ChildRef<'_> {
    fn equivalent(&self, key: &Child) -> bool {
        self.parent == key.parent && *self.level == *key.level
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], children: HashMap::default() }
    }
}

impl Tree {
    fn add(&mut self, rule: &Rule) {
        let mut at = 0;
        for level in rule.filter.split('/') {
            if level == "#" {
                self.nodes[at].below.add(rule.grants);
                return;
            }
            at = self.child(at, level, rule.pattern) as usize;
        }
        self.nodes[at].here.add(rule.grants);
    }

    fn child(&mut self, parent: usize, level: &str, pattern: bool) -> u32 {
        let new = self.nodes.len() as u32;
        let node = &mut self.nodes[parent];
        let slot = match level {
            "+" => &mut node.plus,
            "%u" if pattern => &mut node.user,
            "%c" if pattern => &mut node.client,
            level => {
                let child = Child { parent: parent as u32, level: level.into() };
                self.children.entry(child).or_insert(NOBODY)
            }
        };
        if *slot == NOBODY {
            *slot = new;
            self.nodes.push(Node::default());
            return new;
        }
        *slot
    }

    fn about(&self, topic: &str, who: Who<'_>) -> Grants {
        let mut sum = Grants::NONE;
        let mut at: SmallVec<[u32; 16]> = SmallVec::from_slice(&[0]);
        let mut next: SmallVec<[u32; 16]> = SmallVec::new();
        // At the top of a topic that begins with `$` only a level of that name counts.
        let mut by_name_only = topic.starts_with('$');
        for level in topic.split('/') {
            for &parent in &at {
                let node = &self.nodes[parent as usize];
                if !by_name_only {
                    sum.add(node.below);
                    next.extend(real(node.plus));
                    next.extend(real(node.user).filter(|_| who.username == Some(level)));
                    next.extend(real(node.client).filter(|_| who.client_id == level));
                }
                next.extend(self.children.get(&ChildRef { parent, level }).copied());
            }
            by_name_only = false;
            std::mem::swap(&mut at, &mut next);
            next.clear();
        }
        for &node in &at {
            let node = &self.nodes[node as usize];
            sum.add(node.here);
            sum.add(node.below);
        }
        sum
    }
}

fn real(child: u32) -> Option<u32> {
    (child != NOBODY).then_some(child)
}

//! An access control list and what it decides.

use std::collections::HashMap;

use super::rules::{Rule, Rules};
use super::{Access, Grants, Who};

/// A compiled access control file. What it does not grant it refuses; an empty one refuses
/// everything.
#[derive(Debug, Default)]
pub struct Acl {
    anonymous: Rules,
    users: HashMap<Box<str>, Rules>,
    /// For everybody, with `%u` and `%c`.
    patterns: Rules,
}

impl Acl {
    /// Whether `who` may do that with `topic`.
    pub fn allows(&self, who: Who<'_>, topic: &str, access: Access) -> bool {
        self.about(who, topic).allow(access)
    }

    /// All that the list says about a Client and a topic. The Client's own rules come first:
    /// one that denies ends it, and so does, for what it grants, one that grants. Then come the
    /// patterns, in the same way.
    pub fn about(&self, who: Who<'_>, topic: &str) -> Grants {
        let own = match who.username {
            None => Some(&self.anonymous),
            Some(name) => self.users.get(name),
        };
        let mut grants = own.map_or(Grants::NONE, |rules| rules.about(topic, who));
        if grants.denies() || grants == Grants::BOTH || self.patterns.is_empty() {
            return grants;
        }
        // A name that could be taken for a wildcard gets nothing from any pattern.
        if who.username.is_some_and(has_wildcard) || has_wildcard(who.client_id) {
            return grants;
        }
        let patterns = self.patterns.about(topic, who);
        if patterns.denies() {
            // What the Client's own rules have granted stands.
            return grants;
        }
        grants.add(patterns);
        grants
    }

    /// Users that have rules of their own.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }
}

fn has_wildcard(name: &str) -> bool {
    name.contains(['+', '#'])
}

/// Collects rules in the order of the file.
#[derive(Default)]
pub(super) struct AclBuilder {
    anonymous: Vec<Rule>,
    users: HashMap<Box<str>, Vec<Rule>>,
    patterns: Vec<Rule>,
}

impl AclBuilder {
    /// A rule for one user, or for Clients without a name.
    pub(super) fn topic(&mut self, user: Option<&str>, filter: &str, grants: Grants) {
        let rule = Rule::new(filter, grants, false);
        match user {
            None => self.anonymous.push(rule),
            Some(user) => match self.users.get_mut(user) {
                Some(rules) => rules.push(rule),
                None => drop(self.users.insert(user.into(), vec![rule])),
            },
        }
    }

    /// A rule for everybody.
    pub(super) fn pattern(&mut self, filter: &str, grants: Grants) {
        self.patterns.push(Rule::new(filter, grants, true));
    }

    pub(super) fn finish(self) -> Acl {
        let compiled = self.users.into_iter().map(|(user, rules)| (user, Rules::compile(rules)));
        Acl {
            anonymous: Rules::compile(self.anonymous),
            users: compiled.collect(),
            patterns: Rules::compile(self.patterns),
        }
    }
}

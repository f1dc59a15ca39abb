//! One Client's remembered decisions.

use hashbrown::HashMap;

use super::{Access, Grants, Policies, Source};

/// Topics remembered for one Client; when more are used, all are forgotten and learned again.
const TOPICS_MAX: usize = 64;

/// What was decided about topics under one generation of policies. Without memory until used.
#[derive(Debug, Default)]
pub struct Decisions {
    generation: u64,
    by_topic: HashMap<Box<str>, Grants, foldhash::fast::RandomState>,
}

impl Decisions {
    /// Whether `source`, always the same one, may do that with `topic`.
    pub fn allow(
        &mut self,
        policies: &Policies,
        source: &Source,
        topic: &str,
        access: Access,
    ) -> bool {
        if self.generation != policies.generation() {
            self.by_topic.clear();
            self.generation = policies.generation();
        }
        if let Some(grants) = self.by_topic.get(topic) {
            return grants.allow(access);
        }
        let Some(policy) = policies.zone(source.zone) else { return false };
        let Some(acl) = &policy.acl else { return true };
        let grants = acl.about(source.who(), topic);
        if self.by_topic.len() >= TOPICS_MAX {
            self.by_topic.clear();
        }
        self.by_topic.insert(topic.into(), grants);
        grants.allow(access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Policy, parse_acl_file};
    use crate::sync::Arc;

    fn policies(generation: u64, acl: &str) -> Policies {
        let (acl, _) = parse_acl_file(acl.as_bytes()).expect("is good");
        let policy = Policy { acl: Some(Arc::new(acl)), ..Policy::open(true) };
        Policies::new(generation, [(0, Arc::new(policy))])
    }

    #[test]
    fn what_was_decided_holds_until_the_policies_change() {
        let source = Source { username: None, client_id: "c".into(), zone: 0 };
        let mut decisions = Decisions::default();
        let open = policies(1, "topic a/#");
        let closed = policies(2, "topic b/#");
        for _ in 0..2 {
            assert!(decisions.allow(&open, &source, "a/x", Access::Write));
            assert!(!decisions.allow(&open, &source, "b/x", Access::Read));
        }
        assert!(!decisions.allow(&closed, &source, "a/x", Access::Write));
        assert!(decisions.allow(&closed, &source, "b/x", Access::Read));
        for n in 0..1000 {
            assert!(decisions.allow(&closed, &source, &format!("b/{n}"), Access::Read));
        }
        assert!(decisions.by_topic.len() <= TOPICS_MAX);
        let gone = Source { zone: 1, ..source };
        assert!(!decisions.allow(&closed, &gone, "b/y", Access::Read));
    }
}

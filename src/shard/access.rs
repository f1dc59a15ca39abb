//! What the Clients of this shard's sessions are, and may read and write.
//!
//! A Client without a name on a listener without an access control list, which is every Client of
//! a plain broker, has no entry here and is never asked about: the whole of it costs one test of
//! a flag for each message.

use super::books::Books;
use super::core::Core;
use crate::auth::{Access, Decisions, Identity, Policies, Proof, Source};
use crate::metrics::DropReason;
use crate::session::{Delivery, Session};
use crate::sync::Arc;
use crate::util::{Compact, Home, Key, Sparse};

/// Entries of sessions, by their place in the slab.
#[derive(Default)]
pub(super) struct AccessTable(Sparse<Box<Entry>>);

struct Entry {
    session: Key,
    identity: Identity,
    /// Made when first needed.
    source: Option<Arc<Source>>,
    decisions: Decisions,
    /// Generation of the policies that the session's queue was last sifted under.
    sifted: u64,
}

impl Entry {
    fn new(session: Key, identity: Identity) -> Box<Self> {
        Box::new(Self {
            session,
            identity,
            source: None,
            decisions: Decisions::default(),
            sifted: 0,
        })
    }

    fn source(&mut self, session: &Session) -> &Arc<Source> {
        if self.source.as_ref().is_none_or(|source| source.zone != session.listener) {
            self.source = None;
        }
        self.source.get_or_insert_with(|| {
            Arc::new(Source {
                username: self.identity.username.clone(),
                client_id: Arc::clone(&session.client_id),
                zone: session.listener,
            })
        })
    }
}

impl Compact for AccessTable {
    fn compact(&mut self, home: Home) {
        self.0.compact(home);
    }
}

impl AccessTable {
    /// A connection of this identity is bound to the session.
    fn bind(&mut self, session: Key, identity: Identity) {
        if identity.username.is_none() && matches!(identity.proof, Proof::None) {
            return self.forget(session);
        }
        self.0.put(session.index, Entry::new(session, identity));
    }

    fn forget(&mut self, session: Key) {
        self.0.take(session.index);
    }

    /// Who the session's Client is; `None`: one without a name.
    fn identity(&self, session: Key) -> Option<&Identity> {
        let entry = self.0.get(session.index)?;
        (entry.session == session).then_some(&entry.identity)
    }

    fn entry(&mut self, session: Key) -> &mut Entry {
        let present = self.0.get(session.index).is_some_and(|entry| entry.session == session);
        if !present {
            self.0.put(session.index, Entry::new(session, Identity::default()));
        }
        &mut self.0[session.index]
    }
}

/// The policies in force and what was decided by them, while some list restricts anybody.
pub(super) struct Guard<'c> {
    policies: &'c Policies,
    table: &'c mut AccessTable,
}

impl<'c> Guard<'c> {
    /// `None` when nobody is restricted.
    pub(super) fn new(policies: &'c Policies, table: &'c mut AccessTable) -> Option<Self> {
        policies.restricted().then_some(Self { policies, table })
    }

    /// Whether the session's Client may do that with a topic.
    pub(super) fn allows(
        &mut self,
        key: Key,
        session: &Session,
        topic: &str,
        access: Access,
    ) -> bool {
        #[cfg(feature = "canary")]
        if access == Access::Read && crate::util::canary::Canary::OpenAccess.sings() {
            return true;
        }
        let entry = self.table.entry(key);
        let source = Arc::clone(entry.source(session));
        entry.decisions.allow(self.policies, &source, topic, access)
    }
}

impl Core {
    /// Whether the session's Client may do that with a topic.
    pub(super) fn allows(&mut self, key: Key, topic: &str, access: Access) -> bool {
        let Some(mut guard) = Guard::new(&self.policies, &mut self.access) else { return true };
        let Some(session) = self.sessions.get(key) else { return false };
        guard.allows(key, session, topic, access)
    }

    /// Whether the access control list lets `source` publish to a topic. `None` is the broker, or
    /// somebody of whom nothing was kept.
    pub(super) fn may_write(&self, source: Option<&Source>, topic: &str) -> bool {
        let asked = source.filter(|_| self.policies.restricted());
        asked.is_none_or(|source| self.policies.allows(source, topic, Access::Write))
    }

    /// Who the session's Client is, to be kept with what it publishes.
    pub(super) fn source(&mut self, key: Key) -> Option<Arc<Source>> {
        let session = self.sessions.get(key)?;
        Some(Arc::clone(self.access.entry(key).source(session)))
    }

    /// The same, where a list or a Retained Message needs it.
    pub(super) fn source_if_needed(&mut self, key: Key, retain: bool) -> Option<Arc<Source>> {
        let needed = self.policies.restricted() || (retain && self.config.check_retain_source);
        if needed { self.source(key) } else { None }
    }

    /// A connection of this identity was bound to the session.
    pub(super) fn bind_identity(&mut self, key: Key, identity: Identity) {
        self.access.bind(key, identity);
    }

    /// The session has ended.
    pub(super) fn forget_identity(&mut self, key: Key) {
        self.access.forget(key);
    }

    /// Who the session's Client is.
    pub(super) fn identity(&self, key: Key) -> Identity {
        self.access.identity(key).cloned().unwrap_or_default()
    }

    /// Whose session a Client may take over.
    pub(super) fn claim_of(&self, key: Key, identity: &Identity) -> SessionClaim {
        let owner = self.access.identity(key);
        if owner.and_then(Identity::proven) == identity.proven() || !self.config.bind_sessions {
            return SessionClaim::Own;
        }
        let listener = self.sessions.get(key).map_or(0, |session| session.listener);
        let anonymous = Identity::default();
        let policy = self.policies.zone(listener);
        match policy.is_some_and(|policy| policy.still_knows(owner.unwrap_or(&anonymous))) {
            true => SessionClaim::Foreign,
            false => SessionClaim::Abandoned,
        }
    }

    /// Drops what its Client may not read any more from what waits in a session: its queue, and
    /// messages that an earlier connection left without acknowledgement. Done once when the
    /// policies have changed, or the Client, before anything of it is sent.
    pub(super) fn sift(&mut self, key: Key) {
        if !self.policies.restricted() {
            return;
        }
        let Some(session) = self.sessions.get_mut(key) else { return };
        let entry = self.access.entry(key);
        let generation = self.policies.generation();
        if std::mem::replace(&mut entry.sifted, generation) == generation {
            return;
        }
        let source = entry.source(session);
        let may = |delivery: &Delivery| {
            self.policies.allows(source, delivery.message.topic(), Access::Read)
        };
        let denied: Vec<u16> = session
            .inflight
            .to_resend()
            .filter(|(_, delivery)| !may(delivery))
            .map(|(id, _)| id)
            .collect();
        let books = Books::open(session);
        for id in &denied {
            session.inflight.abandon(*id);
        }
        let before = session.queue.len();
        if before > 0 {
            session.queue.retain(may);
        }
        let metrics = &self.shared.metrics[usize::from(self.id)];
        books.settle(session, metrics);
        let lost = denied.len() + before - session.queue.len();
        metrics.dropped_many(DropReason::NotAuthorised, lost as u64);
    }
}

/// What a Client that names a session's ClientId is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionClaim {
    /// Its owner.
    Own,
    /// Somebody else, while the owner may still come back.
    Foreign,
    /// Somebody else, and the owner is no user any more.
    Abandoned,
}

//! Another configuration: who is still welcome under it.

use super::Settings;
use super::engine::Shard;
use crate::auth::{Identity, Proof};
use crate::config::{self, ListenerRuntime};
use crate::connection::Close;
use crate::protocol::ReasonCode;
use crate::sync::Arc;
use crate::util::Key;

impl Shard {
    /// Another configuration comes into force.
    ///
    /// Connections take over what has changed for their listener. Ended are those whose listener
    /// is gone, since nothing says any more what they may do, and those that would not be let in
    /// again. Whoever's rights are the same notices nothing.
    pub fn apply(&mut self, settings: Arc<Settings>) {
        let before = self.core.policies.generation();
        self.core.apply(settings);
        let policies_changed = before != self.core.policies.generation();
        for key in self.keys() {
            if let Err(why) = self.reconsider(key, policies_changed) {
                self.end(key, Close::refused(ReasonCode::ADMINISTRATIVE_ACTION, why));
            }
        }
        self.close_ended();
    }

    fn reconsider(&mut self, key: Key, policies_changed: bool) -> Result<(), &'static str> {
        let runtime = Arc::clone(&self.core.config);
        let Some(seat) = self.seat_mut(key) else { return Ok(()) };
        let Some(listener) = runtime.listener(seat.connection.listener().id) else {
            return Err("its listener was removed");
        };
        let before = Arc::clone(seat.connection.listener());
        seat.connection.relisten(Arc::clone(listener));
        let Some(session) = seat.connection.session() else { return Ok(()) };
        if before.mount_point != listener.mount_point {
            return Err("its mount point was changed");
        }
        let identity_changed = before.identity != listener.identity;
        if (policies_changed || identity_changed) && !self.welcome(listener, session) {
            return Err("no longer authorised");
        }
        let prefix = runtime.client_id_prefix.as_deref();
        let client_id = self.core.sessions.get(session).map(|session| &*session.client_id);
        match (client_id, prefix) {
            (Some(id), Some(prefix)) if !id.starts_with(prefix) => Err("no longer authorised"),
            _ => Ok(()),
        }
    }

    /// Gives a connection that has just come here the settings of its listener that are in force:
    /// those it came with may be older, if the configuration was changed while it was on its way.
    pub(super) fn relisten(&mut self, key: Key) {
        if let Err(why) = self.reconsider(key, false) {
            self.dismiss(key, ReasonCode::ADMINISTRATIVE_ACTION, why);
        }
    }

    /// Whether the session's Client would be let in again.
    fn welcome(&self, listener: &ListenerRuntime, session: Key) -> bool {
        let identity = self.core.identity(session);
        let policy = self.core.policies.zone(listener.id);
        policy.is_some_and(|policy| policy.still_admits(&identity))
            && certificate_counts(listener, &identity)
    }

    /// Ends a connection for a reason of ours.
    pub fn dismiss(&mut self, key: Key, reason: ReasonCode, what: &'static str) {
        self.end(key, Close::refused(reason, what));
        self.close_ended();
    }

    fn end(&mut self, key: Key, close: Close) {
        if self.core.links.get(key).is_some_and(|link| link.session.is_some()) {
            self.close_with_goodbye(key, close);
        } else {
            self.finish(key, close);
        }
    }
}

/// Where certificates name the Clients, nothing else does, and the other way round.
fn certificate_counts(listener: &ListenerRuntime, identity: &Identity) -> bool {
    let certified = matches!(identity.proof, Proof::Certificate);
    let method = matches!(identity.proof, Proof::Method);
    method || certified == (listener.identity != config::Identity::None)
}

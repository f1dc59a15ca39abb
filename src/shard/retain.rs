//! Retained Messages and their owners.
//!
//! Every topic has an owner shard, named by the topic's hash, that keeps its Retained Message
//! and routes retained PUBLISHes of it. So all shards see changes of one topic in one order, and
//! the value kept is the last one delivered, without a lock. The price is a hop; and until the
//! owner has answered, later messages of that topic from this shard take the same way, because
//! they must not overtake.

use super::Command;
use super::command::Commit;
use super::core::{Core, Timer};
use super::sessions::may_publish_to;
use crate::auth::Source;
use crate::connection::{Event, Outgoing, Routed, Way, committed};
use crate::protocol::{Message, PacketType};
use crate::router::{RetainedItem, ScanState};
use crate::sync::Arc;
use crate::util::{Key, Shrink};

/// Entries examined by one slice of that search.
const SWEEP_BUDGET: usize = 2_048;

/// Topics on their way through their owners for which there is always room.
const VIA_OWNER_KEPT: usize = 64;

/// Whether a topic is one that only the broker publishes to. It never takes such a Retained Message
/// back, and Clients cannot.
fn is_own(topic: &str) -> bool {
    topic.starts_with("$SYS/") && !may_publish_to(topic)
}

/// A Retained Message with whoever published it.
#[derive(Clone, Debug)]
pub(super) struct Retained {
    pub(super) message: Message,
    source: Option<Arc<Source>>,
}

impl RetainedItem for Retained {
    fn topic(&self) -> &str {
        self.message.topic()
    }

    fn footprint(&self) -> usize {
        self.message.footprint() + size_of::<Option<Arc<Source>>>()
    }

    fn expires_at_ms(&self) -> Option<u64> {
        self.message.expires_at_ms()
    }
}

impl Core {
    /// Routes a message by way of the topic's owner where it has to take that way. `connection`
    /// then waits for the owner's answer before it acknowledges.
    pub(super) fn publish_message(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        connection: Option<Key>,
    ) -> Routed {
        let hash = self.shared.topic_hash(outgoing.topic);
        let by_owner =
            outgoing.retain || (!self.via_owner.is_empty() && self.via_owner.contains_key(&hash));
        if !by_owner {
            return self.route(outgoing, hash);
        }
        let owner = self.shared.owner(hash);
        if owner == self.id {
            return self.route_owned(outgoing, hash);
        }
        let matched = self.is_matched(outgoing.topic, hash);
        *self.via_owner.entry(hash).or_insert(0) += 1;
        let commit = connection.map(|connection| self.next_commit(connection));
        let message = outgoing.message();
        let source = outgoing.source.take();
        self.send(owner, Command::ByOwner { message, hash, origin: self.id, commit, source });
        Routed { matched, commit: commit.map_or(0, |commit| commit.number) }
    }

    /// This shard owns the topic: store, then route.
    pub(super) fn route_owned(&mut self, outgoing: &mut Outgoing<'_>, hash: u64) -> Routed {
        if outgoing.retain {
            self.retain(outgoing);
        }
        self.route(outgoing, hash)
    }

    /// Another shard's message of a topic owned here.
    pub(super) fn publish_owned(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        hash: u64,
        origin: u16,
        commit: Option<Commit>,
    ) {
        self.route_owned(outgoing, hash);
        self.answers.push((origin, Command::OwnerDone { hash, commit }));
    }

    /// One message that went by the owner is routed.
    pub(super) fn owner_done(&mut self, hash: u64, commit: Option<Commit>) {
        if let Some(commit) = commit {
            self.committed(commit);
        }
        if let Some(count) = self.via_owner.get_mut(&hash) {
            *count -= 1;
            if *count == 0 {
                self.via_owner.remove(&hash);
                self.via_owner.shrink(VIA_OWNER_KEPT);
            }
        }
    }

    fn next_commit(&mut self, connection: Key) -> Commit {
        self.commits += 1;
        Commit { connection, number: self.commits }
    }

    /// What a connection's acknowledgement waited for is done.
    fn committed(&mut self, commit: Commit) {
        let Some(link) = self.links.get_mut(commit.connection) else { return };
        if link.closing {
            return;
        }
        link.out.bytes_from(&mut self.pool);
        let traced = self.wants.messages.then_some(link.session).flatten();
        let client_id = traced.and_then(|key| self.sessions.get(key)).map(|s| s.client_id.clone());
        let written = committed(link, commit.number, |packet| {
            if let Some(client_id) = &client_id {
                let client_id = (**client_id).into();
                self.events.push(Event::Packet { client_id, way: Way::Sending, packet });
            }
        });
        if written == (0, 0) {
            link.out.reset(&mut self.pool);
            return;
        }
        self.metrics().sent(PacketType::Puback as u8, written.0);
        self.metrics().sent(PacketType::Pubrec as u8, written.1);
        self.mark_dirty(commit.connection);
    }

    fn retain(&mut self, outgoing: &mut Outgoing<'_>) {
        let expires = outgoing.expires_at_ms.is_some();
        if outgoing.payload.is_empty() {
            // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
            self.retained.remove(outgoing.topic);
        } else {
            let source = outgoing.source.take();
            let retained = Retained { message: outgoing.message(), source };
            let replaced = self.retained.set(retained).is_some();
            self.retained_own += u32::from(!replaced && is_own(outgoing.topic));
            if expires {
                self.arm_sweep();
            }
        }
        self.count_retained();
    }

    /// The message, unless its publisher may not publish to its topic any more.
    pub(super) fn still_retained(&self, retained: Retained) -> Option<Message> {
        let source = retained.source.filter(|_| self.config.check_retain_source);
        let may = self.may_write(source.as_deref(), retained.message.topic());
        may.then_some(retained.message)
    }

    fn count_retained(&self) {
        let all = self.retained.len() as i64;
        self.metrics().retained_messages.set(all);
        self.metrics().retained_from_clients.set(all - i64::from(self.retained_own));
        self.metrics().retained_bytes.set(self.retained.bytes() as i64);
    }

    /// A message of the broker itself, for whose topic this shard is the owner.
    pub(super) fn announce(&mut self, message: &Message) {
        let hash = self.shared.topic_hash(message.topic());
        self.route_owned(&mut Outgoing::kept(message), hash);
    }

    fn arm_sweep(&mut self) {
        if !self.sweep_set {
            self.sweep_set = true;
            let due = self.now.mono_ms + self.config.features.retained_sweep_ms;
            self.timers.insert(due, Timer::RetainedSweep);
        }
    }

    /// Removes expired Retained Messages, a slice at a time.
    pub(super) fn sweep_retained(&mut self) {
        self.sweep_set = false;
        let after = self.sweep_after.take();
        let mut removed = Vec::new();
        let now = self.now.mono_ms;
        let state = self.retained.expire(now, after.as_deref(), SWEEP_BUDGET, &mut removed);
        self.sweep_after = match state {
            ScanState::Done => None,
            ScanState::More(last) => Some(last),
        };
        self.count_retained();
        if self.retained.mortal() == 0 {
            return;
        }
        let rest = self.config.features.retained_sweep_ms;
        let pause = if self.sweep_after.is_some() { 1 } else { rest };
        self.sweep_set = true;
        self.timers.insert(self.now.mono_ms + pause, Timer::RetainedSweep);
    }
}

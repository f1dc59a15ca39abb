//! Shared subscriptions: the publisher's shard picks the shard, that shard picks the member.

use super::Command;
use super::core::Core;
use super::route::unpack;
use crate::config::SharedStrategy;
use crate::connection::{Outcome, Outgoing, Target};
use crate::metrics::DropReason;
use crate::protocol::Message;
use crate::router::{Group, ShardSet, ShareStrategy};
use crate::session::SubscriptionIds;
use crate::sync::Arc;
use crate::util::Key;

impl Core {
    /// Gives a message to one member of the group.
    pub(super) fn deliver_group(&mut self, group: &Arc<Group>, outgoing: &mut Outgoing<'_>) {
        let turn = self.group_sequence(outgoing);
        match group.pick_shard(turn, &ShardSet::default()) {
            Some(shard) if shard == self.id => self.deliver_member(group, outgoing, 0),
            Some(shard) => self.send_group(shard, group, outgoing.message(), 0),
            None => self.count_drop(DropReason::NoGroupMember),
        }
    }

    fn send_group(&mut self, shard: u16, group: &Arc<Group>, message: Message, attempts: u16) {
        let group = Arc::clone(group);
        self.send(shard, Command::DeliverGroup { message, group, attempts });
    }

    /// What the shards are picked by: a turn, or what the strategy holds together.
    fn group_sequence(&mut self, outgoing: &Outgoing<'_>) -> u64 {
        match self.config.features.shared_strategy {
            SharedStrategy::RoundRobin | SharedStrategy::LeastQueued => {
                self.group_turn = self.group_turn.wrapping_add(1);
                self.group_turn
            }
            SharedStrategy::Sticky => 0,
            SharedStrategy::HashClient => outgoing.publisher,
            SharedStrategy::HashTopic => self.shared.topic_hash(outgoing.topic),
        }
    }

    /// Gives the message to a member on this shard; when the last one has just left, to another
    /// shard.
    pub(super) fn deliver_member(
        &mut self,
        group: &Arc<Group>,
        outgoing: &mut Outgoing<'_>,
        attempts: u16,
    ) {
        let hash = match self.config.features.shared_strategy {
            SharedStrategy::HashTopic => self.shared.topic_hash(outgoing.topic),
            _ => outgoing.publisher,
        };
        let strategy = pick_strategy(self.config.features.shared_strategy);
        self.shapes.reset(false);
        let sessions = &self.sessions;
        let queued = |session: Key| sessions.get(session).map(|s| s.queue.len() + s.inflight.len());
        let member = self
            .table
            .group_of(group.id)
            .and_then(|slot| self.table.pick(slot, strategy, hash, queued));
        let Some(member) = member else {
            return self.pass_on(group, outgoing, attempts + 1);
        };
        let options = unpack(member.options);
        let target = Target {
            qos: options.qos,
            retain: outgoing.retain && options.retain_as_published,
            ids: SubscriptionIds::from_one(member.subscription_id),
            group: group.id.0,
        };
        let (_, mut delivering) = self.delivering();
        let outcome = delivering.to(member.session, outgoing, target);
        if outcome == Outcome::NotOwed {
            // QoS 0 for a group none of whose members here is connected.
            self.count_drop(DropReason::NoGroupMember);
        }
    }

    fn pass_on(&mut self, group: &Arc<Group>, outgoing: &mut Outgoing<'_>, attempts: u16) {
        let mut exclude = ShardSet::default();
        exclude.insert(self.id);
        let next = group.pick_shard(u64::from(attempts), &exclude);
        match next {
            Some(shard) if usize::from(attempts) < self.shared.shards() => {
                self.send_group(shard, group, outgoing.message(), attempts);
            }
            _ => self.count_drop(DropReason::NoGroupMember),
        }
    }

    /// What a member that has ended did not take goes back to the group [MQTT-4.8.2-5].
    pub(super) fn hand_back(&mut self, group: &Arc<Group>, message: &Message) {
        self.deliver_group(group, &mut Outgoing::kept(message));
    }
}

fn pick_strategy(strategy: SharedStrategy) -> ShareStrategy {
    match strategy {
        SharedStrategy::RoundRobin => ShareStrategy::RoundRobin,
        SharedStrategy::Sticky => ShareStrategy::Sticky,
        SharedStrategy::HashClient | SharedStrategy::HashTopic => ShareStrategy::Hash,
        SharedStrategy::LeastQueued => ShareStrategy::LeastQueued,
    }
}

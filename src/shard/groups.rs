//! Shared subscriptions: the publisher's shard picks the shard, that shard picks the member.

use super::Command;
use super::access::Guard;
use super::core::Core;
use super::route::unpack;
use crate::auth::Access;
use crate::config::SharedStrategy;
use crate::connection::{Outgoing, Target};
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
        #[cfg(feature = "canary")]
        if crate::util::canary::Canary::GroupDetour.sings() {
            self.group_turn = self.group_turn.wrapping_add(1);
            let shard = (self.id + 1) % self.shared.shards() as u16;
            if self.group_turn.is_multiple_of(2) && shard != self.id {
                return self.send_group(shard, group, outgoing.message(), ShardSet::EMPTY);
            }
        }
        match group.pick_shard(turn, &ShardSet::default()) {
            Some(shard) if shard == self.id => {
                self.deliver_member(group, outgoing, ShardSet::EMPTY);
            }
            Some(shard) => self.send_group(shard, group, outgoing.message(), ShardSet::EMPTY),
            None => self.count_drop(DropReason::NoGroupMember),
        }
    }

    fn send_group(&mut self, shard: u16, group: &Arc<Group>, message: Message, tried: ShardSet) {
        let group = Arc::clone(group);
        self.send(shard, Command::DeliverGroup { message, group, tried });
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

    /// Gives the message to a member on this shard that may read it; when there is none, because
    /// the last one has just left or for want of rights, to another shard.
    pub(super) fn deliver_member(
        &mut self,
        group: &Arc<Group>,
        outgoing: &mut Outgoing<'_>,
        tried: ShardSet,
    ) {
        let hash = match self.config.features.shared_strategy {
            SharedStrategy::HashTopic => self.shared.topic_hash(outgoing.topic),
            _ => outgoing.publisher,
        };
        let strategy = pick_strategy(self.config.features.shared_strategy);
        self.shapes.reset(false);
        let sessions = &self.sessions;
        let mut guard = Guard::new(&self.policies, &mut self.access);
        let queued = |key: Key| {
            let session = sessions.get(key)?;
            // Whoever may not read it would take it away from those who may.
            let may = guard
                .as_mut()
                .is_none_or(|guard| guard.allows(key, session, outgoing.topic, Access::Read));
            may.then(|| session.queue.len() + session.inflight.len())
        };
        let member = self
            .table
            .group_of(group.id)
            .and_then(|slot| self.table.pick(slot, strategy, hash, queued));
        let Some(member) = member else {
            return self.pass_on(group, outgoing, tried);
        };
        let options = unpack(member.options);
        let target = Target {
            qos: options.qos,
            retain: outgoing.retain && options.retain_as_published,
            ids: SubscriptionIds::from_one(member.subscription_id),
            group: group.id.0,
        };
        let (_, mut delivering) = self.delivering();
        delivering.to(member.session, outgoing, target);
    }

    fn pass_on(&mut self, group: &Arc<Group>, outgoing: &mut Outgoing<'_>, mut tried: ShardSet) {
        tried.insert(self.id);
        match group.pick_shard(tried.len() as u64, &tried) {
            Some(shard) => self.send_group(shard, group, outgoing.message(), tried),
            None => self.count_drop(DropReason::NoGroupMember),
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

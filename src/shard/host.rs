//! What a connection's machine asks of its shard.

use super::core::{Core, DELIVERIES_MAX};
use super::sessions::may_publish_to;
use crate::auth::{Access, Attempt, Methods};
use crate::config::{ListenerRuntime, Runtime};
use crate::connection::{
    Event, Host, Link, OpenSession, Opened, Outgoing, Routed, SubscribeRequest, Verdict, Wants,
};
use crate::metrics::{DropReason, ShardMetrics};
use crate::protocol::{PacketType, QoS};
use crate::session::{Session, SubscriptionRef};
use crate::sync::Arc;
use crate::util::{Key, Now};

impl Host for Core {
    fn now(&self) -> Now {
        self.now
    }

    fn config(&self) -> &Arc<Runtime> {
        &self.config
    }

    fn metrics(&self) -> &ShardMetrics {
        Core::metrics(self)
    }

    fn methods(&self) -> &Methods {
        &self.shared.methods
    }

    fn link(&mut self, connection: Key) -> &mut Link {
        let link = self.links.get_mut(connection).expect("a machine has its link while it runs");
        link.out.bytes_from(&mut self.pool);
        link
    }

    fn session(&mut self, session: Key) -> &mut Session {
        self.sessions.get_mut(session).expect("a running connection has its session")
    }

    fn sent(&mut self, connection: Key, packet_type: PacketType) {
        self.metrics().sent(packet_type as u8, 1);
        self.mark_dirty(connection);
    }

    fn authenticate(
        &mut self,
        connection: Key,
        listener: &ListenerRuntime,
        attempt: Attempt<'_>,
    ) -> Verdict {
        self.judge(connection, listener.id, attempt)
    }

    fn policy_generation(&self) -> u64 {
        self.policies.generation()
    }

    fn may_publish(&mut self, session: Key, topic: &str) -> bool {
        let may = may_publish_to(topic) && self.allows(session, topic, Access::Write);
        if !may {
            self.count_drop(DropReason::NotAuthorised);
        }
        may
    }

    fn open(&mut self, connection: Key, request: OpenSession) -> Opened {
        self.open_session(connection, request)
    }

    fn publish(&mut self, connection: Key, outgoing: &mut Outgoing<'_>) -> Routed {
        let for_whom = (outgoing.qos != QoS::AtMostOnce).then_some(connection);
        if outgoing.retain && self.config.check_retain_source {
            let session = self.links.get(connection).and_then(|link| link.session);
            outgoing.source = session.and_then(|session| self.source(session));
        }
        self.publish_message(outgoing, for_whom)
    }

    fn subscribe(&mut self, session: Key, request: SubscribeRequest<'_>) -> QoS {
        let SubscribeRequest { filter, group, options, subscription_id } = request;
        let packed = options.to_u8();
        let (existed, reference) = match group {
            None => {
                let made = self.table.subscribe(session, filter, packed, subscription_id);
                (made.existed, SubscriptionRef::Filter(made.slot))
            }
            Some(group) => {
                let made = self.table.join(session, filter, group, packed, subscription_id, true);
                (made.existed, SubscriptionRef::Group(made.slot))
            }
        };
        self.replays += 1;
        let replay_id = self.replays;
        if let Some(session) = self.sessions.get_mut(session) {
            if !existed {
                session.remember(reference);
            }
            // [MQTT-3.3.1-9] to [MQTT-3.3.1-11].
            let replays = match options.retain_handling {
                0 => true,
                1 => !existed,
                _ => false,
            };
            if group.is_none() && replays && self.shared.any_retained(filter) {
                let replay = session.replay.get_or_insert_default();
                replay.start(replay_id, filter, options.qos, subscription_id);
            }
        }
        self.count_subscriptions();
        options.qos
    }

    fn start_replays(&mut self, session: Key) {
        if self.session(session).replay.is_some() {
            self.pump_session(session);
        }
    }

    fn unsubscribe(&mut self, session: Key, filter: &str, group: Option<&str>) -> bool {
        let removed = match group {
            None => self.table.unsubscribe(session, filter).map(SubscriptionRef::Filter),
            Some(group) => self.table.leave(session, filter, group).map(SubscriptionRef::Group),
        };
        let Some(reference) = removed else { return false };
        if let Some(session) = self.sessions.get_mut(session) {
            session.forget(reference);
            let replays = group.is_none();
            #[cfg(feature = "canary")]
            let replays = replays && !crate::util::canary::Canary::ReplayGoesOn.sings();
            if replays && let Some(replay) = &mut session.replay {
                replay.cancel(filter);
            }
        }
        self.count_subscriptions();
        true
    }

    fn pump(&mut self, session: Key) {
        self.pump_session(session);
    }

    fn spend(&mut self) -> bool {
        self.packets += 1;
        self.packets <= self.config.turn.read_packets
            && self.deliveries < DELIVERIES_MAX
            && !self.fed_congested
    }

    fn random(&mut self) -> u128 {
        u128::from(self.rng.next_u64()) << 64 | u128::from(self.rng.next_u64())
    }

    fn wants(&self) -> Wants {
        self.wants
    }

    fn log(&mut self, event: Event) {
        self.events.push(event);
    }
}

//! A PUBLISH's way through the shard: match, expand locally, hand over to other shards.

use std::rc::Rc;

use smallvec::SmallVec;

use super::Command;
use super::access::Guard;
use super::books::Books;
use super::core::Core;
use crate::auth::Access;
use crate::connection::{
    Close, DeliverLimits, Event, Link, Outcome, Outgoing, Routed, Shapes, Target, Traced, Way,
    deliver, flags,
};
use crate::metrics::{DropReason, ShardMetrics};
use crate::protocol::{QoS, ReasonCode, SubscribeOptions};
use crate::router::{FilterId, Group, Matches, Subscriber, SubscriptionTable};
use crate::session::{Enqueued, Session, SubscriptionIds};
use crate::sync::Arc;
use crate::util::{BufPool, GenSlab, Key};

/// Where messages of one topic go; valid while the router's stamp for the topic stays.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// Slots of this shard's subscription table.
    local: SmallVec<[u32; 4]>,
    /// Other shards, with the filters that have subscribers there.
    remote: SmallVec<[(u16, SmallVec<[FilterId; 2]>); 1]>,
    /// Shared-subscription groups.
    groups: SmallVec<[Arc<Group>; 1]>,
}

impl Route {
    fn is_empty(&self) -> bool {
        self.local.is_empty() && self.remote.is_empty() && self.groups.is_empty()
    }

    fn build(own: u16, matches: &Matches, table: &SubscriptionTable<Key>) -> Self {
        let mut route = Self { groups: matches.groups.clone(), ..Self::default() };
        for filter in &matches.filters {
            for shard in filter.shards.iter() {
                if shard == own {
                    route.local.extend(table.slot_of(filter.id));
                    continue;
                }
                match route.remote.iter_mut().find(|(other, _)| *other == shard) {
                    Some((_, ids)) => ids.push(filter.id),
                    None => route.remote.push((shard, SmallVec::from_slice(&[filter.id]))),
                }
            }
        }
        route
    }
}

/// One session among the subscribers of overlapping filters, its subscriptions merged.
#[derive(Debug)]
pub(super) struct Gathered {
    session: Key,
    qos: QoS,
    retain_as_published: bool,
    ids: SubscriptionIds,
}

/// The parts of the core that deliveries change, apart from the subscription table that is
/// being read meanwhile.
pub(super) struct Delivering<'c> {
    sessions: &'c mut GenSlab<Session>,
    links: &'c mut GenSlab<Link>,
    shapes: &'c mut Shapes,
    dirty: &'c mut Vec<Key>,
    ended: &'c mut Vec<(Key, Close)>,
    metrics: &'c ShardMetrics,
    limits: DeliverLimits,
    pool: &'c mut BufPool,
    events: &'c mut Vec<Event>,
    unflushed: &'c mut usize,
    deliveries: &'c mut usize,
    /// Memory is short: QoS 0 is given up first, then what would have to be queued.
    pressure: u8,
    /// Who may read what, while anybody is restricted.
    guard: Option<Guard<'c>>,
}

impl Delivering<'_> {
    /// Delivers to one session and keeps the books.
    pub(super) fn to(&mut self, key: Key, outgoing: &mut Outgoing<'_>, target: Target) {
        *self.deliveries += 1;
        let Some(session) = self.sessions.get_mut(key) else {
            return self.metrics.dropped(DropReason::SessionGone);
        };
        if let Some(guard) = &mut self.guard
            && !guard.allows(key, session, outgoing.topic, Access::Read)
        {
            return self.metrics.dropped(DropReason::NotAuthorised);
        }
        let (qos, retain) = (self.limits.qos(outgoing.qos, target.qos), target.retain);
        let connection = session.connection;
        let mut link = connection.and_then(|connection| self.links.get_mut(connection));
        if sheds(self.pressure, link.as_deref(), qos) {
            return self.metrics.dropped(DropReason::MemoryPressure);
        }
        let books = match qos {
            QoS::AtMostOnce => Books::open_queue(session),
            QoS::AtLeastOnce | QoS::ExactlyOnce => Books::open(session),
        };
        if let Some(link) = &mut link {
            link.out.bytes_from(self.pool);
        }
        let (outcome, enqueued) =
            deliver(session, link.as_deref_mut(), outgoing, target, self.shapes, &self.limits);
        books.settle(session, self.metrics);
        if enqueued != Enqueued::default() {
            self.metrics.dropped_many(DropReason::Expired, enqueued.expired as u64);
            self.metrics.dropped_many(DropReason::QueueOldest, enqueued.displaced as u64);
        }
        match outcome {
            Outcome::Sent => {
                count_sent(self.metrics, qos);
                self.metrics.publish_bytes_sent.add(outgoing.payload.len() as u64);
                if self.limits.trace {
                    self.events.push(sent_publish(session, outgoing, qos, retain));
                }
                *self.unflushed += outgoing.payload.len() + outgoing.topic.len();
                if let (Some(connection), Some(link)) = (connection, link)
                    && !link.dirty
                {
                    link.dirty = true;
                    self.dirty.push(connection);
                }
            }
            Outcome::Queued => {
                reset_idle(link, self.pool);
                if enqueued.displaced > 0 {
                    note_drop(session, DropReason::QueueOldest, self.events);
                }
            }
            Outcome::NotOwed => self.metrics.dropped(DropReason::Qos0Offline),
            Outcome::Dropped(reason) => {
                self.metrics.dropped(reason);
                note_drop(session, reason, self.events);
                reset_idle(link, self.pool);
            }
            Outcome::Overflow(reason) => {
                self.metrics.dropped(reason);
                note_drop(session, reason, self.events);
                if let Some(connection) = connection {
                    let reason = ReasonCode::QUOTA_EXCEEDED;
                    self.ended.push((connection, Close::refused(reason, "queue full")));
                }
            }
        }
    }
}

/// A PUBLISH that was just written, for the log.
pub(super) fn sent_publish(
    session: &Session,
    outgoing: &Outgoing<'_>,
    qos: QoS,
    retain: bool,
) -> Event {
    let packet = Traced::Publish {
        flags: flags(false, qos, retain),
        packet_id: if qos == QoS::AtMostOnce { 0 } else { session.inflight.newest() },
        topic: outgoing.topic.into(),
        payload: outgoing.payload.len(),
    };
    Event::Packet { client_id: (*session.client_id).into(), way: Way::Sending, packet }
}

/// A buffer that nothing was written to goes back.
fn reset_idle(link: Option<&mut Link>, pool: &mut BufPool) {
    if let Some(link) = link {
        link.out.reset(pool);
    }
}

/// Says once, until the queue has emptied, that a Client is losing messages.
fn note_drop(session: &mut Session, reason: DropReason, events: &mut Vec<Event>) {
    if !session.drop_noted {
        session.drop_noted = true;
        events.push(Event::Dropping { client_id: (*session.client_id).into(), reason });
    }
}

/// Whether a delivery is given up because memory is short.
fn sheds(pressure: u8, link: Option<&Link>, qos: QoS) -> bool {
    match qos {
        QoS::AtMostOnce => pressure >= 2 && link.is_some_and(|link| link.blocked),
        QoS::AtLeastOnce | QoS::ExactlyOnce => pressure >= 3 && link.is_none(),
    }
}

impl Core {
    /// Routes a message whose ordering is this shard's own affair.
    pub(super) fn route(&mut self, outgoing: &mut Outgoing<'_>, hash: u64) -> Routed {
        let route = self.resolve(outgoing.topic, hash);
        let matched = !route.is_empty();
        let more = outgoing.retain || !route.remote.is_empty() || !route.groups.is_empty();
        self.expand(&route.local, outgoing, more);
        for (shard, filters) in &route.remote {
            let command =
                Command::Deliver { message: outgoing.message(), filters: filters.clone() };
            self.send(*shard, command);
        }
        for group in &route.groups {
            self.deliver_group(group, outgoing);
        }
        Routed { matched, commit: 0 }
    }

    /// True when any subscription, here or elsewhere, matches.
    pub(super) fn is_matched(&mut self, topic: &str, hash: u64) -> bool {
        !self.resolve(topic, hash).is_empty()
    }

    fn resolve(&mut self, topic: &str, hash: u64) -> Rc<Route> {
        // The stamp is read before the trie: a change in between makes the entry stale, never
        // the other way round.
        let stamp = self.shared.router.stamp(topic);
        if let Some(route) = self.routes.get(hash, topic, stamp) {
            return Rc::clone(route);
        }
        self.shared.router.matches(topic, &mut self.matches);
        let route = Rc::new(Route::build(self.id, &self.matches, &self.table));
        self.routes.insert(hash, topic, stamp, Rc::clone(&route));
        route
    }

    /// A message from another shard for subscribers of these filters.
    pub(super) fn deliver_filters(&mut self, outgoing: &mut Outgoing<'_>, filters: &[FilterId]) {
        let slots: SmallVec<[u32; 4]> =
            filters.iter().filter_map(|filter| self.table.slot_of(*filter)).collect();
        self.expand(&slots, outgoing, true);
    }

    pub(super) fn delivering(&mut self) -> (&mut SubscriptionTable<Key>, Delivering<'_>) {
        let delivering = Delivering {
            sessions: &mut self.sessions,
            links: &mut self.links,
            shapes: &mut self.shapes,
            dirty: &mut self.dirty,
            ended: &mut self.ended,
            metrics: &self.shared.metrics[usize::from(self.id)],
            limits: self.limits,
            pool: &mut self.pool,
            events: &mut self.events,
            unflushed: &mut self.unflushed,
            deliveries: &mut self.deliveries,
            pressure: self.shared.pressure(),
            guard: Guard::new(&self.policies, &mut self.access),
        };
        (&mut self.table, delivering)
    }

    /// Delivers to this shard's subscribers of the given slots of its table. `more`: the message
    /// is needed beyond them.
    fn expand(&mut self, slots: &[u32], outgoing: &mut Outgoing<'_>, more: bool) {
        let shared = more
            || slots.len() > 1
            || slots.first().is_some_and(|slot| self.table.subscribers(*slot).len() > 1);
        self.shapes.reset(shared);
        if slots.len() > 1 && !self.config.features.duplicates {
            return self.expand_merged(slots, outgoing);
        }
        let (table, mut delivering) = self.delivering();
        for slot in slots {
            for subscriber in table.subscribers(*slot) {
                let options = unpack(subscriber.options);
                if excluded(&options, subscriber, outgoing, delivering.sessions) {
                    continue;
                }
                let target = Target {
                    qos: options.qos,
                    retain: outgoing.retain && options.retain_as_published,
                    ids: SubscriptionIds::from_one(subscriber.subscription_id),
                    group: 0,
                };
                delivering.to(subscriber.session, outgoing, target);
            }
        }
    }

    /// Overlapping filters: each session gets one copy, at the highest QoS, with the
    /// identifiers of all its matching subscriptions [MQTT-3.3.4-2].
    fn expand_merged(&mut self, slots: &[u32], outgoing: &mut Outgoing<'_>) {
        self.gathering = self.gathering.wrapping_add(1);
        let mut gathered = std::mem::take(&mut self.gathered);
        for slot in slots {
            for subscriber in self.table.subscribers(*slot) {
                let options = unpack(subscriber.options);
                if excluded(&options, subscriber, outgoing, &self.sessions) {
                    continue;
                }
                let Some(session) = self.sessions.get_mut(subscriber.session) else { continue };
                gather(&mut gathered, self.gathering, session, subscriber, &options);
            }
        }
        let (_, mut delivering) = self.delivering();
        for one in gathered.drain(..) {
            let target = Target {
                qos: one.qos,
                retain: outgoing.retain && one.retain_as_published,
                ids: one.ids,
                group: 0,
            };
            delivering.to(one.session, outgoing, target);
        }
        self.gathered = gathered;
    }
}

/// The options as the subscription table keeps them.
pub(super) fn unpack(packed: u8) -> SubscribeOptions {
    // They were packed by `SubscribeOptions::to_u8`, so they unpack.
    SubscribeOptions::from_u8(packed).unwrap_or(SubscribeOptions::at(QoS::AtMostOnce))
}

/// Counts a PUBLISH sent.
pub(super) fn count_sent(metrics: &ShardMetrics, qos: QoS) {
    metrics.messages_sent.increment();
    match qos {
        QoS::AtMostOnce => &metrics.publish_sent_qos0,
        QoS::AtLeastOnce => &metrics.publish_sent_qos1,
        QoS::ExactlyOnce => &metrics.publish_sent_qos2,
    }
    .increment();
}

/// No Local: not back to the Client that published it [MQTT-3.8.3-3].
fn excluded(
    options: &SubscribeOptions,
    subscriber: &Subscriber<Key>,
    outgoing: &Outgoing<'_>,
    sessions: &GenSlab<Session>,
) -> bool {
    options.no_local
        && sessions.get(subscriber.session).is_some_and(|session| session.id == outgoing.publisher)
}

fn gather(
    gathered: &mut Vec<Gathered>,
    gathering: u32,
    session: &mut Session,
    subscriber: &Subscriber<Key>,
    options: &SubscribeOptions,
) {
    let (number, at) = session.gathered;
    // The numbers come round one day, so the place has to hold this session as well.
    if number == gathering
        && let Some(one) = gathered.get_mut(at as usize)
        && one.session == subscriber.session
    {
        one.qos = one.qos.max(options.qos);
        one.retain_as_published |= options.retain_as_published;
        one.ids.add(subscriber.subscription_id);
        return;
    }
    session.gathered = (gathering, gathered.len() as u32);
    gathered.push(Gathered {
        session: subscriber.session,
        qos: options.qos,
        retain_as_published: options.retain_as_published,
        ids: SubscriptionIds::from_one(subscriber.subscription_id),
    });
}

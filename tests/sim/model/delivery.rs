//! What a PUBLISH of the broker has to be.

use super::broker::Model;
use super::publication::Publication;
use super::session::{Answer, Exchange, Load, Order, OrderKey, Subscription};
use super::time::Moment;
use crate::packet::Delivery;

/// What a PUBLISH was found to be.
struct Copy {
    /// The publication, among those of its message.
    index: usize,
    /// It was sent before.
    again: bool,
    grouped: bool,
    replayed: bool,
    /// It may be a Retained Message for a new subscription as well; then it has no place in the
    /// order.
    ambiguous: bool,
}

impl Model {
    /// The broker has written a PUBLISH.
    pub(super) fn delivered(&mut self, line: usize, delivery: &Delivery) {
        let own = self.lines[line].session.expect("a PUBLISH before CONNACK");
        assert!(self.lines[line].connack.is_none(), "PUBLISH before CONNACK: {delivery:?}");
        let spec = self.lines[line].spec.clone().expect("connected");
        assert!(
            delivery.size <= spec.maximum_packet_size as usize,
            "{} bytes for a Maximum Packet Size of {} [MQTT-3.1.2-24]",
            delivery.size,
            spec.maximum_packet_size
        );
        if !self.lines[line].bound && delivery.qos > 0 {
            return; // The exchange lives on in the session, where it is sent again.
        }
        let again = delivery.dup && self.check_resend(own, line, delivery);
        if delivery.mid.is_none() && delivery.tagged.is_none() {
            return self.delivered_unnamed(own, line, again, delivery);
        }
        let mid = self.name(delivery);
        let copy = if again {
            let exchange = self.sessions[own].exchange(delivery.id).cloned();
            let exchange = exchange.expect("found before");
            Copy {
                index: self.by_mid[&mid][0],
                again,
                grouped: exchange.grouped,
                replayed: exchange.replayed,
                ambiguous: exchange.ambiguous,
            }
        } else {
            self.check_fresh(own, delivery);
            self.classify(own, mid, delivery, spec.is_v5())
        };
        let message = self.publications[copy.index].clone();
        assert_eq!(delivery.topic, message.topic, "another topic than message {mid} has");
        if spec.is_v5() && self.by_mid[&mid].iter().all(|at| self.publications[*at].tagged) {
            assert_eq!(delivery.tagged, Some(mid), "User Property [MQTT-3.3.2-17]");
        }
        if spec.is_v5() {
            self.check_expiry(own, &message, delivery, copy.again);
        }
        if !copy.replayed {
            if !copy.ambiguous {
                self.check_order(own, line, mid, &copy, delivery);
            }
            if message.retain {
                let session = &mut self.sessions[own];
                session.live_retained.insert(message.topic.clone(), copy.index);
                for claim in &mut session.claims {
                    claim.overtaken.insert(message.topic.clone());
                }
            }
        }
        if delivery.qos > 0 {
            self.open_exchange(own, line, mid, &copy, delivery);
        } else if self.rules.session.queue_qos0 && !copy.replayed && !copy.ambiguous {
            let at = self.moment;
            self.sessions[own].add_backlog(Load::of(-1, message.cost()), at);
        }
    }

    /// The message that a PUBLISH carries.
    fn name(&self, delivery: &Delivery) -> u32 {
        let mid = delivery.mid.or(delivery.tagged).expect("named");
        assert!(self.by_mid.contains_key(&mid), "message {mid} was never published");
        mid
    }

    /// A message without payload and User Property cannot be told from others of its topic: it
    /// has to be one that the session may be sent, and its exchange goes the usual way.
    fn delivered_unnamed(&mut self, own: usize, line: usize, again: bool, delivery: &Delivery) {
        if !again {
            self.check_fresh(own, delivery);
        }
        let fits = |message: &&Publication| {
            message.empty && message.topic == delivery.topic && self.allowed(own, message.mid) > 0
        };
        let found = self.publications.iter().position(|message| fits(&message));
        let index = found.unwrap_or_else(|| panic!("an empty message from nowhere: {delivery:?}"));
        if delivery.qos > 0 {
            let copy = Copy { index, again, grouped: false, replayed: true, ambiguous: false };
            self.open_exchange(own, line, self.publications[index].mid, &copy, delivery);
        }
    }

    /// Copies of a message that the session may be sent, Retained Messages for new
    /// subscriptions apart.
    pub(super) fn allowed(&self, own: usize, mid: u32) -> u32 {
        self.allowed_direct(own, mid) + self.allowed_grouped(own, mid)
    }

    fn allowed_direct(&self, own: usize, mid: u32) -> u32 {
        let count = |message: &Publication| {
            let may = self.sessions[own].may(own, message, self.settled(message, false), false);
            let may = may.count() as u32;
            if self.rules.features.duplicates { may } else { may.min(1) }
        };
        self.by_mid[&mid].iter().map(|index| count(&self.publications[*index])).sum()
    }

    /// A message that came back from a member that ended comes once more.
    fn allowed_grouped(&self, own: usize, mid: u32) -> u32 {
        let count = |message: &Publication| {
            let settled = self.settled(message, true);
            // What came back may find members that came later.
            let settled = if self.may_have_come_back(message) { u64::MAX } else { settled };
            let may = self.sessions[own].may(own, message, settled, true).count() as u32;
            may * (1 + self.came_back(message))
        };
        self.by_mid[&mid].iter().map(|index| count(&self.publications[*index])).sum()
    }

    /// Members of groups that match the message and have ended since.
    pub(super) fn came_back(&self, message: &Publication) -> u32 {
        let ended = self.sessions.iter().enumerate().filter(|(own, session)| {
            session.ended.is_some_and(|at| at >= message.from)
                && session.may(*own, message, u64::MAX, true).next().is_some()
        });
        ended.count() as u32
    }

    fn may_have_come_back(&self, message: &Publication) -> bool {
        self.came_back(message) > 0
    }

    /// DUP: whether this is an exchange that was sent before; if so, in its order, with its
    /// identifier, and not released.
    fn check_resend(&mut self, own: usize, line: usize, delivery: &Delivery) -> bool {
        assert!(self.lines[line].resumed, "DUP on a session that is new: {delivery:?}");
        let Some(exchange) = self.sessions[own].exchange(delivery.id).cloned() else {
            return false; // Its first PUBLISH was lost with the connection.
        };
        assert!(!exchange.released, "PUBLISH {} again after its PUBREC", delivery.id);
        if let Some(mid) = delivery.mid {
            assert_eq!(mid, exchange.mid, "identifier {} names another message", delivery.id);
        }
        assert_eq!(delivery.qos, exchange.qos, "another QoS than at first");
        self.skip_too_large(own, Some(delivery.id));
        let front = self.sessions[own].resend.pop_front();
        assert_eq!(front, Some(delivery.id), "sent again out of order [MQTT-4.6.0-1]");
        true
    }

    /// Exchanges whose PUBLISH was too large for a connection since are given up.
    pub(super) fn skip_too_large(&mut self, own: usize, until: Option<u16>) {
        let session = &mut self.sessions[own];
        while let Some(id) = session.resend.front().copied().filter(|id| Some(*id) != until) {
            let Some(at) = session.exchanges.iter().position(|one| one.id == id) else { return };
            let exchange = &session.exchanges[at];
            if !exchange.may_be_too_large(session) {
                return;
            }
            session.resend.pop_front();
            let exchange = session.exchanges.remove(at);
            self.left_behind.push(super::ledger::Item::one(
                super::ledger::OVERSIZE,
                false,
                exchange.mid,
            ));
        }
    }

    /// No DUP, or a first sight: nothing older may wait, and the identifier must be free.
    fn check_fresh(&mut self, own: usize, delivery: &Delivery) {
        if delivery.qos == 0 {
            return;
        }
        self.skip_too_large(own, None);
        let taken = self.sessions[own].exchange(delivery.id).map(|one| one.mid);
        assert!(taken.is_none(), "identifier {} is in use by {taken:?}", delivery.id);
        let waits = &self.sessions[own].resend;
        assert!(waits.is_empty(), "newer than what is to be sent again: {delivery:?}, {waits:?}");
        self.sessions[own].hidden &= delivery.dup;
    }

    /// Which of the message's publications this is, and for which subscriptions.
    fn classify(&mut self, own: usize, mid: u32, delivery: &Delivery, v5: bool) -> Copy {
        let indexes = self.by_mid[&mid].clone();
        let topic = self.publications[indexes[0]].topic.clone();
        // Of a message that its Client has sent twice either may be the one that is stored.
        let claims = self.claims_for(own, &indexes, delivery, v5);
        let fits = indexes.iter().find(|index| self.fits_live(own, **index, delivery, v5));
        let live = Answer { mid, claims: Vec::new(), live: true };
        if let Some(index) = fits.filter(|_| self.explains(own, &topic, &live)).copied() {
            let grouped = self.allowed_direct(own, mid) == 0;
            let replay = Answer { mid, claims: claims.clone(), live: false };
            let ambiguous = !claims.is_empty() && self.explains(own, &topic, &replay);
            let newest = self.order_of(own, index, delivery).1.newest;
            if ambiguous && !grouped && self.after(mid, newest).is_none() {
                // No live copy comes late.
                self.check_replay(own, index, delivery, claims);
                return Copy { index, again: false, grouped, replayed: true, ambiguous: false };
            }
            let session = &mut self.sessions[own];
            if ambiguous {
                let answer = Answer { mid, claims, live: true };
                session.answers.entry(topic).or_default().push(answer);
            } else {
                *session.copies.entry(mid).or_insert(0) += 1;
            }
            return Copy { index, again: false, grouped, replayed: false, ambiguous };
        }
        assert!(
            delivery.retain,
            "session {own} is not owed message {mid} (copies {:?} of {}): {delivery:?}",
            self.sessions[own].copies(mid),
            self.allowed(own, mid)
        );
        let index = *indexes.last().expect("never empty");
        self.check_replay(own, index, delivery, claims);
        Copy { index, again: false, grouped: false, replayed: true, ambiguous: false }
    }

    /// Whether QoS, RETAIN and Subscription Identifiers are what some of the subscriptions in
    /// force make of the message, with all that were in force throughout.
    fn fits_live(&self, own: usize, index: usize, delivery: &Delivery, v5: bool) -> bool {
        let message = &self.publications[index];
        let session = &self.sessions[own];
        let duplicates = self.rules.features.duplicates;
        let fits = |grouped: bool| {
            let mut settled = self.settled(message, grouped);
            if grouped && self.may_have_come_back(message) {
                settled = u64::MAX;
            }
            let may: Vec<&Subscription> = session.may(own, message, settled, grouped).collect();
            let must: Vec<&Subscription> = session.must(own, message, settled, grouped).collect();
            let single = |one: &&Subscription| fits_one(one, message, delivery, v5);
            if grouped || duplicates {
                return may.iter().any(single);
            }
            !may.is_empty() && fits_merged(&may, &must, message, delivery, v5)
        };
        fits(false) || fits(true)
    }

    /// Messages of one publisher, topic and QoS come in their order, redelivered ones included.
    fn check_order(&mut self, own: usize, line: usize, mid: u32, copy: &Copy, delivery: &Delivery) {
        let message = &self.publications[copy.index];
        if copy.grouped && (self.came_back(message) > 0 || self.is_group_restless(own, message)) {
            return; // What comes back from a member, or misses one, comes late.
        }
        let (key, order) = self.order_of(own, copy.index, delivery);
        let bound = if copy.again { 0 } else { order.newest };
        let newest = self.after(mid, bound).unwrap_or_else(|| {
            panic!("message {mid} after a newer one of its publisher, topic and QoS: {delivery:?}")
        });
        let on_line = if order.line == line { order.on_line } else { 0 };
        let on_line = self.after(mid, on_line).unwrap_or_else(|| {
            panic!("message {mid} after a newer one on this connection: {delivery:?}")
        });
        let newest = if copy.again { order.newest } else { newest };
        self.sessions[own].order.insert(key, Order { newest, on_line, line });
    }

    /// What has come of the messages that have an order with this one.
    fn order_of(&self, own: usize, index: usize, delivery: &Delivery) -> (OrderKey, Order) {
        let message = &self.publications[index];
        let key = (message.publisher, message.topic.clone(), delivery.qos);
        let order = self.sessions[own].order.get(&key).cloned().unwrap_or_default();
        (key, order)
    }

    /// When the message was published, at `bound` or later, and as early as can be. One that its
    /// Client has sent twice counts by the copy that keeps the order. A Will was published at some
    /// moment of a step.
    fn after(&self, mid: u32, bound: Moment) -> Option<Moment> {
        let published = self.by_mid[&mid].iter().map(|index| &self.publications[*index]);
        published.filter(|one| one.to >= bound).map(|one| one.from.max(bound)).min()
    }

    /// Since the message was published a member of the group has come, gone, or been away, or one
    /// may not be sent it: then it may have gone from shard to shard in search of another, and a
    /// later one straight there.
    fn is_group_restless(&self, own: usize, message: &Publication) -> bool {
        let since = message.from;
        let groups = self.sessions[own].matching(own, message, u64::MAX, true);
        let groups: Vec<&Subscription> = groups.collect();
        self.sessions.iter().any(|session| {
            let mut members = session.subscriptions.iter().filter(|one| {
                let same = |group: &&Subscription| {
                    one.spec.group == group.spec.group && one.spec.filter == group.spec.filter
                };
                groups.iter().any(same)
            });
            members.any(|one| {
                one.from >= since
                    || one.until.is_some_and(|at| at >= since)
                    || one.until.is_none() && session.is_denied(message)
                    || one.until.is_none() && session.offline.changed(since)
            })
        })
    }

    fn check_expiry(&self, own: usize, message: &Publication, delivery: &Delivery, again: bool) {
        if self.by_mid[&message.mid].len() > 1 {
            return; // One that its Client sent twice may be either.
        }
        let (Some(whole), Some(at)) = (message.expiry_s, message.expires_at_ms) else {
            assert_eq!(delivery.expiry_s, None, "a lifetime that the publisher did not give");
            return;
        };
        let left = |now: u64| at.saturating_sub(now).div_ceil(1000) as u32;
        let session = &self.sessions[own];
        let least = left(self.now_ms);
        // What waits in the output buffer was given its lifetime earlier.
        let most = if session.blocked.overlap(message.from, self.moment) {
            whole
        } else {
            left(self.last_turn_ms[session.shard]).min(whole)
        };
        let said = delivery.expiry_s.expect("Message Expiry Interval [MQTT-3.3.2-6]");
        assert!(
            again || (said >= least && said <= most),
            "lifetime {said}, but {least} to {most} s of {whole} are left"
        );
        let over = most == 0 && !again && !delivery.dup;
        assert!(!over, "message {} was sent after its lifetime", message.mid);
    }

    fn open_exchange(
        &mut self,
        own: usize,
        line: usize,
        mid: u32,
        copy: &Copy,
        delivery: &Delivery,
    ) {
        let quota = self.lines[line].spec.as_ref().map_or(u16::MAX, |spec| spec.receive_maximum);
        let v5 = self.lines[line].spec.as_ref().is_some_and(|spec| spec.is_v5());
        let window = self.rules.session.inflight_messages;
        let quota = if v5 { quota.min(window) } else { window };
        let at = self.moment;
        if !copy.again && !delivery.dup {
            self.check_bytes_in_flight(own, mid);
        }
        let session = &mut self.sessions[own];
        if let Some(exchange) = session.exchange(delivery.id) {
            (exchange.line, exchange.at) = (line, at);
        } else {
            session.exchanges.push(Exchange {
                id: delivery.id,
                mid,
                qos: delivery.qos,
                released: false,
                line,
                at,
                grouped: copy.grouped,
                replayed: copy.replayed,
                ambiguous: copy.ambiguous,
                size: delivery.size,
            });
        }
        let open = session.exchanges.iter().filter(|one| one.line == line).count();
        assert!(open <= usize::from(quota), "{open} in flight, {quota} allowed [MQTT-3.3.4-9]");
    }
}

impl Model {
    /// A new message goes only while the window has room for its bytes, or alone.
    fn check_bytes_in_flight(&self, own: usize, mid: u32) {
        let size = |mid: u32| self.publications[self.by_mid[&mid][0]].size as u64;
        let open = self.sessions[own].exchanges.iter().filter(|one| !one.released);
        let held: u64 = open.map(|one| size(one.mid)).sum();
        let limit = self.rules.session.inflight_bytes;
        assert!(
            held == 0 || held + size(mid) <= limit,
            "{held} bytes in flight, {} more and a limit of {limit}",
            size(mid)
        );
    }
}

fn fits_one(one: &Subscription, message: &Publication, delivery: &Delivery, v5: bool) -> bool {
    let ids = if one.id == 0 || !v5 { Vec::new() } else { vec![one.id] };
    message.qos.min(one.spec.qos) == delivery.qos
        && (message.retain && one.spec.retain_as_published) == delivery.retain
        && (delivery.subscription_ids == ids || !v5)
}

/// One copy for overlapping subscriptions: the highest QoS and all identifiers [MQTT-3.3.4-2].
fn fits_merged(
    may: &[&Subscription],
    must: &[&Subscription],
    message: &Publication,
    delivery: &Delivery,
    v5: bool,
) -> bool {
    let highest = |of: &[&Subscription]| of.iter().map(|one| one.spec.qos).max();
    let least = highest(must).map_or(0, |qos| qos.min(message.qos));
    let qos = may.iter().any(|one| one.spec.qos.min(message.qos) == delivery.qos)
        && delivery.qos >= least;
    let keeps = |one: &&Subscription| one.spec.retain_as_published;
    let retain = if delivery.retain {
        message.retain && may.iter().any(keeps)
    } else {
        !message.retain || !must.iter().any(keeps)
    };
    let ids = |of: &[&Subscription]| {
        let mut ids: Vec<u32> = of.iter().map(|one| one.id).filter(|id| *id != 0).collect();
        ids.sort_unstable();
        ids
    };
    let mut said = delivery.subscription_ids.clone();
    said.sort_unstable();
    let named = !v5
        || if may.len() == must.len() {
            said == ids(may)
        } else {
            let of = ids(may);
            said.iter().all(|id| of.contains(id)) && ids(must).iter().all(|id| said.contains(id))
        };
    qos && retain && named
}

//! The life of a session: open, take over, resume, detach, end.

use super::access::SessionClaim;
use super::books::Books;
use super::core::{Core, Timer};
use crate::auth::Source;
use crate::connection::{
    Close, Event, OpenSession, Opened, Outgoing, Traced, Way, pump, write_disconnect,
};
use crate::metrics::DropReason;
use crate::protocol::{Message, MessageInit, PacketType, ReasonCode, filter_matches};
use crate::router::Group;
use crate::session::{Claim, NEVER_EXPIRES, Session, SubscriptionRef, Will};
use crate::sync::Arc;
use crate::util::Key;
#[cfg(feature = "canary")]
use crate::util::canary::Canary;

impl Core {
    /// Finds the session of a ClientId, here or elsewhere, or makes one. Runs in the home shard
    /// from the look-up to the binding without a break, so a takeover is atomic.
    pub(super) fn open_session(&mut self, connection: Key, mut request: OpenSession) -> Opened {
        let most = self.config.sessions_max;
        loop {
            let home = match self.shared.directory.claim(&request.client_id, self.id, most) {
                Claim::Full => return Opened::Full,
                Claim::New => return self.create_session(connection, &mut request),
                Claim::Existing(home) if home.shard != self.id => {
                    return Opened::Elsewhere(home.shard);
                }
                Claim::Existing(home) => home.session,
            };
            let claim = self.claim_of(home, &request.identity);
            if claim == SessionClaim::Foreign {
                return Opened::Refused;
            }
            let present = self.sessions.get(home).and_then(|session| session.connection);
            #[cfg(feature = "canary")]
            let present = present.filter(|_| !Canary::DoubleTakeover.sings());
            if let Some(old) = present {
                self.metrics().connects_taken_over.increment();
                if self.wants.connections {
                    let client_id = (*request.client_id).into();
                    self.events.push(Event::TakenOver { client_id });
                }
                self.kick(old, ReasonCode::SESSION_TAKEN_OVER, "session taken over");
            }
            // Time may be over although its timer has not run.
            self.settle_due(home);
            if !self.sessions.contains(home) {
                continue; // It was over, or ended with its connection.
            }
            if request.clean_start || claim == SessionClaim::Abandoned {
                self.end_session(home); // [MQTT-3.1.2-4]
                continue;
            }
            return self.resume_session(home, connection, &mut request);
        }
    }

    fn create_session(&mut self, connection: Key, request: &mut OpenSession) -> Opened {
        let id = self.next_session_id();
        let mut session = Session::new(id, Arc::clone(&request.client_id), request.version);
        session.connection = Some(connection);
        session.expiry_s = request.expiry_s;
        session.will = request.will.take();
        session.listener = request.listener;
        let key = self.sessions.insert(session);
        self.bind_identity(key, std::mem::take(&mut request.identity));
        self.shared.directory.settle(&request.client_id, self.id, key);
        self.count_sessions();
        self.metrics().clients_connected.add(1);
        Opened::Here { session: key, present: false }
    }

    fn resume_session(&mut self, key: Key, connection: Key, request: &mut OpenSession) -> Opened {
        if let Some(session) = self.sessions.get_mut(key) {
            session.connection = Some(connection);
            session.version = request.version;
            session.listener = request.listener;
            session.expiry_s = request.expiry_s;
            // A Will whose delay was running is not sent: the Client is back [MQTT-3.1.3-9].
            session.will = request.will.take();
            session.will_at_ms = u64::MAX;
            session.expires_at_ms = u64::MAX;
            if !session.inflight.is_empty() {
                session.inflight.start_connection();
            }
            session.received.start_connection();
        }
        self.bind_identity(key, std::mem::take(&mut request.identity));
        self.set_online(key, true);
        self.metrics().clients_connected.add(1);
        Opened::Here { session: key, present: true }
    }

    /// Ends a connection from the broker's side, while another one may be running.
    pub(super) fn kick(&mut self, connection: Key, reason: ReasonCode, what: &'static str) {
        write_disconnect(self, connection, reason, what);
        let session = self.links.get_mut(connection).and_then(|link| link.session.take());
        if let Some(session) = session {
            self.detach_session(session, true);
        }
        self.ended.push((connection, Close::refused(reason, what)));
    }

    /// The connection of a session has ended.
    pub(super) fn detach_session(&mut self, key: Key, with_will: bool) {
        self.set_online(key, false);
        let now = self.now.mono_ms;
        let Some(session) = self.sessions.get_mut(key) else { return };
        if session.connection.take().is_some() {
            self.shared.metrics[usize::from(self.id)].clients_connected.add(-1);
        }
        let mut will = session.will.take().filter(|_| with_will);
        if session.expiry_s == 0 {
            // The session's end publishes it, its delay notwithstanding.
            session.will = will;
            self.end_session(key);
            return;
        }
        if session.expiry_s != NEVER_EXPIRES {
            session.expires_at_ms = now.saturating_add(u64::from(session.expiry_s) * 1000);
        }
        // The delay ends with the session at the latest, which the session's end sees to.
        let due = will.take_if(|will| will.delay_s == 0);
        #[cfg(feature = "canary")]
        let due = if Canary::HastyWill.sings() { due.or(will.take()) } else { due };
        if let Some(will) = will {
            session.will_at_ms = now.saturating_add(u64::from(will.delay_s) * 1000);
            session.will = Some(will);
        }
        self.arm_session(key);
        if let Some(will) = due {
            let author = self.author(key, &will);
            self.publish_will(&will, author);
        }
    }

    /// Who a Will is from, to be asked for before the session is gone.
    fn author(&mut self, key: Key, will: &Will) -> Author {
        let publisher = self.sessions.get(key).map_or(0, |session| session.id);
        Author { publisher, source: self.source_if_needed(key, will.message.retain()) }
    }

    /// One timer for each session at most: a Client that comes and goes leaves no trail of them.
    pub(super) fn arm_session(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let deadline = session.deadline_ms();
        if deadline < session.timer_ms {
            session.timer_ms = deadline;
            self.timers.insert(deadline, Timer::Session(key));
        }
    }

    /// A session's timer has fired.
    pub(super) fn session_due(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.timer_ms = u64::MAX;
        self.settle_due(key);
        self.arm_session(key);
    }

    /// Ends a session whose time is over; otherwise publishes its Will if that is due.
    fn settle_due(&mut self, key: Key) {
        let now = self.now.mono_ms;
        let Some(session) = self.sessions.get_mut(key) else { return };
        if session.expires_at_ms <= now {
            self.metrics().sessions_expired.add(1);
            self.end_session(key);
        } else if session.will_at_ms <= now {
            session.will_at_ms = u64::MAX;
            if let Some(will) = session.will.take() {
                let author = self.author(key, &will);
                self.publish_will(&will, author);
            }
        }
    }

    /// Ends a disconnected session: everything it held is given back or counted as lost.
    pub(super) fn end_session(&mut self, key: Key) {
        let will = self.sessions.get_mut(key).and_then(|session| session.will.take());
        let will = will.map(|will| (self.author(key, &will), will));
        let Some(mut session) = self.sessions.remove(key) else { return };
        // With a canary that keeps it, the simulator's model has to notice by itself.
        debug_assert!(session.connection.is_none() || cfg!(feature = "canary"));
        self.forget_identity(key);
        let groups = self.groups_of(&session);
        for subscription in std::mem::take(&mut session.subscriptions) {
            match subscription {
                SubscriptionRef::Filter(slot) => self.table.unsubscribe_slot(key, slot),
                SubscriptionRef::Group(slot) => self.table.leave_slot(key, slot),
            };
        }
        self.count_subscriptions();
        self.shared.directory.release(&session.client_id, self.id);
        self.count_sessions();
        self.metrics().inflight(session.inflight.held(), (0, 0));
        self.metrics().queued_messages.add(-(session.queue.len() as i64));
        self.metrics().queued_bytes.add(-(session.queue.bytes() as i64));
        self.return_group_messages(&mut session, &groups);
        if let Some((author, will)) = will {
            self.publish_will(&will, author); // [MQTT-3.1.3-9]
        }
    }

    fn groups_of(&self, session: &Session) -> Vec<Arc<Group>> {
        let slots = session.subscriptions.iter().filter_map(|subscription| match subscription {
            SubscriptionRef::Group(slot) => Some(*slot),
            SubscriptionRef::Filter(_) => None,
        });
        slots.filter_map(|slot| self.table.group(slot).cloned()).collect()
    }

    /// Messages that a group had chosen this session for go back to the group: those at QoS 1
    /// not acknowledged, and those never sent. A QoS 2 exchange that has begun is nobody
    /// else's [MQTT-4.8.2-5].
    fn return_group_messages(&mut self, session: &mut Session, groups: &[Arc<Group>]) {
        let mut window = std::mem::take(&mut session.inflight);
        let open = (!window.is_empty()).then(|| window.drain());
        let (unacknowledged, begun): (Vec<_>, Vec<_>) = open
            .into_iter()
            .flatten()
            .partition(|delivery| delivery.qos == crate::protocol::QoS::AtLeastOnce);
        let mut queue = std::mem::take(&mut session.queue);
        let queued = std::iter::from_fn(|| if queue.is_empty() { None } else { queue.pop_front() });
        // Whether these came, nobody can tell any more.
        let mut lost = begun.len() as u64;
        for delivery in unacknowledged.into_iter().chain(queued) {
            match groups.iter().find(|group| group.id.0 == delivery.group) {
                #[cfg(feature = "canary")]
                Some(_) if Canary::GroupMessageNotReturned.sings() => {}
                Some(group) => self.hand_back(group, &delivery.message),
                None => lost += 1,
            }
        }
        self.metrics().dropped_many(DropReason::SessionGone, lost);
    }

    /// Group members that are connected come first.
    fn set_online(&mut self, key: Key, online: bool) {
        let Some(session) = self.sessions.get(key) else { return };
        for subscription in &session.subscriptions {
            if let SubscriptionRef::Group(slot) = subscription {
                self.table.set_online(key, *slot, online);
            }
        }
    }

    /// Whether it may be published is asked now: rights may have changed since CONNECT.
    fn publish_will(&mut self, will: &Will, author: Author) {
        let message: &Message = &will.message;
        let source = author.source;
        if !may_publish_to(message.topic()) || !self.may_write(source.as_deref(), message.topic()) {
            self.count_drop(DropReason::NotAuthorised);
            return;
        }
        let now = self.now.mono_ms;
        let mut outgoing = Outgoing::borrowed(MessageInit {
            topic: message.topic(),
            forward: message.forward(),
            payload: message.payload(),
            qos: message.qos(),
            retain: message.retain() && self.config.features.retain,
            expires_at_ms: will.message_expiry_s.map(|s| now.saturating_add(u64::from(s) * 1000)),
            publisher: author.publisher,
            ..MessageInit::default()
        });
        outgoing.source = source;
        self.metrics().wills_sent.increment();
        self.publish_message(&mut outgoing, None);
    }

    /// Sends what a session's window and socket allow: what was left unacknowledged, then the
    /// queue and Retained Messages in turns.
    pub(super) fn pump_session(&mut self, key: Key) {
        self.sift(key);
        loop {
            let Some(session) = self.sessions.get_mut(key) else { return };
            let Some(connection) = session.connection else { return };
            if !session.waits() {
                return;
            }
            let Some(link) = self.links.get_mut(connection) else { return };
            if link.closing {
                return;
            }
            let replaying = session.replay.is_some();
            link.out.bytes_from(&mut self.pool);
            let books = Books::open(session);
            let pumped = pump(session, link, &self.limits, if replaying { 1 } else { u32::MAX });
            session.drop_noted &= !session.queue.is_empty();
            let metrics = &self.shared.metrics[usize::from(self.id)];
            books.settle(session, metrics);
            for (counter, n) in [
                (&metrics.publish_sent_qos0, pumped.published[0]),
                (&metrics.publish_sent_qos1, pumped.published[1]),
                (&metrics.publish_sent_qos2, pumped.published[2]),
                (&metrics.publish_redelivered, pumped.redelivered),
            ] {
                counter.add(u64::from(n));
            }
            metrics.dropped_many(DropReason::Expired, u64::from(pumped.expired));
            metrics.dropped_many(DropReason::Oversize, u64::from(pumped.oversize));
            metrics.dropped_many(DropReason::NotAuthorised, u64::from(pumped.not_authorised));
            let published = u64::from(pumped.published.iter().sum::<u32>());
            metrics.messages_sent.add(published);
            metrics.publish_bytes_sent.add(pumped.payload_bytes);
            metrics.sent(PacketType::Pubrel as u8, u64::from(pumped.sent) - published);
            if pumped.sent > 0 {
                self.mark_dirty(connection);
            }
            let sent = pumped.sent;
            self.tell(key, pumped.traced);
            self.reset_idle(connection);
            if !replaying {
                return;
            }
            let queue_waits = self.sessions.get(key).is_some_and(|s| !s.queue.is_empty());
            let replayed = self.pump_replay(key, if queue_waits { 1 } else { u32::MAX });
            if sent == 0 && replayed == 0 {
                return;
            }
        }
    }

    /// Tells the log of packets that go to a session's Client.
    pub(super) fn tell(&mut self, session: Key, packets: Vec<Traced>) {
        let Some(session) = self.sessions.get(session) else { return };
        for packet in packets {
            let client_id = (*session.client_id).into();
            self.events.push(Event::Packet { client_id, way: Way::Sending, packet });
        }
    }

    /// A buffer that nothing was written to goes back.
    fn reset_idle(&mut self, connection: Key) {
        if let Some(link) = self.links.get_mut(connection) {
            link.out.reset(&mut self.pool);
        }
    }

    pub(super) fn count_subscriptions(&self) {
        let shared = self.table.member_count() as i64;
        self.metrics().subscription_bytes.set(self.table.footprint() as i64);
        self.metrics().subscriptions.set(self.table.subscription_count() as i64 + shared);
        self.metrics().subscriptions_shared.set(shared);
    }
}

/// Who a Will is from.
struct Author {
    publisher: u64,
    /// Kept where somebody has to be asked about it.
    source: Option<Arc<Source>>,
}

/// Topics that only the broker writes to, or that exist in filters only. A bridge of another
/// broker says in the one exception whether it is connected.
pub(super) fn may_publish_to(topic: &str) -> bool {
    let Some(rest) = topic.strip_prefix('$') else { return true };
    let first = rest.split('/').next().unwrap_or(rest);
    !matches!(first, "SYS" | "CONTROL" | "share")
        || filter_matches("$SYS/broker/connection/+/state", topic)
}

//! What each packet of a Client means.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pondhawk::config::Runtime;

use super::filter::matches;
use super::ledger::{Item, NOT_AUTHORISED};
use super::lifetime::Due;
use super::publication::Publication;
use super::session::{Claim, Load, Session, Subscription};
use super::time::{Moment, Spans, Turns};
use crate::rights::Rights;
use crate::spec::{ConnectSpec, PublishSpec, Sent, SubSpec};

/// An answer that the broker owes. `codes` are those of version 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// First byte of the packet.
    pub first: u8,
    pub id: u16,
    pub codes: Vec<u8>,
}

/// What the model knows of a network connection.
#[derive(Debug)]
pub struct LineState {
    pub client: usize,
    pub spec: Option<ConnectSpec>,
    /// The session that it served or serves.
    pub session: Option<usize>,
    /// It serves it now.
    pub bound: bool,
    /// CONNACK is owed, with Session Present.
    pub connack: Option<bool>,
    /// PUBACK and PUBREC, in the order of their messages [MQTT-4.6.0-2].
    pub acks: VecDeque<Owed>,
    /// All other answers, in order.
    pub answers: VecDeque<Owed>,
    /// Topic Filters, not shared, of each UNSUBSCRIBE whose UNSUBACK is owed, and when it was
    /// handled.
    pub unsubscribed: VecDeque<(Moment, Vec<String>)>,
    /// Its session was there before.
    pub resumed: bool,
    /// Reason Codes that its DISCONNECT may have.
    pub goodbyes: Vec<u8>,
    pub said_goodbye: bool,
    /// Its CONNECT is refused with that Reason Code.
    pub refused: Option<u8>,
    /// The broker ends it for a reason that it has to tell.
    pub owes_goodbye: bool,
    pub accepted_ms: u64,
}

/// See the module's documentation.
pub struct Model {
    pub rules: Runtime,
    pub rights: Rights,
    pub moment: Moment,
    pub now_ms: u64,
    pub turn_began: Moment,
    pub turn_shard: usize,
    pub step_began: Moment,
    /// Publications of Wills in this step: where in it each stood is not known.
    pub step_wills: Vec<usize>,
    /// When each shard had its turn before, monotonic ms: what is written now may have been
    /// encoded then.
    pub last_turn_ms: Vec<u64>,
    pub publications: Vec<Publication>,
    pub by_mid: BTreeMap<u32, Vec<usize>>,
    pub sessions: Vec<Session>,
    /// The live session of each Client.
    pub current: BTreeMap<usize, usize>,
    pub lines: Vec<LineState>,
    pub turns: Turns,
    /// Memory pressure was set.
    pub pressure: Spans,
    /// What ended sessions left behind.
    pub left_behind: Vec<Item>,
    pub due: Due,
    pub draining: bool,
}

impl Model {
    pub fn new(rules: Runtime, rights: Rights, now_ms: u64) -> Self {
        let shards = rules.shards;
        Self {
            rules,
            rights,
            moment: 0,
            now_ms,
            turn_began: 0,
            turn_shard: 0,
            step_began: 0,
            step_wills: Vec::new(),
            last_turn_ms: vec![now_ms; shards],
            publications: Vec::new(),
            by_mid: BTreeMap::new(),
            sessions: Vec::new(),
            current: BTreeMap::new(),
            lines: Vec::new(),
            turns: Turns::new(shards),
            pressure: Spans::default(),
            left_behind: Vec::new(),
            due: Due::default(),
            draining: false,
        }
    }

    pub fn tick(&mut self) -> Moment {
        self.moment += 1;
        self.moment
    }

    pub fn opened(&mut self, client: usize) {
        self.lines.push(LineState {
            client,
            spec: None,
            session: None,
            bound: false,
            connack: None,
            acks: VecDeque::new(),
            answers: VecDeque::new(),
            unsubscribed: VecDeque::new(),
            resumed: false,
            goodbyes: Vec::new(),
            said_goodbye: false,
            refused: None,
            owes_goodbye: false,
            accepted_ms: self.now_ms,
        });
    }

    /// By when the message has surely reached every shard. A message for a group may be handed
    /// on from shard to shard.
    pub fn settled(&self, message: &Publication, grouped: bool) -> Moment {
        let hops = if grouped { 3 + self.rules.shards } else { 2 };
        self.turns.settled(message.shard, message.to, hops)
    }

    /// The broker has handled a packet.
    pub fn handled(&mut self, line: usize, shard: usize, sent: &Sent) {
        let at = self.tick();
        if let Sent::Connect(spec) = sent {
            return self.connected(line, shard, spec);
        }
        let session = self.lines[line].session.expect("a packet handled before CONNECT");
        assert!(self.lines[line].bound, "a packet was handled after the end: {sent:?}");
        match sent {
            Sent::Connect(_) => {}
            Sent::Publish { message, id, .. } => self.publish(line, session, shard, message, *id),
            Sent::Puback(id) => self.ended_exchange(session, *id, 1),
            Sent::Pubrec(id) => self.pubrec(line, session, *id),
            Sent::Pubcomp(id) => self.ended_exchange(session, *id, 2),
            Sent::Pubrel(id) => {
                let known = self.sessions[session].received.remove(id);
                self.answer(line, 0x70, *id, vec![if known { 0 } else { 0x92 }]);
            }
            Sent::Subscribe { id, subscription_id, filters } => {
                let codes = filters
                    .iter()
                    .map(|spec| self.subscribe(session, spec, *subscription_id, at))
                    .collect();
                self.answer(line, 0x90, *id, codes);
            }
            Sent::Unsubscribe { id, filters } => {
                let codes =
                    filters.iter().map(|spec| self.unsubscribe(session, spec, at)).collect();
                self.answer(line, 0xB0, *id, codes);
                let own = filters.iter().filter(|one| one.group.is_none());
                let own = own.map(|one| one.filter.clone()).collect();
                self.lines[line].unsubscribed.push_back((at, own));
            }
            Sent::Pingreq => self.answer(line, 0xD0, 0, Vec::new()),
            Sent::Disconnect { reason, expiry_s } => {
                if let Some(expiry_s) = expiry_s {
                    self.sessions[session].expiry_s = *expiry_s;
                }
                self.unbound(line, *reason != 0);
            }
            Sent::Offence { codes, .. } => {
                self.lines[line].goodbyes.extend(codes);
                self.lines[line].owes_goodbye = true;
                self.unbound(line, true);
            }
        }
    }

    fn answer(&mut self, line: usize, first: u8, id: u16, codes: Vec<u8>) {
        self.lines[line].answers.push_back(Owed { first, id, codes });
    }

    fn publish(
        &mut self,
        line: usize,
        session: usize,
        shard: usize,
        message: &PublishSpec,
        id: u16,
    ) {
        let first = if message.qos == 2 { 0x50 } else { 0x40 };
        if message.qos == 2 && !self.sessions[session].received.insert(id) {
            // Routed when it came first [MQTT-4.3.3-10].
            self.lines[line].acks.push_back(Owed { first, id, codes: vec![0] });
            return;
        }
        if !self.rights.may_write(self.sessions[session].client, &message.topic) {
            self.sessions[session].received.remove(&id);
            self.left_behind.push(Item::one(NOT_AUTHORISED, true, message.mid));
            if message.qos > 0 {
                self.lines[line].acks.push_back(Owed { first, id, codes: vec![0x87] });
            }
            return;
        }
        let matched = self.sessions.iter().filter(|one| one.ended.is_none()).any(|one| {
            let mut live = one.subscriptions.iter().filter(|one| one.until.is_none());
            live.any(|one| matches(&one.spec.filter, &message.topic))
        });
        if message.qos > 0 {
            let codes = vec![if matched { 0 } else { 0x10 }];
            self.lines[line].acks.push_back(Owed { first, id, codes });
        }
        let v5 = self.lines[line].spec.as_ref().is_some_and(|spec| spec.is_v5());
        let expiry_s = message.expiry_s.filter(|_| v5);
        self.published(Publication {
            mid: message.mid,
            topic: message.topic.clone(),
            qos: message.qos,
            retain: message.retain,
            empty: message.empty,
            expiry_s,
            expires_at_ms: expiry_s.map(|s| self.now_ms + u64::from(s) * 1000),
            publisher: session,
            shard,
            from: self.moment,
            to: self.moment,
            size: message.topic.len() + message.payload().len(),
            tagged: v5,
            denied: Vec::new(),
        });
    }

    /// A message was taken: from here on it is owed.
    pub fn published(&mut self, mut message: Publication) {
        let at = message.to;
        let unreadable = self.rights.unreadable.iter();
        let denied = unreadable.filter(|(_, topic)| *topic == message.topic);
        message.denied = denied.map(|(client, _)| *client).collect();
        for (own, session) in self.sessions.iter_mut().enumerate() {
            // In which order a Will was published and sessions ended in one step is not known.
            if session.ended.is_none_or(|ended| ended >= message.from) {
                let count = owed_copies(&self.rules, own, session, &message, at);
                if count > 0 {
                    session.add_backlog(Load::of(count, message.cost()), at);
                }
            }
        }
        self.by_mid.entry(message.mid).or_default().push(self.publications.len());
        self.publications.push(message);
    }

    fn ended_exchange(&mut self, session: usize, id: u16, qos: u8) {
        let at = self.moment;
        let by_mid = &self.by_mid;
        let session = &mut self.sessions[session];
        let ends = |one: &super::session::Exchange| {
            one.id == id && one.qos == qos && (qos == 1 || one.released)
        };
        let Some(index) = session.exchanges.iter().position(ends) else { return };
        let exchange = session.exchanges.remove(index);
        session.resend.retain(|one| *one != id);
        if !exchange.replayed && !exchange.ambiguous {
            let cost = self.publications[by_mid[&exchange.mid][0]].cost();
            session.add_backlog(Load::of(-1, cost), at);
        }
    }

    fn pubrec(&mut self, line: usize, session: usize, id: u16) {
        let known = self.sessions[session].exchange(id).filter(|one| one.qos == 2);
        let code = match known {
            Some(exchange) => {
                exchange.released = true;
                0
            }
            None => 0x92,
        };
        self.answer(line, 0x62, id, vec![code]);
    }

    fn subscribe(&mut self, session: usize, spec: &SubSpec, id: u32, at: Moment) -> u8 {
        let mut existed = false;
        if let Some(old) = self.sessions[session].current(spec) {
            old.until = Some(at);
            existed = true;
        }
        let fresh = Subscription { spec: spec.clone(), id, from: at, until: None };
        self.owe_what_is_under_way(session, &fresh);
        let own = &mut self.sessions[session];
        own.subscriptions.push(fresh);
        // [MQTT-3.3.1-9] to [MQTT-3.3.1-11]; never for a shared subscription [MQTT-4.8.2].
        let replays = match spec.retain_handling {
            0 => true,
            1 => !existed,
            _ => false,
        };
        if replays && spec.group.is_none() {
            end_claims(own, &spec.filter, at);
            own.claims.push(Claim {
                filter: spec.filter.clone(),
                qos: spec.qos,
                id,
                from: at,
                until: None,
                closed: false,
                overtaken: BTreeSet::new(),
            });
        }
        spec.qos
    }

    /// Messages on their way may still meet the subscription.
    fn owe_what_is_under_way(&mut self, session: usize, fresh: &Subscription) {
        let met = self.publications.iter().filter(|message| {
            matches(&fresh.spec.filter, &message.topic)
                && (self.settled(message, fresh.spec.group.is_some()) >= fresh.from
                    || fresh.spec.group.is_some() && self.came_back(message) > 0)
        });
        let costs: Vec<usize> = met.map(Publication::cost).collect();
        let load = Load { messages: costs.len() as i64, bytes: costs.iter().sum::<usize>() as i64 };
        self.sessions[session].add_backlog(load, fresh.from);
    }

    fn unsubscribe(&mut self, session: usize, spec: &SubSpec, at: Moment) -> u8 {
        let own = &mut self.sessions[session];
        let Some(old) = own.current(spec) else { return 0x11 };
        old.until = Some(at);
        if spec.group.is_none() {
            end_claims(own, &spec.filter, at);
        }
        0
    }

    /// What the broker may hold for a session when no message waits in any queue. `written`: the
    /// connections whose output was all written.
    pub fn queues_are_empty(&mut self, written: &[usize]) {
        let at = self.moment;
        for session in self.sessions.iter_mut().filter(|one| one.ended.is_none()) {
            if session.hidden || session.line.is_some_and(|line| !written.contains(&line)) {
                continue;
            }
            let open = session.exchanges.iter().filter(|one| !one.replayed);
            let costs: Vec<usize> =
                open.map(|one| self.publications[self.by_mid[&one.mid][0]].cost()).collect();
            let bytes = costs.iter().sum::<usize>() as i64;
            session.add_backlog(session.backlog.less(), at);
            session.add_backlog(Load { messages: costs.len() as i64, bytes }, at);
        }
    }
}

fn end_claims(session: &mut Session, filter: &str, at: Moment) {
    for claim in session.claims.iter_mut().filter(|one| one.until.is_none()) {
        if claim.filter == filter {
            claim.until = Some(at);
        }
    }
}

/// Copies that may have to be queued.
fn owed_copies(
    rules: &Runtime,
    own: usize,
    session: &Session,
    message: &Publication,
    at: Moment,
) -> i64 {
    let queued = |qos: u8| message.qos.min(qos) > 0 || rules.session.queue_qos0;
    let live = |one: &&Subscription| queued(one.spec.qos);
    let direct = session.may(own, message, at, false).filter(live).count();
    let grouped = session.may(own, message, at, true).filter(live).count();
    let direct = if rules.features.duplicates { direct } else { direct.min(1) };
    (direct + grouped) as i64
}

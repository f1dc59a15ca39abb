//! The beginning and end of sessions, and Wills: exactly when due.

use pondhawk::config::QueueFullPolicy;
use pondhawk::util::wheel::TICK_MS;

use super::broker::Model;
use super::ledger::{GONE, Item, NOT_AUTHORISED, OVERSIZE, exceeds};
use super::publication::Publication;
use super::session::{Exchange, Session};
use crate::spec::{ConnectSpec, NEVER, WillSpec};

/// What has to have happened by the end of this turn.
#[derive(Debug, Default)]
pub struct Due {
    /// Wills published so far.
    pub wills: u64,
    /// Sessions that ended by their expiry interval.
    pub expired: u64,
}

/// Timers have a resolution: what is due at `at` happens by this moment, in ms.
fn latest(at: u64) -> u64 {
    at.div_ceil(TICK_MS) * TICK_MS
}

impl Model {
    /// The broker has handled a CONNECT, on the session's home shard.
    pub(super) fn connected(&mut self, line: usize, shard: usize, spec: &ConnectSpec) {
        let client = self.lines[line].client;
        if spec.unknown_method {
            self.lines[line].refused = Some(0x8C); // [MQTT-4.12.0-1]
            return;
        }
        if let Some(old) = self.current.get(&client).and_then(|own| self.sessions[*own].line) {
            // [MQTT-3.1.4-3]
            self.lines[old].goodbyes.push(0x8E);
            self.lines[old].owes_goodbye = true;
            self.unbound(old, true);
        }
        let mut found = self.current.get(&client).copied();
        if let Some(own) = found {
            let over = self.sessions[own].expires_at_ms.is_some_and(|at| at <= self.now_ms);
            if over {
                // The timer has not run yet, but the time is over.
                self.due.expired += 1;
            } else if self.sessions[own].will_at_ms.is_some_and(|at| at <= self.now_ms) {
                self.send_will(own);
            }
            if over || spec.clean {
                self.end_session(own); // [MQTT-3.1.2-4]
                found = None;
            }
        }
        let at = self.moment;
        let own = found.unwrap_or_else(|| {
            self.sessions.push(Session::new(client, shard));
            self.current.insert(client, self.sessions.len() - 1);
            self.sessions.len() - 1
        });
        let state = &mut self.lines[line];
        state.spec = Some(spec.clone());
        state.session = Some(own);
        state.bound = true;
        state.resumed = found.is_some();
        // 3.1 has no Session Present.
        state.connack = Some(found.is_some() && spec.level != 3);
        let session = &mut self.sessions[own];
        assert_eq!(session.shard, shard, "a session was opened away from its home");
        session.line = Some(line);
        session.expiry_s = spec.session_expiry_s();
        session.expires_at_ms = None;
        session.will_at_ms = None;
        session.will = spec.will.clone().map(|will| (will, spec.is_v5()));
        session.offline.end(at);
        session.blocked.end(at);
        session.sizes.push((at, spec.maximum_packet_size));
        session.resend = session.exchanges.iter().map(|one| one.id).collect();
        for order in session.order.values_mut() {
            order.on_line = 0;
        }
    }

    /// The connection serves its session no more. `with_will` unless the Client took it back.
    pub fn unbound(&mut self, line: usize, with_will: bool) {
        let Some(own) = self.lines[line].session else { return };
        if !std::mem::replace(&mut self.lines[line].bound, false) {
            return;
        }
        let at = self.tick();
        let session = &mut self.sessions[own];
        session.line = None;
        session.hidden = true;
        session.offline.begin(at);
        session.blocked.end(at);
        for claim in &mut session.claims {
            claim.until.get_or_insert(at);
        }
        if !with_will {
            session.will = None;
        }
        if session.expiry_s == 0 {
            return self.end_session(own);
        }
        if session.expiry_s != NEVER {
            session.expires_at_ms = Some(self.now_ms + u64::from(session.expiry_s) * 1000);
        }
        let delay_s = session.will.as_ref().map(|(will, _)| will.delay_s);
        if let Some(delay_s) = delay_s.filter(|delay_s| *delay_s > 0) {
            session.will_at_ms = Some(self.now_ms + u64::from(delay_s) * 1000);
        }
        session.set_look();
        if delay_s == Some(0) {
            self.send_will(own);
        }
    }

    /// The session ends: its Will, if its delay runs, is due now [MQTT-3.1.3-9].
    fn end_session(&mut self, own: usize) {
        let at = self.tick();
        self.owe_to_groups(own, at);
        let session = &mut self.sessions[own];
        session.ended = Some(at);
        session.expires_at_ms = None;
        for one in session.subscriptions.iter_mut().filter(|one| one.until.is_none()) {
            one.until = Some(at);
        }
        let client = session.client;
        let lost = |one: &&Exchange| !one.released && (!one.grouped || one.qos == 2);
        for exchange in session.exchanges.iter().filter(lost) {
            // Sent and not acknowledged: nobody knows whether it came.
            let large = if exchange.may_be_too_large(session) { OVERSIZE } else { 0 };
            self.left_behind.push(Item::one(GONE | large, true, exchange.mid));
        }
        self.current.remove(&client);
        if self.sessions[own].will.is_some() {
            self.send_will(own);
        }
    }

    /// What a member of a group has not acknowledged goes to another when it ends: each may be the
    /// one.
    fn owe_to_groups(&mut self, own: usize, at: u64) {
        let live = |session: &Session| -> Vec<(Option<String>, String)> {
            let subscriptions = session.subscriptions.iter();
            let groups =
                subscriptions.filter(|one| one.until.is_none() && one.spec.group.is_some());
            groups.map(|one| (one.spec.group.clone(), one.spec.filter.clone())).collect()
        };
        let (groups, load) = (live(&self.sessions[own]), self.sessions[own].backlog);
        if groups.is_empty() || load.messages <= 0 {
            return;
        }
        for other in self.current.values().copied().filter(|other| *other != own) {
            if live(&self.sessions[other]).iter().any(|group| groups.contains(group)) {
                self.sessions[other].add_backlog(load, at);
            }
        }
    }

    fn send_will(&mut self, own: usize) {
        let session = &mut self.sessions[own];
        session.will_at_ms = None;
        let Some((will, v5)) = session.will.take() else { return };
        let (shard, client) = (session.shard, session.client);
        if !self.rights.may_write(client, &will.topic) {
            self.left_behind.push(Item::one(NOT_AUTHORISED, true, will.mid));
            return;
        }
        self.due.wills += 1;
        let message = self.will_message(own, shard, &will, v5);
        self.step_wills.push(self.publications.len());
        self.published(message);
    }

    /// What comes now belongs to another step than what came before.
    pub fn begin_step(&mut self) {
        self.step_wills.clear();
        self.step_began = self.moment;
    }

    /// Several connections and sessions may have ended in the step that is over, in any order:
    /// each Will of it may have been published before or after each of those.
    pub fn end_step(&mut self) {
        let at = self.tick();
        for index in std::mem::take(&mut self.step_wills) {
            self.publications[index].to = at;
        }
        self.step_began = at;
    }

    fn will_message(&self, own: usize, shard: usize, will: &WillSpec, v5: bool) -> Publication {
        let expiry_s = will.expiry_s.filter(|_| v5);
        Publication {
            mid: will.mid,
            topic: will.topic.clone(),
            qos: will.qos,
            retain: will.retain,
            empty: false,
            expiry_s,
            expires_at_ms: expiry_s.map(|s| self.now_ms + u64::from(s) * 1000),
            publisher: own,
            shard,
            // Where in the step, cannot be seen.
            from: self.step_began.min(self.moment),
            to: self.moment,
            size: will.topic.len() + crate::spec::payload(will.mid, 0).len(),
            tagged: v5,
            denied: Vec::new(),
        }
    }

    /// Why the broker may close a connection by itself, as Reason Codes of its DISCONNECT.
    /// `heard_ms`: when it last handled bytes of it.
    pub fn reasons_to_close(&self, line: usize, heard_ms: u64) -> Vec<u8> {
        let state = &self.lines[line];
        let mut reasons = Vec::new();
        if self.draining {
            reasons.push(0x8B);
        }
        let keep_alive_ms = state.spec.as_ref().map_or(0, |spec| u64::from(spec.keep_alive_s));
        if keep_alive_ms > 0 && self.now_ms >= heard_ms + keep_alive_ms * 1_500 {
            reasons.push(0x8D); // [MQTT-3.1.2-22]
        }
        let limits = &self.rules.session;
        if let Some(own) = state.session
            && limits.queue_full == QueueFullPolicy::Disconnect
        {
            let most = self.sessions[own].backlog_within(self.turn_began, self.moment);
            let full = exceeds(most.messages, limits.queued_messages)
                || exceeds(most.bytes, limits.queued_bytes);
            reasons.extend(full.then_some(0x97));
        }
        reasons
    }

    /// Does one thing that the broker's timers do in this turn; false when there is none left.
    ///
    /// A timer has a resolution, so there is a while in which something may be done or not. It is
    /// done as soon as the broker looks, and it may do so for something else that was set for that
    /// session before; a counter does not tell whose it was.
    pub fn catch_up(&mut self) -> bool {
        let (shard, now_ms) = (self.turn_shard, self.now_ms);
        for own in self.current.values().copied() {
            let session = &mut self.sessions[own];
            let due = session.looks_ms.iter().position(|at| latest(*at) <= now_ms);
            let Some(at) = due.filter(|_| session.shard == shard) else { continue };
            session.looks_ms.swap_remove(at);
            session.next_look_ms = None;
            if session.expires_at_ms.is_some_and(|at| at <= now_ms) {
                self.due.expired += 1;
                self.end_session(own);
            } else {
                if session.will_at_ms.is_some_and(|at| at <= now_ms) {
                    self.send_will(own);
                }
                self.sessions[own].set_look();
            }
            return true;
        }
        false
    }

    /// Just what was due has happened.
    pub fn check_due(&self, expired: u64, wills: u64) {
        assert_eq!(self.due.expired, expired, "a session that was over is still there");
        assert_eq!(self.due.wills, wills, "a Will that was due was not published");
    }

    /// The broker is at rest: nothing that was due may be left.
    pub fn check_nothing_overdue(&self) {
        for own in self.current.values() {
            let session = &self.sessions[*own];
            let overdue = |at: Option<u64>| at.is_some_and(|at| latest(at) <= self.now_ms);
            assert!(!overdue(session.expires_at_ms), "session {own} outlived its expiry");
            assert!(!overdue(session.will_at_ms), "the Will of session {own} is overdue");
        }
    }
}

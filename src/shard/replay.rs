//! Retained Messages for new subscriptions: pulled a page at a time, sent as the socket drains.

use super::Command;
use super::access::Guard;
use super::books::Books;
use super::command::{RetainedPage, RetainedPull};
use super::core::Core;
use super::route::{count_sent, sent_publish};
use crate::auth::Access;
use crate::connection::{Outgoing, send_retained};
use crate::metrics::DropReason;
use crate::protocol::Message;
use crate::router::ScanState;
use crate::session::ReplayCursor;
use crate::util::Key;

/// Messages in one page; what a replay holds in memory.
const PAGE: usize = 64;
/// Stored entries examined for one page: a filter that matches little doesn't hold up the shard.
const PAGE_EXAMINED: usize = 2_048;
/// Unsent bytes above which a replay waits for the socket.
const OUT_MAX: usize = 64 * 1024;

/// Why a replay stopped for now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// Nothing left to send.
    Finished,
    /// The window is closed, the socket is slow or a page is on its way.
    Waiting,
}

impl Core {
    /// Sends Retained Messages to a session, at most `budget`, until something stops it.
    /// Returns how many it sent.
    pub(super) fn pump_replay(&mut self, key: Key, budget: u32) -> u32 {
        let mut sent = 0;
        while sent < budget {
            match self.replay_one(key) {
                Ok(true) => sent += 1,
                Ok(false) => {}
                Err(Pause::Waiting) => break,
                Err(Pause::Finished) => {
                    if let Some(session) = self.sessions.get_mut(key) {
                        session.replay = None;
                    }
                    break;
                }
            }
        }
        sent
    }

    /// `Ok(true)`: one message was sent; `Ok(false)`: there was progress of another kind.
    fn replay_one(&mut self, key: Key) -> Result<bool, Pause> {
        let Some(session) = self.sessions.get_mut(key) else { return Err(Pause::Waiting) };
        let Some(connection) = session.connection else { return Err(Pause::Waiting) };
        let Some(link) = self.links.get_mut(connection) else { return Err(Pause::Waiting) };
        let Some(mut replay) = session.replay.take() else { return Err(Pause::Waiting) };
        let result = match replay.cursors.front_mut() {
            None => Err(Pause::Finished),
            Some(_) if link.closing || link.out.pending() > OUT_MAX => Err(Pause::Waiting),
            Some(cursor) => match cursor.page.pop_front() {
                None => Ok(None),
                Some(message) => Ok(Some((message, cursor.id, cursor.qos, cursor.subscription_id))),
            },
        };
        let result = match result {
            Err(pause) => Err(pause),
            Ok(None) => {
                session.replay = Some(replay);
                return self.next_page(key);
            }
            Ok(Some((message, cursor, ..))) if replay.was_overtaken(cursor, message.topic()) => {
                Ok(false)
            }
            Ok(Some((message, ..)))
                if Guard::new(&self.policies, &mut self.access).is_some_and(|mut g| {
                    !g.allows(key, session, message.topic(), Access::Read)
                }) =>
            {
                self.shared.metrics[usize::from(self.id)].dropped(DropReason::NotAuthorised);
                Ok(false)
            }
            Ok(Some((message, _, qos, id))) => {
                let metrics = &self.shared.metrics[usize::from(self.id)];
                let books = Books::open(session);
                let result = send_retained(session, link, &message, qos, id, &self.limits);
                books.settle(session, metrics);
                match result {
                    Ok(true) => {
                        count_sent(metrics, self.limits.qos(message.qos(), qos));
                        metrics.publish_bytes_sent.add(message.payload().len() as u64);
                        if self.limits.trace {
                            let mut outgoing = Outgoing::kept(&message);
                            outgoing.qos = self.limits.qos(message.qos(), qos);
                            self.events.push(sent_publish(session, &outgoing, outgoing.qos, true));
                        }
                        Ok(true)
                    }
                    Ok(false) => {
                        if let Some(cursor) = replay.cursors.front_mut() {
                            cursor.page.push_front(message);
                        }
                        Err(Pause::Waiting)
                    }
                    Err(reason) => {
                        // An expired Retained Message is gone, not lost to this Client.
                        if reason != DropReason::Expired {
                            metrics.dropped(reason);
                        }
                        Ok(false)
                    }
                }
            }
        };
        session.replay = Some(replay);
        if result == Ok(true) {
            self.mark_dirty(connection);
        }
        result
    }

    /// The first cursor's page is used up: fetch another, or go on to the next cursor.
    fn next_page(&mut self, key: Key) -> Result<bool, Pause> {
        let Some(replay) = self.sessions.get_mut(key).and_then(|s| s.replay.as_mut()) else {
            return Err(Pause::Waiting);
        };
        let Some(cursor) = replay.cursors.front_mut() else { return Err(Pause::Finished) };
        if cursor.complete {
            replay.cursors.pop_front();
            return Ok(false);
        }
        if cursor.waiting {
            return Err(Pause::Waiting);
        }
        if cursor.shard == self.id {
            let (filter, after) = (cursor.filter.clone(), cursor.after.clone());
            let (messages, more) = self.scan_retained(&filter, after.as_deref());
            self.accept_page(key, messages, more);
            return Ok(false);
        }
        cursor.waiting = true;
        let pull = RetainedPull {
            filter: cursor.filter.clone(),
            after: cursor.after.clone(),
            shard: self.id,
            session: key,
            replay: cursor.id,
        };
        let owner = cursor.shard;
        self.send(owner, Command::RetainedPull(Box::new(pull)));
        Err(Pause::Waiting)
    }

    fn scan_retained(&self, filter: &str, after: Option<&str>) -> (Vec<Message>, Option<Box<str>>) {
        let mut found = Vec::new();
        let state = self.retained.scan(filter, after, PAGE, PAGE_EXAMINED, &mut found);
        let messages = found.into_iter().filter_map(|one| self.still_retained(one)).collect();
        match state {
            ScanState::Done => (messages, None),
            ScanState::More(last) => (messages, Some(last)),
        }
    }

    fn accept_page(&mut self, key: Key, messages: Vec<Message>, more: Option<Box<str>>) {
        let shards = self.shared.shards() as u16;
        let Some(replay) = self.sessions.get_mut(key).and_then(|s| s.replay.as_mut()) else {
            return;
        };
        if let Some(cursor) = replay.cursors.front_mut() {
            fill(cursor, messages, more, shards);
        }
    }

    /// Another shard asks for a page of this shard's Retained Messages.
    pub(super) fn answer_pull(&mut self, pull: RetainedPull) {
        let (messages, more) = self.scan_retained(&pull.filter, pull.after.as_deref());
        let page = RetainedPage { session: pull.session, replay: pull.replay, messages, more };
        self.send(pull.shard, Command::RetainedPage(Box::new(page)));
    }

    /// The answer to this shard's pull.
    pub(super) fn take_page(&mut self, page: RetainedPage) {
        let shards = self.shared.shards() as u16;
        let key = page.session;
        let Some(session) = self.sessions.get_mut(key) else { return };
        let Some(cursor) = session.replay.as_mut().and_then(|r| r.cursor_mut(page.replay)) else {
            return; // The subscription is gone, or its replay was started anew.
        };
        fill(cursor, page.messages, page.more, shards);
        self.pump_session(key);
    }
}

fn fill(cursor: &mut ReplayCursor, messages: Vec<Message>, more: Option<Box<str>>, shards: u16) {
    cursor.waiting = false;
    cursor.page.extend(messages);
    cursor.after = more;
    if cursor.after.is_none() {
        cursor.shard += 1;
        cursor.complete = cursor.shard >= shards;
    }
}

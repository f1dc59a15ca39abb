//! The final account: what was owed and did not come needs a reason, and the broker's counters
//! have to name just as many of each.

use pondhawk::config::QueueFullPolicy;
use pondhawk::metrics::{DropReason, Snapshot};

use super::broker::Model;
use super::publication::Publication;
use super::session::Session;
use super::time::Moment;

/// A set of reasons, one bit each.
pub type Reasons = u16;

/// The reasons that are named elsewhere.
pub const GONE: Reasons = bit(DropReason::SessionGone);
pub const OVERSIZE: Reasons = bit(DropReason::Oversize);
pub const NOT_AUTHORISED: Reasons = bit(DropReason::NotAuthorised);

const fn bit(reason: DropReason) -> Reasons {
    1 << reason as Reasons
}

/// One delivery that did not take place. `must`: it was owed for certain, so the broker has
/// counted it; otherwise it may have.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub reasons: Reasons,
    pub must: bool,
    pub mid: u32,
    pub count: u32,
}

impl Item {
    pub fn one(reasons: Reasons, must: bool, mid: u32) -> Self {
        Self { reasons, must, mid, count: 1 }
    }
}

impl Model {
    /// Everything is delivered that can be: checks each message against each session, then the
    /// counters.
    pub fn check_account(&self, counters: &Snapshot) {
        let mut items = self.left_behind.clone();
        for session in self.sessions.iter().filter(|session| session.ended.is_none()) {
            // Given up, perhaps, when a connection took no packet of that size.
            let large = session.exchanges.iter().filter(|one| one.may_be_too_large(session));
            items.extend(large.map(|one| Item::one(OVERSIZE, false, one.mid)));
        }
        for message in &self.publications {
            // All publications of one `mid` are counted together, with the first.
            if self.publications[self.by_mid[&message.mid][0]].from == message.from {
                items.extend(self.missing_direct(message.mid));
                items.extend(self.missing_grouped(message.mid));
            }
            items.extend(self.unsent_replays(message));
        }
        for item in &mut items {
            // One without payload and tag cannot be told from the next of its topic.
            // One that was denied to its publisher is not there at all.
            let message = self.by_mid.get(&item.mid).map(|all| &self.publications[all[0]]);
            item.must &= message.is_none_or(|message| !message.empty);
        }
        for item in items.iter().filter(|item| item.must) {
            assert!(
                item.reasons != 0,
                "message {} is lost: {:?}",
                item.mid,
                self.publications[self.by_mid[&item.mid][0]]
            );
        }
        balance(&items, counters);
    }

    /// Retained Messages for new subscriptions are counted, too, when they are too large or the
    /// session ends before it has acknowledged them.
    fn unsent_replays(&self, message: &Publication) -> Vec<Item> {
        let mut items = Vec::new();
        for session in self.sessions.iter().filter(|_| message.retain) {
            let claims = session.claims.iter().filter(|claim| {
                super::filter::matches(&claim.filter, &message.topic)
                    && self.largest(session, message) > session.smallest_packet(claim.from) as usize
            });
            items.extend(claims.map(|_| Item::one(OVERSIZE, false, message.mid)));
            let claims = session.claims.iter().filter(|claim| {
                session.ended.is_some() && super::filter::matches(&claim.filter, &message.topic)
            });
            items.extend(claims.map(|_| Item::one(GONE, false, message.mid)));
            let claims = session.claims.iter().filter(|claim| {
                session.is_denied(message) && super::filter::matches(&claim.filter, &message.topic)
            });
            items.extend(claims.map(|_| Item::one(NOT_AUTHORISED, false, message.mid)));
        }
        items
    }

    /// How often a Client may take a QoS 2 message, over all its sessions.
    pub fn most_at_qos2(&self, client: usize, mid: u32) -> u32 {
        let topic = &self.publications[self.by_mid[&mid][0]].topic;
        let sessions = self.sessions.iter().enumerate().filter(|(_, one)| one.client == client);
        sessions
            .map(|(own, session)| {
                let claims = session.claims.iter();
                let claims = claims.filter(|claim| super::filter::matches(&claim.filter, topic));
                self.allowed(own, mid) + claims.count() as u32
            })
            .sum()
    }

    /// Subscriptions of all sessions.
    pub fn subscriptions(&self) -> usize {
        let live = self.sessions.iter().filter(|session| session.ended.is_none());
        live.flat_map(|session| &session.subscriptions).filter(|one| one.until.is_none()).count()
    }

    /// What sessions were owed for their own subscriptions and have not had.
    fn missing_direct(&self, mid: u32) -> Vec<Item> {
        let mut items = Vec::new();
        for (own, session) in self.sessions.iter().enumerate() {
            let (had, open) = self.had(own, mid);
            let (mut must, mut may, mut reasons, mut lost) = (0, 0, 0, false);
            for index in &self.by_mid[&mid] {
                let message = &self.publications[*index];
                let settled = self.settled(message, false);
                if session.is_denied(message) {
                    items.extend(self.denied(own, message, settled));
                    continue;
                }
                let count = |n: usize| if self.rules.features.duplicates { n } else { n.min(1) };
                let most = count(session.may(own, message, settled, false).count());
                if most == 0 {
                    continue;
                }
                may += most as u32;
                must += count(session.must(own, message, settled, false).count()) as u32;
                reasons |= self.reasons(own, message, settled, false);
                lost |= self.may_be_cut_off(own, message, settled);
            }
            // Copies for groups are apart; a Client in a group has no other subscription there.
            if may > 0 {
                add(&mut items, mid, had, must, may, reasons, lost);
                // A copy that may have been a Retained Message leaves the live one open.
                items.push(Item { reasons, must: false, mid, count: open });
            }
        }
        items
    }

    /// Live copies of the message that the session was sent at most, and how many of those may
    /// have been Retained Messages instead.
    fn had(&self, own: usize, mid: u32) -> (u32, u32) {
        let (sure, either) = self.sessions[own].copies(mid);
        let room = self.allowed(own, mid).saturating_sub(sure);
        (sure + either.min(room), either.min(room))
    }

    /// Copies that a session did not get because its Client may not.
    fn denied(&self, own: usize, message: &Publication, settled: Moment) -> [Item; 2] {
        let session = &self.sessions[own];
        let count = |n: usize| if self.rules.features.duplicates { n } else { n.min(1) } as u32;
        let must = count(session.throughout(own, message, settled, false).count());
        let may = count(session.matching(own, message, settled, false).count());
        let gone = session.ended.is_some_and(|at| at >= message.from);
        let reasons = NOT_AUTHORISED | if gone { GONE } else { 0 };
        let item = |must, count| Item { reasons, must, mid: message.mid, count };
        [item(true, must), item(false, may - must)]
    }

    /// What groups were owed.
    fn missing_grouped(&self, mid: u32) -> Vec<Item> {
        let mut groups: Vec<(&str, &str)> = Vec::new();
        for one in self.sessions.iter().flat_map(|session| &session.subscriptions) {
            if let Some(group) = &one.spec.group
                && !groups.contains(&(group, &one.spec.filter))
            {
                groups.push((group, &one.spec.filter));
            }
        }
        groups.iter().flat_map(|group| self.missing_of_group(mid, *group)).collect()
    }

    fn missing_of_group(&self, mid: u32, group: (&str, &str)) -> Vec<Item> {
        let (mut had, mut must, mut may, mut reasons, mut lost) = (0, 0, 0, 0, false);
        let mut back = 0;
        let (mut everyone, mut noted) = (0, Vec::new());
        for index in &self.by_mid[&mid] {
            let message = &self.publications[*index];
            let settled = self.settled(message, true);
            let came_back = self.came_back(message);
            let reach = if came_back > 0 { Moment::MAX } else { settled };
            let (mut candidates, mut sure, mut barred) = (0, 0, false);
            for (own, session) in self.sessions.iter().enumerate() {
                let is = |one: &&super::session::Subscription| {
                    one.spec.group.as_deref() == Some(group.0) && one.spec.filter == group.1
                };
                if session.matching(own, message, reach, true).find(is).is_none() {
                    continue;
                }
                candidates += 1;
                if session.is_denied(message) {
                    // It is passed over; if there is nobody else, the message has nobody.
                    barred |= session.throughout(own, message, settled, true).any(|one| is(&one));
                    continue;
                }
                everyone += 1;
                if !noted.contains(&own) {
                    noted.push(own);
                    had += self.had(own, mid).0;
                }
                sure += usize::from(session.must(own, message, settled, true).any(|one| is(&one)));
                reasons |= self.reasons(own, message, reach, true);
                lost |= self.may_be_cut_off(own, message, reach);
            }
            if candidates > 0 {
                may += 1;
                must += u32::from(sure > 0 || barred);
                if sure == 0 || came_back > 0 || reasons & bit(DropReason::Qos0Offline) != 0 {
                    reasons |= bit(DropReason::NoGroupMember);
                }
            }
            back += came_back;
        }
        let mut items = Vec::new();
        if may > 0 {
            add(&mut items, mid, had, must, may, reasons, lost);
        }
        // Each return may end in a drop of its own, whatever was had before.
        let all = reasons | GONE | bit(DropReason::NoGroupMember);
        if back > 0 && everyone > 0 {
            items.push(Item { reasons: all, must: false, mid, count: back * everyone });
        }
        items
    }

    /// Why the session may not have had the message.
    fn reasons(
        &self,
        own: usize,
        message: &Publication,
        settled: Moment,
        grouped: bool,
    ) -> Reasons {
        let session = &self.sessions[own];
        let from = message.from;
        let highest = session.may(own, message, settled, grouped).map(|one| one.spec.qos).max();
        let lowest = session.may(own, message, settled, grouped).map(|one| one.spec.qos).min();
        let qos = message.qos.min(highest.unwrap_or(0));
        let may_be_0 = message.qos.min(lowest.unwrap_or(0)) == 0;
        let mut reasons = 0;
        if message.expires_at_ms.is_some_and(|at| at <= self.now_ms) {
            reasons |= bit(DropReason::Expired);
        }
        if self.largest(session, message) > session.smallest_packet(from) as usize {
            reasons |= OVERSIZE;
        }
        if may_be_0 {
            reasons |= self.reasons_at_qos0(session, message, settled);
        }
        if self.pressure.overlap(from, Moment::MAX) {
            reasons |= bit(DropReason::MemoryPressure);
        }
        if qos > 0 || self.rules.session.queue_qos0 {
            if session.ended.is_some_and(|at| at >= from) {
                reasons |= GONE;
            }
            reasons |= self.reasons_of_queue(session, from, settled);
        }
        reasons
    }

    fn reasons_at_qos0(&self, session: &Session, message: &Publication, to: Moment) -> Reasons {
        let mut reasons = 0;
        if session.offline.overlap(message.from, to) {
            reasons |= bit(DropReason::Qos0Offline);
        }
        if session.ended.is_some_and(|at| at >= message.from && at <= to) {
            reasons |= GONE;
        }
        if session.blocked.overlap(message.from, to) {
            reasons |= bit(DropReason::Qos0Backpressure);
        }
        reasons
    }

    fn reasons_of_queue(&self, session: &Session, from: Moment, settled: Moment) -> Reasons {
        let limits = &self.rules.session;
        let oldest = limits.queue_full == QueueFullPolicy::DropOldest;
        let to = if oldest { Moment::MAX } else { settled };
        let most = session.backlog_within(from, to);
        let mut reasons = 0;
        if exceeds(most.messages, limits.queued_messages) {
            reasons |= bit(DropReason::QueueFull);
        }
        if exceeds(most.bytes, limits.queued_bytes) {
            reasons |= bit(DropReason::QueueBytesFull);
        }
        if oldest && reasons != 0 {
            reasons |= bit(DropReason::QueueOldest);
        }
        reasons
    }

    /// At QoS 0 what was in the output buffer goes with the connection; nobody counts that.
    fn may_be_cut_off(&self, own: usize, message: &Publication, _settled: Moment) -> bool {
        let session = &self.sessions[own];
        session.lost_output.overlap(message.from, Moment::MAX)
    }

    /// The largest packet that the message can make.
    fn largest(&self, session: &Session, message: &Publication) -> usize {
        let ids = session.subscriptions.iter().filter(|one| one.id != 0).count();
        let tag = 5 + 1 + message.mid.to_string().len();
        5 + 2 + 2 + 4 + message.size + 5 + 5 * ids + tag
    }
}

/// Whether a queue with this limit may have been full.
pub fn exceeds(held: i64, limit: u64) -> bool {
    held.max(0) as u64 > limit
}

/// Notes what is missing between what was had and what was owed.
fn add(
    items: &mut Vec<Item>,
    mid: u32,
    had: u32,
    must: u32,
    may: u32,
    reasons: Reasons,
    lost: bool,
) {
    let owed = must.saturating_sub(had);
    if owed > 0 {
        // What was cut off with its connection has no reason to be counted, but may have.
        items.push(Item { reasons, must: !lost, mid, count: owed });
    }
    let open = may.saturating_sub(had.max(must));
    if open > 0 {
        items.push(Item { reasons, must: false, mid, count: open });
    }
}

/// Whether the counters can be the reasons of the items, each of a `must` item once and each of
/// the others at most once: for every set of reasons they are neither fewer than the items that
/// have no other reason, nor more than those that have any of it.
fn balance(items: &[Item], counters: &Snapshot) {
    for set in 1..1u16 << DropReason::COUNT {
        let within = |reason: &&DropReason| set & bit(**reason) != 0;
        let counted: u64 =
            DropReason::ALL.iter().filter(within).map(|reason| counters.dropped(*reason)).sum();
        let sum = |of: &dyn Fn(&Item) -> bool| -> u64 {
            items.iter().filter(|item| of(item)).map(|item| u64::from(item.count)).sum()
        };
        let least = sum(&|item| item.must && item.reasons & !set == 0);
        let most = sum(&|item| item.reasons & set != 0);
        let names: Vec<&str> =
            DropReason::ALL.iter().filter(within).map(|reason| reason.name()).collect();
        assert!(
            counted >= least && counted <= most,
            "dropped as {names:?}: {counted} by the counters, {least} to {most} by the model: {:?}",
            items.iter().filter(|item| item.reasons & set != 0).take(12).collect::<Vec<_>>()
        );
    }
}

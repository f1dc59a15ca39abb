//! What a session is owed and where it stands.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::filter::matches;
use super::publication::Publication;
use super::time::{Moment, Spans};
use crate::spec::{SubSpec, WillSpec};

/// A subscription, from SUBSCRIBE to whatever ended or replaced it.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub spec: SubSpec,
    /// 0 for none.
    pub id: u32,
    pub from: Moment,
    pub until: Option<Moment>,
}

/// Messages and what they take, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    pub messages: i64,
    pub bytes: i64,
}

impl Load {
    /// `count` messages of `cost` bytes each.
    pub fn of(count: i64, cost: usize) -> Self {
        Self { messages: count, bytes: count * cost as i64 }
    }

    /// What goes away again.
    pub fn less(self) -> Self {
        Self { messages: -self.messages, bytes: -self.bytes }
    }
}

/// An exchange that the broker has opened with a PUBLISH and the Client has not ended.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub id: u16,
    pub mid: u32,
    pub qos: u8,
    /// PUBREC was handled: only PUBREL may follow.
    pub released: bool,
    /// The connection on which its PUBLISH was sent last.
    pub line: usize,
    /// When that was.
    pub at: Moment,
    /// The group that it was sent for.
    pub grouped: bool,
    /// A Retained Message for a new subscription.
    pub replayed: bool,
    /// It may be one.
    pub ambiguous: bool,
    pub size: usize,
}

impl Exchange {
    /// A connection since its last PUBLISH took no packet of that size, so it may have been given
    /// up. With room for what a resend may add.
    pub fn may_be_too_large(&self, session: &Session) -> bool {
        !self.released && self.size + 24 > session.smallest_packet(self.at) as usize
    }
}

/// Retained Messages that a SUBSCRIBE asked for.
#[derive(Clone, Debug)]
pub struct Claim {
    pub filter: String,
    pub qos: u8,
    pub id: u32,
    pub from: Moment,
    /// Unsubscribed, subscribed anew or cut off.
    pub until: Option<Moment>,
    /// UNSUBACK was written: nothing of it may follow.
    pub closed: bool,
    /// Topics of which a live retained change was sent since: what is stored is no news then, and
    /// the broker may leave it out rather than send something older after something newer.
    pub overtaken: BTreeSet<String>,
}

/// A copy that may have answered a SUBSCRIBE with a Retained Message.
#[derive(Clone, Debug)]
pub struct Answer {
    pub mid: u32,
    /// The claims that it may have answered.
    pub claims: Vec<usize>,
    /// It may as well have been a live copy. Which of those that look alike was the one, and
    /// which the other, cannot be told.
    pub live: bool,
}

/// Publisher, topic and QoS: messages that have them in common come in their order.
pub type OrderKey = (usize, String, u8);

/// The order of one publisher's messages of one topic and QoS.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The last one that the session was sent for the first time.
    pub newest: Moment,
    /// The last one on the connection `line`, redelivered or not.
    pub on_line: Moment,
    pub line: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Session {
    pub client: usize,
    pub shard: usize,
    pub ended: Option<Moment>,
    pub line: Option<usize>,
    pub expiry_s: u32,
    /// When it ends, if it is disconnected and may end; monotonic ms.
    pub expires_at_ms: Option<u64>,
    pub will: Option<(WillSpec, bool)>,
    /// When its Will is due, if the delay runs; monotonic ms.
    pub will_at_ms: Option<u64>,
    /// When the broker looks whether one of these is due; monotonic ms. Each time that it has set
    /// itself brings a look, also when it has set an earlier one since.
    pub looks_ms: Vec<u64>,
    /// The earliest of these, unless there was a look since.
    pub next_look_ms: Option<u64>,
    pub subscriptions: Vec<Subscription>,
    pub claims: Vec<Claim>,
    /// In the order of first sending.
    pub exchanges: Vec<Exchange>,
    /// What has to be sent again before anything newer, by identifier.
    pub resend: VecDeque<u16>,
    /// Incoming QoS 2 identifiers.
    pub received: BTreeSet<u16>,
    /// Copies sent for the first time that can only have been live ones, by message.
    pub copies: BTreeMap<u32, u32>,
    /// All others, by topic.
    pub answers: BTreeMap<String, Vec<Answer>>,
    pub order: BTreeMap<OrderKey, Order>,
    pub offline: Spans,
    /// Its connection took no more bytes.
    pub blocked: Spans,
    /// A connection was lost with output in the broker's buffer.
    pub lost_output: Spans,
    /// Maximum Packet Size of each connection, with its beginning.
    pub sizes: Vec<(Moment, u32)>,
    /// A connection has ended since the last new message: there may be exchanges that were opened
    /// for it and that nobody has seen.
    pub hidden: bool,
    /// Messages owed and not known to have left the queue: at least as much as the broker holds.
    pub backlog: Load,
    /// `backlog` after each change.
    pub backlogs: Vec<(Moment, Load)>,
    /// The last retained change sent live, by topic: its publication.
    pub live_retained: BTreeMap<String, usize>,
}

impl Session {
    pub fn new(client: usize, shard: usize) -> Self {
        Self {
            client,
            shard,
            ended: None,
            line: None,
            expiry_s: 0,
            expires_at_ms: None,
            will: None,
            will_at_ms: None,
            looks_ms: Vec::new(),
            next_look_ms: None,
            subscriptions: Vec::new(),
            claims: Vec::new(),
            exchanges: Vec::new(),
            resend: VecDeque::new(),
            received: BTreeSet::new(),
            copies: BTreeMap::new(),
            answers: BTreeMap::new(),
            order: BTreeMap::new(),
            offline: Spans::default(),
            blocked: Spans::default(),
            lost_output: Spans::default(),
            sizes: Vec::new(),
            hidden: false,
            backlog: Load::default(),
            backlogs: Vec::new(),
            live_retained: BTreeMap::new(),
        }
    }

    /// Sets a time to look whether the session or its Will is due, unless an earlier one is set.
    pub fn set_look(&mut self) {
        let due = self.expires_at_ms.into_iter().chain(self.will_at_ms).min();
        if let Some(at) = due.filter(|at| self.next_look_ms.is_none_or(|next| *at < next)) {
            self.next_look_ms = Some(at);
            self.looks_ms.push(at);
        }
    }

    /// The subscription in force for a filter.
    pub fn current(&mut self, spec: &SubSpec) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|one| {
            one.until.is_none() && one.spec.filter == spec.filter && one.spec.group == spec.group
        })
    }

    /// Subscriptions that were in force at some moment of the message's window, for themselves
    /// (`grouped` false) or in groups, if the Client may be sent it. `own`: the number of this
    /// session.
    pub fn may(
        &self,
        own: usize,
        message: &Publication,
        settled: Moment,
        grouped: bool,
    ) -> impl Iterator<Item = &Subscription> {
        let denied = self.is_denied(message);
        self.matching(own, message, settled, grouped).filter(move |_| !denied)
    }

    /// Those of [`Session::may`] that were in force throughout.
    pub fn must<'a>(
        &'a self,
        own: usize,
        message: &'a Publication,
        settled: Moment,
        grouped: bool,
    ) -> impl Iterator<Item = &'a Subscription> {
        let denied = self.is_denied(message);
        self.throughout(own, message, settled, grouped).filter(move |_| !denied)
    }

    pub fn is_denied(&self, message: &Publication) -> bool {
        message.denied.contains(&self.client)
    }

    /// [`Session::may`], whatever the Client may be sent.
    pub fn matching(
        &self,
        own: usize,
        message: &Publication,
        settled: Moment,
        grouped: bool,
    ) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.iter().filter(move |one| {
            one.spec.group.is_some() == grouped
                && one.from <= settled
                && one.until.is_none_or(|until| until >= message.from)
                && matches(&one.spec.filter, &message.topic)
                && !(one.spec.no_local && message.publisher == own)
        })
    }

    /// [`Session::must`], whatever the Client may be sent.
    pub fn throughout<'a>(
        &'a self,
        own: usize,
        message: &'a Publication,
        settled: Moment,
        grouped: bool,
    ) -> impl Iterator<Item = &'a Subscription> {
        self.matching(own, message, settled, grouped)
            .filter(move |one| one.from < message.from && one.until.is_none_or(|at| at > settled))
            .filter(move |_| self.ended.is_none_or(|at| at > settled))
    }

    /// Copies of a message that can only have been live ones, and those that may have been.
    pub fn copies(&self, mid: u32) -> (u32, u32) {
        let answers = self.answers.values().flatten();
        let either = answers.filter(|one| one.live && one.mid == mid).count() as u32;
        (self.copies.get(&mid).map_or(0, |count| *count), either)
    }

    pub fn add_backlog(&mut self, load: Load, at: Moment) {
        self.backlog.messages += load.messages;
        self.backlog.bytes += load.bytes;
        self.backlogs.push((at, self.backlog));
    }

    /// The largest backlog of a window, each figure for itself.
    pub fn backlog_within(&self, from: Moment, to: Moment) -> Load {
        let first = self.backlogs.partition_point(|(at, _)| *at < from);
        let before = first.checked_sub(1).map_or(Load::default(), |index| self.backlogs[index].1);
        let within = self.backlogs[first..].iter().take_while(|(at, _)| *at <= to);
        within.fold(before, |most, (_, one)| Load {
            messages: most.messages.max(one.messages),
            bytes: most.bytes.max(one.bytes),
        })
    }

    /// The smallest Maximum Packet Size in force at or after `from`.
    pub fn smallest_packet(&self, from: Moment) -> u32 {
        let last_before = self.sizes.partition_point(|(at, _)| *at <= from).saturating_sub(1);
        self.sizes[last_before..].iter().map(|(_, size)| *size).min().unwrap_or(u32::MAX)
    }

    pub fn exchange(&mut self, id: u16) -> Option<&mut Exchange> {
        self.exchanges.iter_mut().find(|one| one.id == id)
    }
}

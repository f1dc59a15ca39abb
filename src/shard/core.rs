//! A shard's state, apart from its connections' machines.

use std::rc::Rc;

use hashbrown::HashMap;

use super::access::AccessTable;
use super::retain::Retained;
use super::route::{Gathered, Route};
use super::{Command, Settings, Shared};
use crate::auth::Policies;
use crate::config::Runtime;
use crate::connection::{Close, DeliverLimits, Event, Link, Shapes, Wants};
use crate::metrics::{DropReason, ShardMetrics};
use crate::router::{Matches, RetainedStore, Stamp, SubscriptionTable, TopicCache};
use crate::session::{QueueFull, QueueLimits, Session};
use crate::sync::Arc;
use crate::util::{BufPool, GenSlab, Key, Limits, Now, Rng, Wheel};

/// Unflushed output, in bytes over all connections, at which the driver flushes at once instead
/// of at the end of the turn: what a turn can pile up stays bounded.
pub(super) const UNFLUSHED_MAX: usize = 1 << 20;

/// Topics whose routes a shard remembers.
const TOPIC_CACHE: usize = 16 * 1024;

/// Weight of an outbox at which it is pushed at once.
const OUTBOX_MAX: usize = 1 << 20;

/// Deliveries that one connection's messages may cause in a turn before others go first.
pub(super) const DELIVERIES_MAX: usize = 16 * 1024;

/// Output buffers kept for later use, and the largest of them, in bytes.
const POOL: (usize, usize) = (256, 64 * 1024);

/// What a timer is for. Timers are not cancelled: whoever is due checks its own deadline.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    /// CONNECT awaited, or Keep Alive.
    Connection(Key),
    /// Will Delay or Session Expiry.
    Session(Key),
    /// Look for expired Retained Messages.
    RetainedSweep,
}

/// Mail for another shard, sent once a turn.
#[derive(Default)]
pub(super) struct Outbox {
    commands: Vec<Command>,
    weight: usize,
    /// The other shard's mailbox was over its high-water mark when last looked at.
    pub(super) congested: bool,
}

/// See the module [`crate::shard`].
pub struct Core {
    pub(super) id: u16,
    pub(super) now: Now,
    pub(super) config: Arc<Runtime>,
    pub(super) policies: Arc<Policies>,
    pub(super) access: AccessTable,
    pub(super) settings: Arc<Settings>,
    pub(super) limits: DeliverLimits,
    pub(super) wants: Wants,
    pub(super) shared: Arc<Shared>,
    pub(super) links: GenSlab<Link>,
    pub(super) sessions: GenSlab<Session>,
    pub(super) table: SubscriptionTable<Key>,
    pub(super) routes: TopicCache<Rc<Route>, Stamp>,
    pub(super) matches: Matches,
    pub(super) shapes: Shapes,
    pub(super) gathered: Vec<Gathered>,
    pub(super) gathering: u32,
    pub(super) group_turn: u64,
    pub(super) retained: RetainedStore<Retained>,
    /// How many of those are the broker's own, below `$SYS`.
    pub(super) retained_own: u32,
    pub(super) sweep_after: Option<Box<str>>,
    pub(super) sweep_set: bool,
    /// Topics with messages on their way through their owner, by hash, with how many: later
    /// messages of those topics take the same way, or they would overtake.
    pub(super) via_owner: HashMap<u64, u32, foldhash::fast::FixedState>,
    pub(super) timers: Wheel<Timer>,
    pub(super) outboxes: Vec<Outbox>,
    /// Output buffers in waiting.
    pub(super) pool: BufPool,
    pub(super) dirty: Vec<Key>,
    /// Connections that the core has ended; the engine closes them.
    pub(super) ended: Vec<(Key, Close)>,
    pub(super) events: Vec<Event>,
    /// Packets handled for the connection being served.
    pub(super) packets: usize,
    /// Deliveries made for it.
    pub(super) deliveries: usize,
    /// Bytes added to output buffers since the last flush, about.
    pub(super) unflushed: usize,
    /// The connection being served has fed a shard that is behind.
    pub(super) fed_congested: bool,
    pub(super) draining: bool,
    pub(super) rng: Rng,
    /// Replays begun.
    pub(super) replays: u64,
    /// Answers to shards whose topics this one owns; they leave after all other mail.
    pub(super) answers: Vec<(u16, Command)>,
    /// Commits begun.
    pub(super) commits: u64,
    /// Checks of passwords begun.
    pub(super) checks: u64,
    next_session: u64,
}

impl Core {
    pub(super) fn new(id: u16, shared: Arc<Shared>, settings: Arc<Settings>, now: Now) -> Self {
        let config = Arc::clone(&settings.runtime);
        let outboxes = (0..shared.shards()).map(|_| Outbox::default()).collect();
        let seed = shared.topic_hash("seed") ^ u64::from(id);
        Self {
            id,
            now,
            limits: limits(&config, now, false),
            wants: Wants::default(),
            links: GenSlab::default(),
            sessions: GenSlab::default(),
            table: SubscriptionTable::new(id, Arc::clone(&shared.router)),
            routes: TopicCache::new(TOPIC_CACHE),
            matches: Matches::default(),
            shapes: Shapes::default(),
            gathered: Vec::new(),
            gathering: 0,
            group_turn: 0,
            retained: RetainedStore::default(),
            retained_own: 0,
            sweep_after: None,
            sweep_set: false,
            via_owner: HashMap::with_hasher(foldhash::fast::FixedState::default()),
            timers: Wheel::new(now.mono_ms),
            outboxes,
            pool: BufPool::new(POOL.0, POOL.1),
            dirty: Vec::new(),
            ended: Vec::new(),
            events: Vec::new(),
            packets: 0,
            deliveries: 0,
            unflushed: 0,
            fed_congested: false,
            draining: false,
            rng: Rng::new(seed),
            replays: 0,
            answers: Vec::new(),
            commits: 0,
            checks: 0,
            next_session: 0,
            policies: Arc::clone(&settings.policies),
            access: AccessTable::default(),
            config,
            settings,
            shared,
        }
    }

    pub(super) fn metrics(&self) -> &ShardMetrics {
        &self.shared.metrics[usize::from(self.id)]
    }

    pub(super) fn set_now(&mut self, now: Now) {
        debug_assert!(now.mono_ms >= self.now.mono_ms, "the clock is monotonic");
        self.now = now;
        self.limits.now_ms = now.mono_ms;
    }

    pub(super) fn apply(&mut self, settings: Arc<Settings>) {
        self.limits = limits(&settings.runtime, self.now, self.wants.messages);
        self.config = Arc::clone(&settings.runtime);
        self.policies = Arc::clone(&settings.policies);
        self.settings = settings;
    }

    /// A session id that no other session of the process has or had.
    pub(super) fn next_session_id(&mut self) -> u64 {
        self.next_session += 1;
        self.next_session * self.shared.shards() as u64 + u64::from(self.id)
    }

    pub(super) fn mark_dirty(&mut self, connection: Key) {
        if let Some(link) = self.links.get_mut(connection)
            && !link.dirty
        {
            link.dirty = true;
            self.dirty.push(connection);
        }
    }

    pub(super) fn count_sessions(&self) {
        let count = self.sessions.len() as i64;
        self.metrics().sessions.set(count);
        self.metrics().session_bytes.set(count * size_of::<Session>() as i64);
    }

    pub(super) fn count_drop(&self, reason: DropReason) {
        self.metrics().dropped(reason);
    }

    /// Puts a command into the outbox of another shard.
    pub(super) fn send(&mut self, shard: u16, command: Command) {
        debug_assert_ne!(shard, self.id);
        let outbox = &mut self.outboxes[usize::from(shard)];
        outbox.weight += command.weight();
        outbox.commands.push(command);
        if outbox.congested {
            self.fed_congested = true;
        }
        if outbox.weight > OUTBOX_MAX {
            self.post(shard);
        }
    }

    /// Pushes one outbox to its shard: one push, at most one wake.
    fn post(&mut self, shard: u16) {
        let outbox = &mut self.outboxes[usize::from(shard)];
        if outbox.commands.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut outbox.commands);
        let weight = std::mem::take(&mut outbox.weight);
        let mailbox = &self.shared.mailboxes[usize::from(shard)];
        let woke = mailbox.push(batch, weight);
        // A shard that is over its mark wakes this one when it has emptied its mailbox.
        outbox.congested =
            mailbox.over_high_water() && mailbox.register_waiter(usize::from(self.id));
        self.metrics().mailbox_pushes.increment();
        self.metrics().wakes_sent.add(u64::from(woke));
    }

    /// Pushes all outboxes; the end of a turn.
    ///
    /// Answers to topics' other users go last: they set those shards free to send past this one,
    /// so what they answer for has to be in every mailbox before.
    pub(super) fn post_all(&mut self) {
        for shard in 0..self.outboxes.len() as u16 {
            self.post(shard);
        }
        if self.answers.is_empty() {
            return;
        }
        for (shard, answer) in std::mem::take(&mut self.answers) {
            self.send(shard, answer);
        }
        for shard in 0..self.outboxes.len() as u16 {
            self.post(shard);
        }
    }

    /// Looks again at the mailboxes that were over their mark. True while one still is.
    pub(super) fn recheck_congestion(&mut self) -> bool {
        let own = usize::from(self.id);
        let mut any = false;
        for (outbox, mailbox) in self.outboxes.iter_mut().zip(&self.shared.mailboxes) {
            if outbox.congested {
                outbox.congested = mailbox.register_waiter(own);
                any |= outbox.congested;
            }
        }
        any
    }
}

/// The delivery limits of a configuration.
fn limits(config: &Runtime, now: Now, trace: bool) -> DeliverLimits {
    DeliverLimits {
        queue: QueueLimits {
            room: Limits {
                messages: unlimited_is_zero(config.session.queued_messages),
                bytes: unlimited_is_zero(config.session.queued_bytes),
            },
            policy: match config.session.queue_full {
                crate::config::QueueFullPolicy::DropNewest => QueueFull::DropNewest,
                crate::config::QueueFullPolicy::DropOldest => QueueFull::DropOldest,
                crate::config::QueueFullPolicy::Disconnect => QueueFull::Disconnect,
            },
        },
        qos0_buffer: usize::try_from(config.session.qos0_buffer_bytes).unwrap_or(usize::MAX),
        queue_qos0: config.session.queue_qos0,
        upgrade_qos: config.session.upgrade_qos,
        inflight_bytes: unlimited_is_zero(config.session.inflight_bytes),
        output_high_water: config.turn.output_high_water,
        trace,
        now_ms: now.mono_ms,
    }
}

/// The configuration says "unlimited" with its largest value, the rings with zero.
fn unlimited_is_zero(limit: u64) -> usize {
    if limit == crate::config::UNLIMITED { 0 } else { limit as usize }
}

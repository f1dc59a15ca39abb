//! The session itself.

use smallvec::SmallVec;

use super::{Inflight, Queue, ReceivedIds, Replay, Will};
use crate::protocol::Version;
use crate::sync::Arc;
use crate::util::{Key, Lazy};

/// Session Expiry Interval of a session that never expires [MQTT-3.1.2.11.2].
pub const NEVER_EXPIRES: u32 = u32::MAX;

/// A subscription as the session remembers it; its options stand in the shard's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionRef {
    /// An ordinary subscription: slot of its filter in the shard's subscription table.
    Filter(u32),
    /// A shared subscription: slot of its group in the same table.
    Group(u32),
}

/// See the module [`crate::session`].
#[derive(Debug)]
pub struct Session {
    /// Unique in the process for ever; names the publisher for No Local.
    pub id: u64,
    /// The ClientId, shared with the directory.
    pub client_id: Arc<str>,
    /// Messages waiting for the window or for the Client, oldest first.
    pub queue: Lazy<Queue>,
    /// The outgoing window.
    pub inflight: Lazy<Inflight>,
    /// Incoming QoS 2 exchanges.
    pub received: ReceivedIds,
    /// What it is subscribed to.
    pub subscriptions: SmallVec<[SubscriptionRef; 2]>,
    /// Will Message of the present connection, or of the last one while its delay runs.
    pub will: Option<Box<Will>>,
    /// Retained Messages being sent.
    pub replay: Option<Box<Replay>>,
    /// The connection that serves the session now.
    pub connection: Option<Key>,
    /// When the session ends, if it is disconnected and may end; monotonic ms.
    pub expires_at_ms: u64,
    /// When the Will is due, if its delay runs; monotonic ms.
    pub will_at_ms: u64,
    /// Earliest timer that is set for the session, so that at most one waits; monotonic ms.
    pub timer_ms: u64,
    /// Session Expiry Interval in seconds; [`NEVER_EXPIRES`] for no end.
    pub expiry_s: u32,
    /// The listener of the last connection: its rules hold for what comes while there is none.
    pub listener: u32,
    /// The log has said that messages for this session are being dropped.
    pub drop_noted: bool,
    /// Protocol version of the last connection.
    pub version: Version,
    /// Number of the publish that last gathered this session, and where in the gathering it
    /// stands: how overlapping subscriptions are merged without a lookup.
    pub gathered: (u32, u32),
}

impl Session {
    /// A session without connection or subscriptions.
    pub fn new(id: u64, client_id: Arc<str>, version: Version) -> Self {
        Self {
            id,
            client_id,
            queue: Lazy::default(),
            inflight: Lazy::default(),
            received: ReceivedIds::default(),
            subscriptions: SmallVec::new(),
            will: None,
            replay: None,
            connection: None,
            expires_at_ms: u64::MAX,
            will_at_ms: u64::MAX,
            timer_ms: u64::MAX,
            expiry_s: 0,
            listener: 0,
            drop_noted: false,
            version,
            gathered: (0, 0),
        }
    }

    /// Something waits for room on the connection.
    pub fn waits(&self) -> bool {
        self.replay.is_some() || !self.queue.is_empty() || self.inflight.has_resend()
    }

    /// When the session next needs attention while disconnected; `u64::MAX` for never.
    pub fn deadline_ms(&self) -> u64 {
        self.expires_at_ms.min(self.will_at_ms)
    }

    /// Remembers a subscription.
    pub fn remember(&mut self, subscription: SubscriptionRef) {
        debug_assert!(!self.subscriptions.contains(&subscription));
        self.subscriptions.push(subscription);
    }

    /// Forgets a subscription.
    pub fn forget(&mut self, subscription: SubscriptionRef) {
        if let Some(at) = self.subscriptions.iter().position(|other| *other == subscription) {
            self.subscriptions.swap_remove(at);
        }
    }
}

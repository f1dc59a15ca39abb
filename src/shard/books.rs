//! What sessions hold of messages, told to the gauges: read before a change, settled after it.

use crate::metrics::ShardMetrics;
use crate::session::Session;

/// What a session held before a change.
#[must_use]
pub(super) struct Books {
    queued: (usize, usize),
    inflight: Option<(usize, usize)>,
}

impl Books {
    /// Before a change.
    pub(super) fn open(session: &Session) -> Self {
        Self { inflight: Some(session.inflight.held()), ..Self::open_queue(session) }
    }

    /// Before a change that leaves the window alone, as all of QoS 0 do: it is not looked at,
    /// since it may be far away in memory.
    pub(super) fn open_queue(session: &Session) -> Self {
        Self { queued: (session.queue.len(), session.queue.bytes()), inflight: None }
    }

    /// After the change.
    pub(super) fn settle(self, session: &Session, metrics: &ShardMetrics) {
        if let Some(before) = self.inflight {
            metrics.inflight(before, session.inflight.held());
        }
        metrics.queued_messages.add(session.queue.len() as i64 - self.queued.0 as i64);
        metrics.queued_bytes.add(session.queue.bytes() as i64 - self.queued.1 as i64);
    }
}

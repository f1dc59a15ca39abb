//! One shard's set of values.

use std::array;

use crossbeam::utils::CachePadded;

use super::counters::{Counter, Gauge};
use super::drops::DropReason;
use super::names::for_each_metric;
use super::snapshot::Snapshot;

macro_rules! define_values {
    ($($kind:ident $name:ident $help:literal;)*) => {
        /// The values themselves; reached through [`ShardMetrics`].
        #[derive(Debug, Default)]
        pub struct Values {
            $(#[doc = $help] pub $name: $kind,)*
        }

        impl Values {
            /// All of them, in the order of the list, as 64 raw bits each.
            fn read(&self) -> [i64; super::snapshot::METRICS.len()] {
                [$(self.$name.get() as i64,)*]
            }
        }
    };
}

for_each_metric!(define_values);

/// What one shard counts. Written by its own thread, read by any.
///
/// Padded, so that no other thread's writes share its first and last cache lines.
#[derive(Debug)]
pub struct ShardMetrics {
    values: CachePadded<Values>,
    dropped: CachePadded<[Counter; DropReason::COUNT]>,
    packets: CachePadded<Packets<Counter>>,
}

/// Control Packets other than PUBLISH, which has counters of its own, by type as the fixed header
/// numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packets<T> {
    pub(super) received: [T; 16],
    pub(super) sent: [T; 16],
}

impl ShardMetrics {
    /// All values at zero.
    pub fn new() -> Self {
        Self {
            values: CachePadded::default(),
            dropped: CachePadded::new(array::from_fn(|_| Counter::default())),
            packets: CachePadded::default(),
        }
    }

    /// Counts one dropped message. Only the owning thread may call this.
    pub fn dropped(&self, reason: DropReason) {
        self.dropped[reason as usize].increment();
    }

    /// Counts `n` dropped messages. Only the owning thread may call this.
    pub fn dropped_many(&self, reason: DropReason, n: u64) {
        self.dropped[reason as usize].add(n);
    }

    /// Counts what has become of a window of messages in flight: how many, and their bytes. Only
    /// the owning thread may call this.
    pub fn inflight(&self, before: (usize, usize), after: (usize, usize)) {
        if before != after {
            self.inflight_messages.add(after.0 as i64 - before.0 as i64);
            self.inflight_bytes.add(after.1 as i64 - before.1 as i64);
        }
    }

    /// Counts a Control Packet received, by the number of its type (1 is CONNECT). Only the owning
    /// thread may call this.
    pub fn received(&self, packet_type: u8) {
        self.messages_received.increment();
        self.packets.received[usize::from(packet_type & 15)].increment();
    }

    /// Counts `n` Control Packets sent that are no PUBLISH; see [`Self::received`].
    pub fn sent(&self, packet_type: u8, n: u64) {
        self.messages_sent.add(n);
        self.packets.sent[usize::from(packet_type & 15)].add(n);
    }

    /// Reads every value, from any thread.
    pub fn snapshot(&self) -> Snapshot {
        let read = |counters: &[Counter; 16]| array::from_fn(|index| counters[index].get());
        let packets =
            Packets { received: read(&self.packets.received), sent: read(&self.packets.sent) };
        let dropped = array::from_fn(|index| self.dropped[index].get());
        Snapshot::new(self.values.read(), dropped, packets)
    }
}

impl Default for ShardMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::ops::Deref for ShardMetrics {
    type Target = Values;

    fn deref(&self) -> &Values {
        &self.values
    }
}

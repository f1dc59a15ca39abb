//! Values read at one time, to be summed over shards and exported.

use super::drops::DropReason;
use super::names::{Descriptor, Kind, for_each_metric};
use super::shard::Packets;

macro_rules! define_list {
    ($($kind:ident $name:ident $help:literal;)*) => {
        /// Every value of the list, in its order.
        pub(super) const METRICS: &[Descriptor] = &[
            $(Descriptor { name: stringify!($name), help: $help, kind: Kind::$kind },)*
        ];
    };
}

for_each_metric!(define_list);

/// The name under which all drop counters are exported, told apart by reason.
const DROPPED: &str = "messages_dropped";

/// All values of one shard, or their sum over several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    values: [i64; METRICS.len()],
    dropped: [u64; DropReason::COUNT],
    packets: Packets<u64>,
}

/// One exported value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its name; the same for all drop counters.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
    /// For a drop counter, its reason.
    pub reason: Option<DropReason>,
    /// The value. Counters wrap after 2^63.
    pub value: i64,
}

impl Snapshot {
    pub(super) fn new(
        values: [i64; METRICS.len()],
        dropped: [u64; DropReason::COUNT],
        packets: Packets<u64>,
    ) -> Self {
        Self { values, dropped, packets }
    }

    /// All values at zero, to merge into.
    pub fn zero() -> Self {
        Self::new([0; METRICS.len()], [0; DropReason::COUNT], Packets::default())
    }

    /// Adds another shard's values.
    pub fn merge(&mut self, other: &Self) {
        for (sum, value) in self.values.iter_mut().zip(other.values) {
            *sum = sum.wrapping_add(value);
        }
        for (sum, value) in self.dropped.iter_mut().zip(other.dropped) {
            *sum = sum.wrapping_add(value);
        }
        let ours = self.packets.received.iter_mut().chain(&mut self.packets.sent);
        for (sum, value) in ours.zip(other.packets.received.iter().chain(&other.packets.sent)) {
            *sum = sum.wrapping_add(*value);
        }
    }

    /// Every value with its description: the list first, then the drops by reason.
    pub fn iter(&self) -> impl Iterator<Item = Sample> + '_ {
        let listed = METRICS.iter().zip(self.values).map(|(metric, value)| Sample {
            name: metric.name,
            help: metric.help,
            kind: metric.kind,
            reason: None,
            value,
        });
        let dropped = DropReason::ALL.iter().zip(self.dropped).map(|(&reason, count)| Sample {
            name: DROPPED,
            help: reason.help(),
            kind: Kind::Counter,
            reason: Some(reason),
            value: count as i64,
        });
        listed.chain(dropped)
    }

    /// The value listed under `name`, if there is one. Compares names; not for a hot path.
    pub fn value(&self, name: &str) -> Option<i64> {
        METRICS.iter().position(|metric| metric.name == name).map(|index| self.values[index])
    }

    /// Messages dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Control Packets of a type received, PUBLISH excepted; 1 is CONNECT.
    pub fn packets_received(&self, packet_type: u8) -> u64 {
        self.packets.received[usize::from(packet_type & 15)]
    }

    /// Control Packets of a type sent, PUBLISH excepted.
    pub fn packets_sent(&self, packet_type: u8) -> u64 {
        self.packets.sent[usize::from(packet_type & 15)]
    }

    /// Messages dropped for any reason.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::{DropReason, Kind, ShardMetrics};
    use super::{METRICS, Snapshot};

    #[test]
    fn a_snapshot_has_each_value_under_its_own_name() {
        let metrics = ShardMetrics::new();
        metrics.bytes_received.add(7);
        metrics.turns.increment();
        metrics.connections.add(3);
        metrics.connections.add(-5);
        metrics.dropped(DropReason::Expired);
        metrics.dropped_many(DropReason::MemoryPressure, 4);
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.value("bytes_received"), Some(7));
        assert_eq!(snapshot.value("turns"), Some(1));
        assert_eq!(snapshot.value("connections"), Some(-2));
        assert_eq!(snapshot.value("bytes_sent"), Some(0));
        assert_eq!(snapshot.value("no_such_thing"), None);
        assert_eq!(snapshot.dropped(DropReason::Expired), 1);
        assert_eq!(snapshot.dropped_total(), 5);
    }

    #[test]
    fn merging_sums_shards_so_that_moved_connections_cancel_out() {
        let (from, to) = (ShardMetrics::new(), ShardMetrics::new());
        from.connections.add(1);
        to.connections.add(-1);
        to.dropped(DropReason::Expired);
        let mut sum = Snapshot::zero();
        sum.merge(&from.snapshot());
        sum.merge(&to.snapshot());
        assert_eq!(sum.value("connections"), Some(0));
        assert_eq!(sum.dropped_total(), 1);
    }

    #[test]
    fn names_differ_and_every_reason_is_exported() {
        let names: HashSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
        let snapshot = Snapshot::zero();
        let reasons: Vec<_> = snapshot.iter().filter_map(|sample| sample.reason).collect();
        assert_eq!(reasons, DropReason::ALL);
        assert!(snapshot.iter().all(|sample| !sample.help.is_empty()));
        assert!(snapshot.iter().any(|sample| sample.kind == Kind::Gauge));
    }
}

//! What was counted, and which flows broke their promise.

use serde::{Deserialize, Serialize};

use super::merge::Merge;

/// Counts of a whole run, warm-up and drain included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Application Messages written by publishers.
    pub sent: u64,
    /// Deliveries that had to happen: messages sent, times their subscribers.
    pub expected: u64,
    /// Deliveries seen, each once.
    pub delivered: u64,
    /// QoS 1 and 2 exchanges of publishers that were completed.
    pub acknowledged: u64,
    /// Deliveries that should have happened and did not.
    pub lost: u64,
    /// Deliveries that happened again.
    pub duplicated: u64,
    /// Deliveries that came after a later one of the same flow.
    pub reordered: u64,
    /// Deliveries whose payload was not the one sent.
    pub corrupted: u64,
    /// Messages that no publisher of this run sent to that subscriber.
    pub foreign: u64,
    /// Publications that were never acknowledged.
    pub unacknowledged: u64,
    /// Publications that the broker refused with a Reason Code.
    pub refused: u64,
    /// Times a publisher of a closed loop gave up on missing deliveries and went on.
    pub stalls: u64,
    /// Connections that were begun.
    pub connects: u64,
    /// Connections that got a CONNACK with success.
    pub connected: u64,
    /// Connections refused, or lost against the plan.
    pub connections_lost: u64,
    /// Connections that the broker left open although another one had taken over.
    #[serde(default)]
    pub left_open: u64,
    /// Subscriptions that got a SUBACK with success.
    pub subscribed: u64,
}

impl Merge for Counts {
    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.foreign += other.foreign;
        self.unacknowledged += other.unacknowledged;
        self.refused += other.refused;
        self.stalls += other.stalls;
        self.connects += other.connects;
        self.connected += other.connected;
        self.connections_lost += other.connections_lost;
        self.left_open += other.left_open;
        self.subscribed += other.subscribed;
    }
}

/// One flow, a publisher's messages as one subscriber sees them, that was not complete and in
/// order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenFlow {
    /// ClientId of the publisher.
    pub publisher: String,
    /// ClientId of the subscriber.
    pub subscriber: String,
    /// Topic Name.
    pub topic: String,
    /// QoS that the subscriber was granted.
    pub qos: u8,
    /// Messages that had to arrive.
    pub expected: u64,
    /// Messages that did not.
    pub lost: u64,
    /// Messages that came again.
    pub duplicated: u64,
    /// Messages that came after a later one.
    pub reordered: u64,
    /// Messages whose payload was not the one sent.
    pub corrupted: u64,
    /// The first ranges of sequence numbers that did not arrive, both ends included.
    pub missing: Vec<(u64, u64)>,
}

/// Deliveries to subscriptions of one QoS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QosCounts {
    /// QoS granted.
    pub qos: u8,
    /// Deliveries that had to happen.
    pub expected: u64,
    /// Deliveries seen, each once.
    pub delivered: u64,
    /// Deliveries that should have happened and did not.
    pub lost: u64,
    /// Deliveries that happened again.
    pub duplicated: u64,
    /// Deliveries that came after a later one of the same flow.
    pub reordered: u64,
    /// Deliveries whose payload was not the one sent.
    pub corrupted: u64,
}

/// Adds counts to those of the same QoS.
pub fn add_by_qos(mine: &mut Vec<QosCounts>, theirs: Vec<QosCounts>) {
    for add in theirs {
        match mine.iter_mut().find(|sum| sum.qos == add.qos) {
            Some(sum) => {
                sum.expected += add.expected;
                sum.delivered += add.delivered;
                sum.lost += add.lost;
                sum.duplicated += add.duplicated;
                sum.reordered += add.reordered;
                sum.corrupted += add.corrupted;
            }
            None => mine.push(add),
        }
    }
    mine.sort_by_key(|counts| counts.qos);
}

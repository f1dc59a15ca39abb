//! The commit point: the one place where PUBACK and PUBREC leave.
//!
//! They say that the broker has taken responsibility. Most messages are routed at once, and so is
//! their acknowledgement. One that went to the shard that owns its topic is not: the
//! acknowledgement waits for the owner's answer, so that whoever has seen it finds the message
//! retained. A store that has to answer first would make them wait here too.
//!
//! Acknowledgements leave in the order in which the messages came [MQTT-4.6.0-2], so one that is
//! ready waits behind one that is not.

use std::collections::VecDeque;

use super::{Host, Link, Traced, Way};
use crate::protocol::{PacketType, QoS, ReasonCode, encode_ack};
use crate::util::Key;

/// An acknowledgement that waits. Plain data.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    kind: PacketType,
    packet_id: u16,
    reason: ReasonCode,
    /// The answer that it waits for; 0 when it only waits for its turn.
    commit: u64,
}

/// The acknowledgements of one connection that wait, in the order of their messages.
#[derive(Debug, Default)]
pub struct CommitQueue(VecDeque<Waiting>);

impl CommitQueue {
    /// QoS 1 messages that are not acknowledged yet.
    pub(super) fn pubacks(&self) -> usize {
        self.0.iter().filter(|waiting| waiting.kind == PacketType::Puback).count()
    }
}

/// Acknowledges a message at once, or when `commit` (not 0) has been answered.
pub(super) fn acknowledge_message<H: Host>(
    host: &mut H,
    connection: Key,
    qos: QoS,
    packet_id: u16,
    reason: ReasonCode,
    commit: u64,
) {
    let kind = match qos {
        QoS::AtMostOnce => return,
        QoS::AtLeastOnce => PacketType::Puback,
        QoS::ExactlyOnce => PacketType::Pubrec,
    };
    let link = host.link(connection);
    if commit != 0 || link.commits.is_some() {
        let queue = link.commits.get_or_insert_default();
        queue.0.push_back(Waiting { kind, packet_id, reason, commit });
        return;
    }
    encode_ack(kind, link.version, packet_id, reason, link.out.bytes());
    host.sent(connection, kind);
    host.trace_link(connection, Way::Sending, || Traced::Ack { kind, packet_id, code: reason.0 });
}

/// Writes an acknowledgement that waits for nothing.
pub(super) fn acknowledge<H: Host>(
    host: &mut H,
    connection: Key,
    kind: PacketType,
    packet_id: u16,
    reason: ReasonCode,
) {
    let link = host.link(connection);
    encode_ack(kind, link.version, packet_id, reason, link.out.bytes());
    host.sent(connection, kind);
    host.trace_link(connection, Way::Sending, || Traced::Ack { kind, packet_id, code: reason.0 });
}

/// `commit` has been answered: writes every acknowledgement that is ready now; returns how many
/// PUBACKs and PUBRECs that were. `tell` is given each.
pub fn committed(link: &mut Link, commit: u64, mut tell: impl FnMut(Traced)) -> (u64, u64) {
    let Some(queue) = &mut link.commits else { return (0, 0) };
    if let Some(waiting) = queue.0.iter_mut().find(|waiting| waiting.commit == commit) {
        waiting.commit = 0;
    }
    let mut written = (0, 0);
    while let Some(&ready) = queue.0.front().filter(|waiting| waiting.commit == 0) {
        queue.0.pop_front();
        let out = link.out.bytes();
        encode_ack(ready.kind, link.version, ready.packet_id, ready.reason, out);
        tell(Traced::Ack { kind: ready.kind, packet_id: ready.packet_id, code: ready.reason.0 });
        match ready.kind {
            PacketType::Puback => written.0 += 1,
            _ => written.1 += 1,
        }
    }
    if queue.0.is_empty() {
        link.commits = None;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(packet_id: u16, commit: u64) -> Waiting {
        Waiting { kind: PacketType::Puback, packet_id, reason: ReasonCode::SUCCESS, commit }
    }

    #[test]
    fn acknowledgements_keep_the_order_of_their_messages() {
        let mut link = Link::default();
        let queue = CommitQueue([waiting(1, 7), waiting(2, 0), waiting(3, 8)].into());
        link.commits = Some(Box::new(queue));
        assert_eq!(committed(&mut link, 8, drop), (0, 0), "1 is not ready");
        assert_eq!(committed(&mut link, 7, drop), (3, 0));
        assert_eq!(*link.out.bytes(), [0x40, 2, 0, 1, 0x40, 2, 0, 2, 0x40, 2, 0, 3]);
        assert!(link.commits.is_none());
        assert_eq!(committed(&mut link, 7, drop), (0, 0));
    }
}

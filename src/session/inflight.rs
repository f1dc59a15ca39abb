//! The outgoing window: QoS 1 and 2 messages sent and not yet fully acknowledged.
//!
//! Slots stand in a deque in the order in which they were first sent, one slot for each
//! consecutive packet identifier, so an acknowledgement finds its slot by subtraction and a
//! resend walks from the front. A slot acknowledged out of order stays as a tombstone until
//! everything before it is done. A Client that leaves one exchange open while thousands pass
//! would fill the deque with tombstones; such an exchange is moved to the short list `stuck` in
//! front of the deque, and its identifier is skipped when numbering comes round to it.
//!
//! # Invariants
//! - The sequence `stuck` then `slots` is in the order of first sending.
//! - `slots` is at most about twice as long as there are open exchanges.
//! - The first of `slots` is never a tombstone.
//! - `resend` counts from the front of the sequence: what stands from there on was not yet sent
//!   on this connection.
//! - `quota_used` counts what stands before `resend` and holds a PUBLISH sent on this connection
//!   and not acknowledged [MQTT-4.9.0-1].

use std::collections::VecDeque;

use super::Delivery;
use crate::protocol::QoS;
use crate::util::Empty;

const PACKET_IDS: usize = 65_535;

/// One packet identifier's exchange.
#[derive(Debug)]
pub enum Slot {
    /// Fully acknowledged, kept only to preserve the numbering.
    Done,
    /// PUBLISH sent; PUBACK (QoS 1) or PUBREC (QoS 2) awaited.
    Published(Delivery),
    /// PUBREC received, PUBREL sent; PUBCOMP awaited. `counted` is false when the PUBLISH went
    /// out on an earlier connection, whose quota is gone.
    Released {
        /// Whether this exchange still holds a unit of this connection's send quota.
        counted: bool,
    },
}

/// What a PUBREC means for us.
#[derive(Debug)]
pub enum Received {
    /// First PUBREC: the message is released, send PUBREL.
    Release(Delivery),
    /// The exchange is already at PUBREL: send PUBREL again.
    Again,
    /// PUBREC with an error code: the exchange is over [MQTT-4.3.3-4].
    Refused(Delivery),
    /// No such packet identifier (0x92).
    Unknown,
}

/// What has to be sent again on a resumed session.
#[derive(Debug)]
pub enum Resend<'a> {
    /// PUBLISH with DUP = 1 and its first packet identifier [MQTT-4.4.0-1].
    Publish(u16, &'a Delivery),
    /// PUBREL with its first packet identifier.
    Pubrel(u16),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Inflight {
    stuck: Vec<(u16, Slot)>,
    slots: VecDeque<Slot>,
    /// Packet identifier of the first of `slots`; the next one to use when there is none.
    base: u16,
    quota_used: u16,
    /// Exchanges that are open.
    open: u16,
    /// Bytes held by unreleased messages.
    bytes: usize,
    resend: usize,
}

/// Where an exchange stands.
#[derive(Clone, Copy)]
enum At {
    Stuck(usize),
    Slot(usize),
}

impl Empty for Inflight {
    fn empty() -> &'static Self {
        static EMPTY: Inflight = Inflight::new();
        &EMPTY
    }
}

impl Default for Inflight {
    fn default() -> Self {
        Self::new()
    }
}

/// Tombstones tolerated beside as many open exchanges.
const SLACK: usize = 64;

impl Inflight {
    /// An empty window.
    pub const fn new() -> Self {
        Self {
            stuck: Vec::new(),
            slots: VecDeque::new(),
            base: 1,
            quota_used: 0,
            open: 0,
            bytes: 0,
            resend: 0,
        }
    }

    /// The packet identifier given last.
    pub fn newest(&self) -> u16 {
        advance(self.base, self.slots.len().saturating_sub(1))
    }

    /// PUBLISH packets of this connection that hold a unit of the send quota.
    pub fn quota_used(&self) -> u16 {
        self.quota_used
    }

    /// Bytes of the messages whose exchanges are open and not yet released.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True when no exchange is open.
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Number of open exchanges.
    pub fn len(&self) -> usize {
        usize::from(self.open)
    }

    /// The two together: open exchanges, and the bytes of messages that are kept for them.
    pub fn held(&self) -> (usize, usize) {
        (self.len(), self.bytes)
    }

    /// True when a packet identifier is free for a new message and nothing old waits for resend.
    ///
    /// With more than half of all identifiers in flight, the oldest has to be acknowledged before
    /// its number comes round again.
    pub fn can_push(&self) -> bool {
        self.stuck.len() + self.slots.len() < PACKET_IDS && !self.has_resend()
    }

    /// Opens an exchange for a message that is sent now; returns its packet identifier.
    ///
    /// The caller checks [`Self::can_push`] and its send quota first.
    pub fn push(&mut self, delivery: Delivery) -> u16 {
        debug_assert!(self.can_push());
        debug_assert!(delivery.qos != QoS::AtMostOnce);
        self.thin_out();
        let mut id = advance(self.base, self.slots.len());
        while self.stuck.iter().any(|(stuck, _)| *stuck == id) {
            if self.slots.is_empty() {
                self.base = advance(self.base, 1);
            } else {
                self.slots.push_back(Slot::Done);
            }
            id = advance(id, 1);
        }
        self.bytes += delivery.message.footprint();
        self.slots.push_back(Slot::Published(delivery));
        self.open += 1;
        self.resend = self.stuck.len() + self.slots.len();
        self.quota_used += 1;
        #[cfg(feature = "canary")]
        if crate::util::canary::Canary::ReusedPacketId.sings() {
            return advance(self.base, self.slots.len().saturating_sub(2));
        }
        id
    }

    /// Keeps the deque short: exchanges that hold up many tombstones get out of the way.
    fn thin_out(&mut self) {
        while self.slots.len() > 2 * usize::from(self.open) + SLACK {
            if let Some(slot) = self.slots.pop_front() {
                self.stuck.push((self.base, slot));
                self.base = advance(self.base, 1);
            }
            self.drop_front_tombstones();
        }
    }

    /// PUBACK. Returns the delivery that it ends; `None` when the identifier is not in use for
    /// a QoS 1 message.
    pub fn puback(&mut self, id: u16) -> Option<Delivery> {
        let at = self.find(id)?;
        match self.slot(at) {
            Slot::Published(delivery) if delivery.qos == QoS::AtLeastOnce => self.finish(at),
            _ => None,
        }
    }

    /// PUBREC; `failed` when it carries a reason code of 0x80 or more.
    pub fn pubrec(&mut self, id: u16, failed: bool) -> Received {
        let Some(at) = self.find(id) else { return Received::Unknown };
        match self.slot(at) {
            Slot::Published(delivery) if delivery.qos == QoS::ExactlyOnce => {}
            Slot::Released { .. } if !failed => return Received::Again,
            Slot::Released { .. } | Slot::Published(_) | Slot::Done => return Received::Unknown,
        }
        if failed {
            return self.finish(at).map_or(Received::Unknown, Received::Refused);
        }
        let counted = self.position(at) < self.resend;
        match std::mem::replace(self.slot_mut(at), Slot::Released { counted }) {
            Slot::Published(delivery) => {
                self.bytes -= delivery.message.footprint();
                Received::Release(delivery)
            }
            Slot::Done | Slot::Released { .. } => Received::Unknown,
        }
    }

    /// PUBCOMP. False when the identifier was not at that step.
    pub fn pubcomp(&mut self, id: u16) -> bool {
        let Some(at) = self.find(id) else { return false };
        if !matches!(self.slot(at), Slot::Released { .. }) {
            return false;
        }
        self.finish(at);
        true
    }

    /// A new connection begins: the quota is fresh and every open exchange is to be resent.
    pub fn start_connection(&mut self) {
        self.quota_used = 0;
        self.resend = 0;
        let stuck = self.stuck.iter_mut().map(|(_, slot)| slot);
        for slot in stuck.chain(&mut self.slots) {
            if let Slot::Released { counted } = slot {
                *counted = false;
            }
        }
    }

    /// True while exchanges of an earlier connection wait to be resent.
    pub fn has_resend(&self) -> bool {
        self.resend < self.stuck.len() + self.slots.len()
    }

    /// The next exchange to resend within `quota` messages in flight, in the order of first
    /// sending. `None` when there is none, or the quota is used up.
    pub fn next_resend(&mut self, quota: u16) -> Option<Resend<'_>> {
        while self.has_resend() && matches!(self.slot(self.at(self.resend)), Slot::Done) {
            self.resend += 1;
        }
        if !self.has_resend() {
            return None;
        }
        let at = self.at(self.resend);
        let id = match at {
            At::Stuck(index) => self.stuck[index].0,
            At::Slot(index) => advance(self.base, index),
        };
        if matches!(self.slot(at), Slot::Published(_)) {
            if self.quota_used >= quota {
                return None;
            }
            self.quota_used += 1;
        }
        self.resend += 1;
        match self.slot(at) {
            Slot::Published(delivery) => Some(Resend::Publish(id, delivery)),
            Slot::Released { .. } => Some(Resend::Pubrel(id)),
            Slot::Done => None,
        }
    }

    /// The messages that [`Self::next_resend`] has still to come to, with their packet identifiers.
    pub fn to_resend(&self) -> impl Iterator<Item = (u16, &Delivery)> {
        let slots = (0..).zip(&self.slots).map(|(at, slot)| (advance(self.base, at), slot));
        let all = self.stuck.iter().map(|(id, slot)| (*id, slot)).chain(slots);
        all.skip(self.resend).filter_map(|(id, slot)| match slot {
            Slot::Published(delivery) => Some((id, delivery)),
            Slot::Done | Slot::Released { .. } => None,
        })
    }

    /// Ends the exchange `id` without an acknowledgement: its message may no longer be sent
    /// (too large for the Client, expired).
    pub fn abandon(&mut self, id: u16) -> Option<Delivery> {
        let at = self.find(id)?;
        self.finish(at)
    }

    /// Takes out everything at the end of the session, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = Delivery> + use<> {
        let old = std::mem::take(self);
        let stuck = old.stuck.into_iter().map(|(_, slot)| slot);
        stuck.chain(old.slots).filter_map(|slot| match slot {
            Slot::Published(delivery) => Some(delivery),
            Slot::Done | Slot::Released { .. } => None,
        })
    }

    fn find(&self, id: u16) -> Option<At> {
        if id == 0 {
            return None;
        }
        let index = if id >= self.base {
            usize::from(id - self.base)
        } else {
            usize::from(id) + PACKET_IDS - usize::from(self.base)
        };
        if matches!(self.slots.get(index), Some(Slot::Published(_) | Slot::Released { .. })) {
            return Some(At::Slot(index));
        }
        self.stuck.iter().position(|(stuck, _)| *stuck == id).map(At::Stuck)
    }

    fn slot(&self, at: At) -> &Slot {
        match at {
            At::Stuck(index) => &self.stuck[index].1,
            At::Slot(index) => &self.slots[index],
        }
    }

    fn slot_mut(&mut self, at: At) -> &mut Slot {
        match at {
            At::Stuck(index) => &mut self.stuck[index].1,
            At::Slot(index) => &mut self.slots[index],
        }
    }

    /// Place in the sequence.
    fn position(&self, at: At) -> usize {
        match at {
            At::Stuck(index) => index,
            At::Slot(index) => self.stuck.len() + index,
        }
    }

    fn at(&self, position: usize) -> At {
        match position.checked_sub(self.stuck.len()) {
            None => At::Stuck(position),
            Some(index) => At::Slot(index),
        }
    }

    /// Ends an exchange that is open, gives back its quota and drops finished slots in front.
    fn finish(&mut self, at: At) -> Option<Delivery> {
        let sent = self.position(at) < self.resend;
        let slot = match at {
            At::Stuck(index) => {
                self.resend -= usize::from(sent);
                self.stuck.remove(index).1
            }
            At::Slot(index) => std::mem::replace(&mut self.slots[index], Slot::Done),
        };
        self.open -= 1;
        let (held, delivery) = match slot {
            Slot::Published(delivery) => {
                self.bytes -= delivery.message.footprint();
                (sent, Some(delivery))
            }
            Slot::Released { counted } => (counted, None),
            Slot::Done => (false, None),
        };
        self.quota_used -= u16::from(held);
        self.drop_front_tombstones();
        delivery
    }

    fn drop_front_tombstones(&mut self) {
        while matches!(self.slots.front(), Some(Slot::Done)) {
            self.slots.pop_front();
            self.base = advance(self.base, 1);
            self.resend -= usize::from(self.resend > self.stuck.len());
        }
        if self.slots.is_empty() && self.slots.capacity() > SLACK {
            self.slots = VecDeque::new();
        }
    }
}

/// The packet identifier `steps` after `id`; identifiers run from 1 to 65,535 and wrap.
fn advance(id: u16, steps: usize) -> u16 {
    let zero_based = (usize::from(id) - 1 + steps) % PACKET_IDS;
    zero_based as u16 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Message, MessageInit};
    use crate::session::SubscriptionIds;

    fn delivery(qos: QoS, text: &str) -> Delivery {
        let message = Message::new(MessageInit {
            topic: "t",
            payload: text.as_bytes(),
            qos,
            ..MessageInit::default()
        });
        Delivery {
            message,
            subscription_ids: SubscriptionIds::None,
            group: 0,
            replay: None,
            qos,
            retain: false,
        }
    }

    fn resent(window: &mut Inflight, quota: u16) -> Vec<(u16, String)> {
        let mut all = Vec::new();
        while let Some(resend) = window.next_resend(quota) {
            all.push(match resend {
                Resend::Publish(id, d) => {
                    (id, String::from_utf8_lossy(d.message.payload()).into_owned())
                }
                Resend::Pubrel(id) => (id, "PUBREL".to_owned()),
            });
        }
        all
    }

    #[test]
    fn acknowledgements_out_of_order_keep_identifiers_apart() {
        let mut window = Inflight::default();
        for expected in 1..=4 {
            assert_eq!(window.push(delivery(QoS::AtLeastOnce, "m")), expected);
        }
        assert!(window.puback(3).is_some());
        assert!(window.puback(3).is_none(), "acknowledged once");
        assert_eq!(window.quota_used(), 3);
        assert_eq!(window.push(delivery(QoS::AtLeastOnce, "m")), 5);
        assert!(window.puback(1).is_some());
        assert!(window.puback(2).is_some());
        assert_eq!(window.len(), 2, "4 and 5 are open");
        assert_eq!(window.quota_used(), 2);
    }

    #[test]
    fn identifiers_wrap_and_never_meet_an_open_one() {
        let mut window = Inflight::default();
        assert_eq!(window.push(delivery(QoS::AtLeastOnce, "stuck")), 1);
        assert_eq!(window.push(delivery(QoS::ExactlyOnce, "half done")), 2);
        assert!(matches!(window.pubrec(2, false), Received::Release(_)));
        for _ in 0..200_000u32 {
            assert!(window.can_push());
            let id = window.push(delivery(QoS::AtLeastOnce, "m"));
            assert!(id > 2, "1 and 2 are in flight");
            assert!(window.puback(id).is_some());
            assert!(window.slots.len() <= 2 * 3 + SLACK + 1, "tombstones are few");
        }
        assert_eq!((window.quota_used(), window.len()), (2, 2));
        window.start_connection();
        let again = [(1, "stuck".to_owned()), (2, "PUBREL".to_owned())];
        assert_eq!(resent(&mut window, 10), again);
        assert!(window.puback(1).is_some());
        assert!(window.pubcomp(2));
        assert!(window.is_empty());
        assert_eq!((window.quota_used(), window.bytes()), (0, 0));
        assert!(!window.has_resend());
    }

    #[test]
    fn every_identifier_can_be_in_flight() {
        let mut window = Inflight::default();
        for _ in 0..PACKET_IDS {
            window.push(delivery(QoS::AtLeastOnce, "m"));
        }
        assert!(!window.can_push());
        assert!(window.puback(30_000).is_some());
        assert!(!window.can_push(), "the oldest comes first");
        assert!(window.puback(1).is_some());
        assert!(window.can_push());
        assert_eq!(window.push(delivery(QoS::AtLeastOnce, "m")), 1);
    }

    #[test]
    fn a_resumed_session_resends_in_order_within_the_new_quota() {
        let mut window = Inflight::default();
        window.push(delivery(QoS::AtLeastOnce, "a"));
        window.push(delivery(QoS::ExactlyOnce, "b"));
        window.push(delivery(QoS::ExactlyOnce, "c"));
        assert!(matches!(window.pubrec(2, false), Received::Release(_)));
        window.start_connection();
        assert!(!window.can_push(), "nothing newer may overtake");
        assert_eq!(resent(&mut window, 1), [(1, "a".to_owned()), (2, "PUBREL".to_owned())]);
        assert!(window.puback(1).is_some());
        assert_eq!(resent(&mut window, 1), [(3, "c".to_owned())]);
        assert_eq!(window.quota_used(), 1);
        assert!(window.pubcomp(2));
        assert_eq!(window.quota_used(), 1, "the old exchange held no unit of the new quota");
        assert!(window.can_push());
    }

    #[test]
    fn qos_2_goes_through_its_steps() {
        let mut window = Inflight::default();
        let id = window.push(delivery(QoS::ExactlyOnce, "x"));
        assert!(window.puback(id).is_none(), "PUBACK does not answer QoS 2");
        assert!(!window.pubcomp(id), "PUBCOMP before PUBREC");
        assert!(matches!(window.pubrec(id, false), Received::Release(_)));
        assert!(matches!(window.pubrec(id, false), Received::Again));
        assert_eq!(window.quota_used(), 1, "held until PUBCOMP");
        assert!(window.pubcomp(id));
        assert_eq!(window.quota_used(), 0);
        assert!(matches!(window.pubrec(id, false), Received::Unknown));
        let id = window.push(delivery(QoS::ExactlyOnce, "y"));
        assert!(matches!(window.pubrec(id, true), Received::Refused(_)));
        assert!(window.is_empty());
    }

    #[test]
    fn an_acknowledgement_before_the_resend_takes_no_quota() {
        let mut window = Inflight::default();
        window.push(delivery(QoS::AtLeastOnce, "a"));
        window.push(delivery(QoS::AtLeastOnce, "b"));
        window.start_connection();
        assert!(window.puback(2).is_some(), "late acknowledgement of the old connection");
        assert_eq!(window.quota_used(), 0);
        assert_eq!(resent(&mut window, 10), [(1, "a".to_owned())]);
        assert!(window.can_push());
    }
}

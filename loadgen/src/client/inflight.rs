//! Publications whose acknowledgement is outstanding.

/// A packet identifier ring: an identifier's low bits are its slot.
///
/// Identifiers are given out in turn. A slot still taken means that the oldest exchange of that
/// slot is open, so the publisher has to wait: the ring is the bound on open exchanges.
#[derive(Debug)]
pub struct Inflight {
    slots: Box<[Slot]>,
    last_id: u16,
    open: usize,
    limit: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// 0: free.
    packet_id: u16,
    opened: Opened,
}

/// When an exchange was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The time of sending.
    pub sent_ns: u64,
    /// The message was due in the measurement window.
    pub in_window: bool,
}

impl Inflight {
    /// A ring for at most `limit` open exchanges.
    pub fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, 1 << 15);
        let slots = vec![Slot::default(); limit.next_power_of_two()].into();
        Self { slots, last_id: 0, open: 0, limit }
    }

    /// Lowers the bound to the Receive Maximum of the server [MQTT-3.3.4-7].
    pub fn limit_to(&mut self, receive_maximum: u16) {
        self.limit = self.limit.min(receive_maximum.into());
    }

    /// Open exchanges.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Most exchanges that may be open.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Forgets all open exchanges.
    pub fn clear(&mut self) {
        self.slots.fill(Slot::default());
        self.open = 0;
    }

    /// When an open exchange was opened.
    #[inline]
    pub fn opened(&self, packet_id: u16) -> Option<Opened> {
        let slot = &self.slots[usize::from(packet_id) & (self.slots.len() - 1)];
        (packet_id != 0 && slot.packet_id == packet_id).then_some(slot.opened)
    }

    /// Opens an exchange and returns its packet identifier; `None` while there is no room.
    #[inline]
    pub fn open_next(&mut self, opened: Opened) -> Option<u16> {
        if self.open >= self.limit {
            return None;
        }
        let packet_id = self.last_id.checked_add(1).unwrap_or(1);
        let mask = self.slots.len() - 1;
        let slot = &mut self.slots[usize::from(packet_id) & mask];
        if slot.packet_id != 0 {
            return None;
        }
        *slot = Slot { packet_id, opened };
        self.last_id = packet_id;
        self.open += 1;
        Some(packet_id)
    }

    /// Closes an exchange and returns when it was opened; `None` if it is not open.
    #[inline]
    pub fn close(&mut self, packet_id: u16) -> Option<Opened> {
        let mask = self.slots.len() - 1;
        let slot = &mut self.slots[usize::from(packet_id) & mask];
        if packet_id == 0 || slot.packet_id != packet_id {
            return None;
        }
        slot.packet_id = 0;
        self.open -= 1;
        Some(slot.opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sent_ns: u64) -> Opened {
        Opened { sent_ns, in_window: true }
    }

    #[test]
    fn the_bound_holds_and_is_given_back() {
        let mut inflight = Inflight::new(3);
        assert_eq!([1, 2, 3].map(|ns| inflight.open_next(at(ns))), [Some(1), Some(2), Some(3)]);
        assert_eq!(inflight.open_next(at(4)), None);
        assert_eq!(inflight.close(2), Some(at(2)));
        assert_eq!(inflight.close(2), None);
        assert_eq!(inflight.open_next(at(5)), Some(4));
        assert_eq!(inflight.open(), 3);
    }

    #[test]
    fn identifiers_never_repeat_while_open_and_never_are_zero() {
        let mut inflight = Inflight::new(64);
        for round in 0..200_000_u64 {
            let packet_id = inflight.open_next(at(round)).unwrap();
            assert_ne!(packet_id, 0);
            assert_eq!(inflight.close(packet_id), Some(at(round)));
        }
    }

    #[test]
    fn an_open_exchange_blocks_its_slot_only() {
        let mut inflight = Inflight::new(2);
        let first = inflight.open_next(at(0)).unwrap();
        for _ in 0..1 {
            let next = inflight.open_next(at(0)).unwrap();
            inflight.close(next);
        }
        assert_eq!(inflight.open_next(at(0)), None, "the ring came round to the open slot");
        inflight.close(first);
        assert!(inflight.open_next(at(0)).is_some());
    }

    #[test]
    fn receive_maximum_lowers_the_bound() {
        let mut inflight = Inflight::new(64);
        inflight.limit_to(1);
        assert!(inflight.open_next(at(0)).is_some());
        assert_eq!(inflight.open_next(at(0)), None);
    }
}

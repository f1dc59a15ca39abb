//! Packet identifiers of incoming QoS 2 messages between PUBLISH and PUBREL.
//!
//! The message itself was routed when its PUBLISH came first; only the identifier is kept, so
//! that a repeated PUBLISH is answered and not routed again [MQTT-4.3.3-10].

use crate::util::{Empty, Lazy};

/// A sorted set of packet identifiers; at most 65,535 of four bytes each, none when idle.
#[derive(Debug, Default)]
pub struct ReceivedIds(Lazy<Open>);

#[derive(Debug, Default)]
struct Open {
    exchanges: Vec<Exchange>,
    /// Exchanges whose PUBLISH came on the present connection.
    counted: u16,
}

#[derive(Debug)]
struct Exchange {
    id: u16,
    /// Its PUBLISH came on the present connection, last.
    counted: bool,
}

impl Empty for Open {
    fn empty() -> &'static Self {
        static EMPTY: Open = Open { exchanges: Vec::new(), counted: 0 };
        &EMPTY
    }
}

impl Open {
    fn find(&self, id: u16) -> Result<usize, usize> {
        self.exchanges.binary_search_by_key(&id, |exchange| exchange.id)
    }
}

impl ReceivedIds {
    /// Remembers `id`; false when it is already known, so the PUBLISH is a repetition.
    pub fn insert(&mut self, id: u16) -> bool {
        match self.0.find(id) {
            Ok(at) => {
                let open = &mut *self.0;
                let counted = std::mem::replace(&mut open.exchanges[at].counted, true);
                open.counted += u16::from(!counted);
                false
            }
            Err(at) => {
                self.0.exchanges.insert(at, Exchange { id, counted: true });
                self.0.counted += 1;
                true
            }
        }
    }

    /// True when a PUBLISH with `id` was received and not released.
    pub fn contains(&self, id: u16) -> bool {
        self.0.find(id).is_ok()
    }

    /// PUBREL: forgets `id`; false when it is not known (0x92).
    pub fn remove(&mut self, id: u16) -> bool {
        let Ok(at) = self.0.find(id) else { return false };
        let exchange = self.0.exchanges.remove(at);
        self.0.counted -= u16::from(exchange.counted);
        if self.0.exchanges.is_empty() {
            self.0 = Lazy::default();
        }
        true
    }

    /// A new connection begins: the Receive Maximum is that of each connection, so what was
    /// received on an earlier one does not count (Receive Maximum, section 3.2.2.3.3).
    pub fn start_connection(&mut self) {
        if self.0.counted > 0 {
            let open = &mut *self.0;
            open.counted = 0;
            open.exchanges.iter_mut().for_each(|exchange| exchange.counted = false);
        }
    }

    /// How many open exchanges count against the Receive Maximum of the present connection.
    pub fn counted(&self) -> usize {
        self.0.counted.into()
    }

    /// Whether the exchange is open and counts against it already.
    pub fn is_counted(&self, id: u16) -> bool {
        self.0.find(id).is_ok_and(|at| self.0.exchanges[at].counted)
    }

    /// How many exchanges are open.
    pub fn len(&self) -> usize {
        self.0.exchanges.len()
    }

    /// True when none is open.
    pub fn is_empty(&self) -> bool {
        self.0.exchanges.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_until_released_and_owns_nothing_when_empty() {
        let mut ids = ReceivedIds::default();
        assert!(ids.insert(10));
        assert!(ids.insert(3));
        assert!(!ids.insert(10));
        assert!(ids.contains(3));
        assert!(ids.remove(10));
        assert!(!ids.remove(10));
        assert_eq!(ids.len(), 1);
        assert!(ids.remove(3));
        assert_eq!(ids.0.exchanges.capacity(), 0);
    }

    #[test]
    fn what_came_on_an_earlier_connection_counts_when_it_comes_again() {
        let mut ids = ReceivedIds::default();
        ids.insert(1);
        ids.insert(2);
        ids.start_connection();
        assert_eq!((ids.counted(), ids.len()), (0, 2));
        ids.insert(3);
        assert!(!ids.insert(2));
        assert!(!ids.insert(2));
        assert_eq!(ids.counted(), 2);
        assert!(ids.is_counted(2) && !ids.is_counted(1));
        ids.remove(1);
        ids.remove(2);
        assert_eq!((ids.counted(), ids.len()), (1, 1));
    }
}

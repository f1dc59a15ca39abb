//! Packet identifiers of incoming QoS 2 messages between PUBLISH and PUBREL.
//!
//! The message itself was routed when its PUBLISH came first; only the identifier is kept, so
//! that a repeated PUBLISH is answered and not routed again [MQTT-4.3.3-10].

use crate::util::Lazy;

/// A sorted set of packet identifiers; at most 65,535 of two bytes each, none when idle.
#[derive(Debug, Default)]
pub struct ReceivedIds(Lazy<Vec<u16>>);

impl ReceivedIds {
    /// Remembers `id`; false when it is already known, so the PUBLISH is a repetition.
    pub fn insert(&mut self, id: u16) -> bool {
        match self.0.binary_search(&id) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, id);
                true
            }
        }
    }

    /// True when a PUBLISH with `id` was received and not released.
    pub fn contains(&self, id: u16) -> bool {
        self.0.binary_search(&id).is_ok()
    }

    /// PUBREL: forgets `id`; false when it is not known (0x92).
    pub fn remove(&mut self, id: u16) -> bool {
        let Ok(at) = self.0.binary_search(&id) else { return false };
        self.0.remove(at);
        if self.0.is_empty() {
            self.0 = Lazy::default();
        }
        true
    }

    /// How many exchanges are open.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when none is open.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
        assert_eq!(ids.0.capacity(), 0);
    }
}

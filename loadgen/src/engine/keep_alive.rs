//! When each client has to send its next PINGREQ.

use std::collections::VecDeque;

/// Bytes of one client's place.
pub const ENTRY_BYTES: usize = size_of::<Entry>();

/// Clients of a group in the order in which their Keep Alive runs out. The interval is the same
/// for all of them, so a queue is in order by itself.
#[derive(Debug, Default)]
pub struct KeepAlive {
    interval_ns: u64,
    queue: VecDeque<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    due_ns: u64,
    seat: u32,
    /// Which connection of the seat is meant.
    dial: u32,
}

impl KeepAlive {
    /// A queue for a Keep Alive of `interval_ns`; 0 for none.
    pub fn new(interval_ns: u64) -> Self {
        Self { interval_ns, queue: VecDeque::new() }
    }

    /// A connection stands, or has just sent a PINGREQ.
    pub fn push(&mut self, seat: usize, dial: u32, now_ns: u64) {
        if self.interval_ns > 0 {
            let due_ns = now_ns + self.interval_ns;
            self.queue.push_back(Entry { due_ns, seat: seat as u32, dial });
        }
    }

    /// When the next one is due.
    pub fn next_ns(&self) -> Option<u64> {
        self.queue.front().map(|entry| entry.due_ns)
    }

    /// The next one that is due: seat and connection.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<(usize, u32)> {
        self.queue.front().filter(|entry| entry.due_ns <= now_ns)?;
        self.queue.pop_front().map(|entry| (entry.seat as usize, entry.dial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_due_one_interval_later() {
        let mut keep_alive = KeepAlive::new(10);
        keep_alive.push(7, 1, 100);
        keep_alive.push(8, 1, 105);
        assert_eq!(keep_alive.next_ns(), Some(110));
        assert_eq!(keep_alive.pop_due(112), Some((7, 1)));
        assert_eq!(keep_alive.pop_due(112), None);
        let mut none = KeepAlive::new(0);
        none.push(7, 1, 100);
        assert_eq!(none.next_ns(), None);
    }
}

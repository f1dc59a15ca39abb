//! Which connection is opened next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Connections to be opened: at first in the order of the seats, as far as they are allowed;
/// later those that come back, when their time has come.
#[derive(Debug)]
pub struct Opener {
    /// Seats that connect at the beginning, in order.
    order: Vec<u32>,
    next: usize,
    /// Seats that come back, and when.
    returning: BinaryHeap<Reverse<(u64, u32)>>,
    /// Handshakes under way.
    pending: usize,
    /// Most of them.
    window: usize,
}

impl Opener {
    /// An opener for the seats in `order` with at most `window` handshakes under way.
    pub fn new(order: Vec<u32>, window: usize) -> Self {
        Self { order, next: 0, returning: BinaryHeap::new(), pending: 0, window }
    }

    /// Seats that connect at the beginning.
    pub fn count(&self) -> usize {
        self.order.len()
    }

    /// How many of them were begun.
    pub fn begun(&self) -> usize {
        self.next
    }

    /// The seat whose connection is `index`-th at the beginning.
    pub fn seat(&self, index: usize) -> usize {
        self.order[index] as usize
    }

    /// The next seat to open, if `allowed` of the first ones may be open by now.
    pub fn next(&mut self, allowed: usize, now_ns: u64) -> Option<usize> {
        if self.pending >= self.window {
            return None;
        }
        if self.returning.peek().is_some_and(|Reverse((at, _))| *at <= now_ns) {
            return self.returning.pop().map(|Reverse((_, seat))| seat as usize);
        }
        if self.next < allowed.min(self.order.len()) {
            self.next += 1;
            return Some(self.order[self.next - 1] as usize);
        }
        None
    }

    /// A seat comes back at `at_ns`.
    pub fn come_back(&mut self, seat: usize, at_ns: u64) {
        self.returning.push(Reverse((at_ns, seat as u32)));
    }

    /// When the next one comes back, if there is room for it.
    pub fn next_ns(&self) -> Option<u64> {
        let next = self.returning.peek().map(|Reverse((at, _))| *at);
        next.filter(|_| self.pending < self.window)
    }

    /// A handshake was begun.
    pub fn begin(&mut self) {
        self.pending += 1;
    }

    /// A handshake is over, with or without success.
    pub fn end(&mut self) {
        self.pending -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_and_the_window_hold() {
        let mut opener = Opener::new(vec![4, 5, 6], 2);
        assert_eq!(opener.next(2, 0), Some(4));
        opener.begin();
        assert_eq!(opener.next(2, 0), Some(5));
        opener.begin();
        assert_eq!(opener.next(3, 0), None, "two are under way");
        opener.end();
        assert_eq!(opener.next(2, 0), None, "two are allowed");
        assert_eq!(opener.next(3, 0), Some(6));
    }

    #[test]
    fn who_comes_back_waits_for_the_time() {
        let mut opener = Opener::new(vec![0, 1], 8);
        opener.come_back(1, 50);
        opener.come_back(0, 20);
        assert_eq!(opener.next_ns(), Some(20));
        assert_eq!(opener.next(0, 30), Some(0));
        assert_eq!(opener.next(0, 30), None);
        assert_eq!(opener.next(0, 50), Some(1));
    }
}

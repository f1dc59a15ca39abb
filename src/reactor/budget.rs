//! Fairness: how much one connection may have done before the others get their turn.

/// What is left of one connection's share of a turn.
///
/// A connection that exhausts it must put itself on the run queue: with edge-triggered readiness
/// nothing else will bring it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    bytes: usize,
    packets: usize,
}

impl Budget {
    /// A share of `bytes` read and `packets` handled.
    pub const fn new(bytes: usize, packets: usize) -> Self {
        Self { bytes, packets }
    }

    /// Takes what was done off. Overdrawing by the last read or packet is allowed.
    pub fn spend(&mut self, bytes: usize, packets: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.packets = self.packets.saturating_sub(packets);
    }

    /// Whether either part is used up.
    pub const fn is_exhausted(&self) -> bool {
        self.bytes == 0 || self.packets == 0
    }

    /// Bytes that may still be read. A read limited to this is not a short read in the sense of
    /// the readiness contract.
    pub const fn bytes_left(&self) -> usize {
        self.bytes
    }

    /// Packets that may still be handled.
    pub const fn packets_left(&self) -> usize {
        self.packets
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn either_part_ends_it() {
        let mut few_large = Budget::new(100, 10);
        few_large.spend(99, 1);
        assert!(!few_large.is_exhausted());
        assert_eq!((few_large.bytes_left(), few_large.packets_left()), (1, 9));
        few_large.spend(500, 1);
        assert!(few_large.is_exhausted());

        let mut many_small = Budget::new(100, 2);
        many_small.spend(2, 1);
        assert!(!many_small.is_exhausted());
        many_small.spend(2, 1);
        assert!(many_small.is_exhausted());
    }

    #[test]
    fn nothing_to_spend_is_exhausted_from_the_start() {
        assert!(Budget::new(0, 1).is_exhausted());
        assert!(Budget::new(1, 0).is_exhausted());
    }
}

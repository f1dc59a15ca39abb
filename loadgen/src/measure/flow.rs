//! Gaps, duplicates and disorder in one flow as one subscriber sees it.

use std::ops::Range;

/// Most gaps remembered at once; older ones are taken for lost, so a late message that would have
/// filled one counts as a duplicate.
const MAX_GAPS: usize = 1024;

/// Follows the sequence numbers of one publisher at one subscriber.
///
/// Sequence numbers are compared as distances, so they may wrap. Loss is not counted here: it is
/// what the publisher sent less [`FlowTracker::unique`], which is only final when the run is over.
#[derive(Debug, Default)]
pub struct FlowTracker {
    next: u32,
    received: u64,
    duplicates: u64,
    reordered: u64,
    gaps: Vec<Range<u32>>,
}

impl FlowTracker {
    /// Takes note of one message; `false` if it was seen before.
    #[inline]
    pub fn record(&mut self, sequence: u32) -> bool {
        self.received += 1;
        if sequence == self.next {
            self.next = self.next.wrapping_add(1);
            return true;
        }
        self.out_of_turn(sequence)
    }

    #[cold]
    fn out_of_turn(&mut self, sequence: u32) -> bool {
        if (sequence.wrapping_sub(self.next) as i32) > 0 {
            if self.gaps.len() == MAX_GAPS {
                self.gaps.remove(0);
            }
            self.gaps.push(self.next..sequence);
            self.next = sequence.wrapping_add(1);
            return true;
        }
        let late = self.fill(sequence);
        if late {
            self.reordered += 1;
        } else {
            self.duplicates += 1;
        }
        late
    }

    /// Takes `sequence` out of the gap that holds it; `false` if no gap does.
    fn fill(&mut self, sequence: u32) -> bool {
        let holds =
            |gap: &Range<u32>| sequence.wrapping_sub(gap.start) < gap.end.wrapping_sub(gap.start);
        let Some(index) = self.gaps.iter().position(holds) else { return false };
        let gap = self.gaps[index].clone();
        let (left, right) = (gap.start..sequence, sequence.wrapping_add(1)..gap.end);
        match (left.start == left.end, right.start == right.end) {
            (true, true) => drop(self.gaps.remove(index)),
            (true, false) => self.gaps[index] = right,
            (false, true) => self.gaps[index] = left,
            (false, false) => {
                self.gaps[index] = left;
                self.gaps.insert(index + 1, right);
            }
        }
        true
    }

    /// Messages seen, each counted once.
    pub fn unique(&self) -> u64 {
        self.received - self.duplicates
    }

    /// The first ranges of messages that others overtook, both ends included.
    pub fn missing(&self) -> impl Iterator<Item = (u64, u64)> {
        let ends = |gap: &Range<u32>| (gap.start.into(), gap.end.wrapping_sub(1).into());
        self.gaps.iter().map(ends)
    }

    /// Messages seen again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Messages that came after a later one.
    pub fn reordered(&self) -> u64 {
        self.reordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(sequence: impl IntoIterator<Item = u32>) -> FlowTracker {
        let mut tracker = FlowTracker::default();
        for number in sequence {
            tracker.record(number);
        }
        tracker
    }

    fn counts(tracker: &FlowTracker) -> (u64, u64, u64) {
        (tracker.unique(), tracker.duplicates(), tracker.reordered())
    }

    #[test]
    fn an_ordered_flow_is_clean() {
        assert_eq!(counts(&follow(0..1000)), (1000, 0, 0));
    }

    #[test]
    fn a_gap_leaves_fewer_messages_and_nothing_else() {
        assert_eq!(counts(&follow([0, 1, 5, 6])), (4, 0, 0));
    }

    #[test]
    fn a_message_seen_twice_is_a_duplicate() {
        assert_eq!(counts(&follow([0, 1, 1, 2, 0])), (3, 2, 0));
    }

    #[test]
    fn a_late_message_fills_its_gap_once() {
        assert_eq!(counts(&follow([0, 3, 2, 1, 2])), (4, 1, 2));
        assert_eq!(counts(&follow([4, 2, 0, 1, 3])), (5, 0, 4));
    }

    #[test]
    fn a_flow_may_begin_with_a_gap() {
        assert_eq!(counts(&follow([2, 3])), (2, 0, 0));
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut tracker = FlowTracker { next: u32::MAX - 1, ..FlowTracker::default() };
        for sequence in [u32::MAX - 1, 1, u32::MAX, 0, 2, 1] {
            tracker.record(sequence);
        }
        assert_eq!(counts(&tracker), (5, 1, 2));
    }

    #[test]
    fn remembered_gaps_are_bounded() {
        let tracker = follow((0..10_000).map(|index| index * 2 + 1));
        assert_eq!(tracker.gaps.len(), MAX_GAPS);
        assert_eq!(tracker.unique(), 10_000);
    }
}

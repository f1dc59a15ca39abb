//! Notices which publishers of an open loop are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::client::{Kind, Progress, Schedule};
use crate::scenario::Arrivals;

/// The publishers of one group on one thread.
#[derive(Debug)]
pub struct Pacer {
    kind: Arc<Kind>,
    /// Their positions in the group, ascending, and their seats.
    locals: Box<[(u32, u32)]>,
    turn: Turn,
}

#[derive(Debug)]
enum Turn {
    /// Even arrivals come in the order of positions, round after round.
    Round(u64),
    /// Random arrivals are kept in a heap: when, and which of `locals`.
    Heap(BinaryHeap<Reverse<(u64, u32)>>, Vec<Progress>),
}

impl Pacer {
    /// A pacer for the publishers at `locals`; `None` if their loop is closed.
    pub fn new(kind: &Arc<Kind>, locals: Vec<(u32, u32)>) -> Option<Self> {
        kind.schedule.as_ref()?;
        let mut pacer =
            Self { kind: Arc::clone(kind), locals: locals.into(), turn: Turn::Round(0) };
        pacer.restart();
        Some(pacer)
    }

    fn schedule(&self) -> Option<&Schedule> {
        self.kind.schedule.as_ref()
    }

    /// Begins anew.
    pub fn restart(&mut self) {
        let Some(schedule) = &self.kind.schedule else { return };
        self.turn = match schedule.arrivals {
            Arrivals::Poisson => {
                let begin = |(client, _): &(u32, u32)| schedule.begin(*client);
                let progress: Vec<_> = self.locals.iter().map(begin).collect();
                let due = |(at, progress)| Some(Reverse((schedule.due_ns(progress)?, at)));
                Turn::Heap((0..).zip(&progress).filter_map(due).collect(), progress)
            }
            _ => Turn::Round(0),
        };
    }

    /// When the next batch is due, ns after the start; `None` if there is none.
    pub fn next_ns(&mut self) -> Option<u64> {
        match &self.turn {
            Turn::Heap(heap, _) => heap.peek().map(|Reverse((due, _))| *due),
            Turn::Round(_) => self.next_in_round().map(|(_, due)| due),
        }
    }

    /// The next batch that is due by `since_start_ns` and before `until_ns`: its publisher's seat,
    /// and when it was due.
    pub fn pop_due(&mut self, since_start_ns: u64, until_ns: u64) -> Option<(usize, u64)> {
        let due = self.next_ns()?;
        if due > since_start_ns || due >= until_ns {
            return None;
        }
        match &mut self.turn {
            Turn::Round(cursor) => {
                let local = *cursor % self.locals.len() as u64;
                *cursor += 1;
                Some((self.locals[local as usize].1 as usize, due))
            }
            Turn::Heap(heap, progress) => {
                let Reverse((_, at)) = heap.pop()?;
                let (client, seat) = self.locals[at as usize];
                let own = &mut progress[at as usize];
                own.advance();
                let has_more = |index| self.kind.has_batch(client, index);
                let schedule = self.kind.schedule.as_ref()?;
                if let Some(next) = schedule.due_ns(own).filter(|_| has_more(own.index())) {
                    heap.push(Reverse((next, at)));
                }
                Some((seat as usize, due))
            }
        }
    }

    /// The next batch in the round, past the publishers that have sent all they may.
    fn next_in_round(&mut self) -> Option<(u64, u64)> {
        let count = self.locals.len() as u64;
        loop {
            let Turn::Round(cursor) = &mut self.turn else { return None };
            let (local, index) = (cursor.checked_rem(count)?, *cursor / count);
            let client = self.locals[local as usize].0;
            if self.kind.has_batch(client, index) {
                let due = self.schedule()?.due_even_ns(client, index)?;
                return Some((local, due));
            }
            // Shares of one limit differ by one message, so at most one round is passed over.
            if self.locals.iter().all(|(client, _)| !self.kind.has_batch(*client, index)) {
                return None;
            }
            *cursor += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, Share};
    use crate::scenario::{BUILTIN, Scenario, Setting};

    /// The pacer of the publishers `locals` among four, at 1000 messages a second.
    fn pacer(settings: &[&str], locals: &[u32]) -> Pacer {
        let mut given: Vec<Setting> = ["pairs=4", "rate=1000"].map(|s| s.parse().unwrap()).into();
        given.extend(settings.iter().map(|s| s.parse::<Setting>().unwrap()));
        let text = BUILTIN.iter().find(|builtin| builtin.name == "p2p").unwrap().text;
        let scenario = Scenario::read("p2p", text, &given).unwrap();
        let plan = Plan::new(Arc::new(scenario), Share::WHOLE).unwrap();
        let kind = Kind::all(&plan).pop().unwrap();
        Pacer::new(&kind, locals.iter().map(|&client| (client, client + 100)).collect()).unwrap()
    }

    fn due(pacer: &mut Pacer, until_ns: u64) -> Vec<(usize, u64)> {
        std::iter::from_fn(|| pacer.pop_due(u64::MAX, until_ns)).collect()
    }

    #[test]
    fn publishers_take_turns() {
        let due = due(&mut pacer(&["batch=2"], &[0, 1, 2, 3]), 8_000_001);
        let expected = [(100, 0), (101, 2), (102, 4), (103, 6), (100, 8)];
        assert_eq!(due, expected.map(|(seat, ms)| (seat, ms * 1_000_000)));
    }

    #[test]
    fn threads_share_one_schedule() {
        for arrivals in ["pub.arrivals=even", "pub.arrivals=poisson", "pub.arrivals=bursts of 3"] {
            let end = 100_000_000;
            let mut joined = due(&mut pacer(&[arrivals], &[0, 2]), end);
            joined.extend(due(&mut pacer(&[arrivals], &[1, 3]), end));
            let mut all = due(&mut pacer(&[arrivals], &[0, 1, 2, 3]), end);
            assert!(all.is_sorted_by_key(|&(_, at)| at));
            joined.sort_unstable();
            all.sort_unstable();
            assert_eq!(joined, all, "{arrivals}");
        }
    }

    #[test]
    fn the_limit_of_messages_ends_the_schedule() {
        for arrivals in ["pub.arrivals=even", "pub.arrivals=poisson"] {
            let mut pacer = pacer(&["run.messages=10", arrivals], &[0, 1, 2, 3]);
            assert_eq!(due(&mut pacer, u64::MAX).len(), 10);
            assert_eq!(pacer.next_ns(), None);
        }
    }

    #[test]
    fn what_is_not_due_yet_waits() {
        let mut pacer = pacer(&[], &[0]);
        assert_eq!(pacer.pop_due(0, u64::MAX), Some((100, 0)));
        assert_eq!(pacer.pop_due(3_999_999, u64::MAX), None);
        assert_eq!(pacer.next_ns(), Some(4_000_000));
        assert_eq!(pacer.pop_due(u64::MAX, 4_000_000), None, "the load ends before");
    }
}

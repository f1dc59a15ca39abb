//! Clients that come and go: churn, storms, takeovers.

use std::sync::Arc;

use crate::client::Kind;

/// What a group's clients do by themselves, on one thread.
#[derive(Debug)]
pub struct Course {
    kind: Arc<Kind>,
    /// Seats of the group on this thread. With takeovers those of second connections come behind,
    /// in the same order.
    seats: Vec<usize>,
    /// Events so far of churn and of takeovers.
    events: u64,
    storms: u32,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client leaves and comes back after a while.
    Leave {
        /// The client's seat.
        seat: usize,
        /// With a DISCONNECT.
        clean: bool,
        /// When it comes back, ns after the start.
        back_ns: u64,
    },
    /// One of two seats with the same ClientId takes over from the other.
    TakeOver {
        /// The seats.
        seats: [usize; 2],
    },
}

impl Course {
    /// The course of a group with `seats`; `None` if its clients stay.
    pub fn new(kind: &Arc<Kind>, seats: Vec<usize>) -> Option<Self> {
        let stays = !kind.group.comes_and_goes() || seats.is_empty();
        (!stays).then(|| Self { kind: Arc::clone(kind), seats, events: 0, storms: 0 })
    }

    /// Begins anew.
    pub fn restart(&mut self) {
        (self.events, self.storms) = (0, 0);
    }

    /// When the next event is, ns after the start.
    pub fn next_ns(&self) -> Option<u64> {
        let storm = self.storm_ns();
        let event = self.event_ns();
        storm.into_iter().chain(event).min()
    }

    /// The other seat with the same ClientId, if the group takes over.
    pub fn twin(&self, seat: usize) -> Option<usize> {
        if self.kind.group.takeover <= 0.0 {
            return None;
        }
        // The seats of a group follow each other on a thread.
        let at = seat.checked_sub(self.seats[0])?;
        self.seats.get((at + self.seats.len() / 2) % self.seats.len()).copied()
    }

    /// The seats with the same ClientId, if the group takes over.
    pub fn pairs(&self) -> impl Iterator<Item = [usize; 2]> {
        let pairs = if self.kind.group.takeover > 0.0 { self.seats.len() / 2 } else { 0 };
        (0..pairs).map(move |first| [self.seats[first], self.seats[first + pairs]])
    }

    /// The group.
    pub fn group(&self) -> usize {
        self.kind.index
    }

    fn rate(&self) -> f64 {
        let group = &self.kind.group;
        // This thread's share of the group's rate.
        let share = self.seats.len() as f64 / f64::from(group.seats());
        share * if group.takeover > 0.0 { group.takeover } else { group.churn }
    }

    fn event_ns(&self) -> Option<u64> {
        let rate = self.rate();
        (rate > 0.0).then(|| ((self.events + 1) as f64 / rate * 1e9) as u64)
    }

    fn storm_ns(&self) -> Option<u64> {
        let storm = self.kind.group.storm?;
        let later = match (self.storms, storm.every) {
            (0, _) => 0,
            (count, Some(every)) => every.as_nanos() as u64 * u64::from(count),
            (_, None) => return None,
        };
        Some(storm.at.as_nanos() as u64 + later)
    }

    /// What is due by `since_start_ns`.
    pub fn due(&mut self, since_start_ns: u64) -> Vec<Event> {
        if self.storm_ns().is_some_and(|at| at <= since_start_ns) {
            self.storms += 1;
            return self.storm(since_start_ns);
        }
        if self.event_ns().is_none_or(|at| at > since_start_ns) {
            return Vec::new();
        }
        let turn = self.events as usize;
        self.events += 1;
        if self.kind.group.takeover > 0.0 {
            let pairs = self.seats.len() / 2;
            let first = turn % pairs;
            return vec![Event::TakeOver { seats: [self.seats[first], self.seats[first + pairs]] }];
        }
        let pause = self.kind.group.churn_pause.as_nanos() as u64;
        let seat = self.seats[turn % self.seats.len()];
        let clean = self.kind.group.churn_clean;
        vec![Event::Leave { seat, clean, back_ns: since_start_ns + pause }]
    }

    fn storm(&self, now_ns: u64) -> Vec<Event> {
        let within = self.kind.group.storm.map_or(0, |storm| storm.within.as_nanos());
        let count = self.seats.len() as u128;
        let leave = |(index, &seat): (usize, &usize)| {
            let back_ns = now_ns + (within * index as u128 / count) as u64;
            Event::Leave { seat, clean: false, back_ns }
        };
        self.seats.iter().enumerate().map(leave).collect()
    }
}

//! One process's share of a scenario.

use std::collections::HashMap;
use std::sync::Arc;

use crate::scenario::{Scenario, Start};

use super::closed;
use super::expectations::Expectations;
use super::flows::Flows;

/// Which of several processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Share {
    /// Number of the process, from 0.
    pub part: u32,
    /// Processes.
    pub parts: u32,
}

/// A client's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seated {
    /// Group.
    pub group: u16,
    /// Thread.
    pub thread: u16,
    /// Position in the group; that of a takeover's second connection lies beyond the count.
    pub client: u32,
}

/// One process's share of a scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// Which share this is.
    pub share: Share,
    /// The flows of the whole scenario.
    pub flows: Arc<Flows>,
    /// What each subscriber of the whole scenario must hear.
    pub expectations: Arc<Expectations>,
    /// This process's clients in the order in which they connect.
    pub seats: Vec<Seated>,
    /// Of those, how many connect before the load.
    pub first: usize,
    /// For each group that publishes in a closed loop: whether its window is kept by
    /// acknowledgements alone, because subscribers live in other processes.
    pub by_acknowledgement: Vec<bool>,
}

impl Share {
    /// The only process.
    pub const WHOLE: Self = Self { part: 0, parts: 1 };

    /// Whether a client is this process's. Clients of the same position in their groups meet.
    pub fn has(self, client: u32) -> bool {
        client % self.parts == self.part
    }
}

impl Plan {
    /// The share of a scenario.
    ///
    /// # Errors
    /// If the scenario has too many flows, or cannot be shared.
    pub fn new(scenario: Arc<Scenario>, share: Share) -> Result<Self, String> {
        let flows = Flows::of(&scenario)?;
        let expectations = Expectations::of(&scenario, &flows);
        let by_acknowledgement = closed::windows(&scenario, &flows, &expectations, share)?;
        let mut plan = Self {
            scenario,
            share,
            flows: Arc::new(flows),
            expectations: Arc::new(expectations),
            seats: Vec::new(),
            first: 0,
            by_acknowledgement,
        };
        plan.take_seats(Start::First);
        plan.first = plan.seats.len();
        plan.take_seats(Start::Last);
        Ok(plan)
    }

    /// The flow on a topic that a subscriber hears; `None` if it hears none there, or several.
    pub fn only_flow_on(&self, topic: &str, group: usize, client: u32) -> Option<u32> {
        let flows = &self.expectations.for_client(group, client)?.flows;
        let heard = (0..flows.len()).map(|at| flows.get(at));
        let mut same = heard.filter(|&flow| self.flows.topic(&self.scenario, flow) == topic);
        same.next().filter(|_| same.next().is_none())
    }

    /// Threads.
    pub fn threads(&self) -> usize {
        self.scenario.run.threads
    }

    /// Clients that hold connections of the first and of the last groups.
    pub fn clients(&self, start: Start) -> usize {
        let holds = |seat: &&Seated| {
            let group = &self.scenario.groups[usize::from(seat.group)];
            group.start == start && seat.client < group.count
        };
        self.seats.iter().filter(holds).count()
    }

    /// Subscriptions that the clients of the first or of the last groups make.
    pub fn subscriptions(&self, start: Start) -> u64 {
        let subscribes = |seat: &&Seated| {
            let group = &self.scenario.groups[usize::from(seat.group)];
            group.start == start && seat.client < group.count && !group.subscribe.is_empty()
        };
        self.seats.iter().filter(subscribes).count() as u64
    }

    /// Deliveries due of one message, if that is the same for all flows.
    pub fn uniform_copies(&self) -> Option<u64> {
        let copies = |flow| self.expectations.copies(flow).iter().map(|&c| u64::from(c)).sum();
        let first: u64 = if self.flows.count() > 0 { copies(0) } else { return None };
        (1..self.flows.count()).all(|flow| copies(flow) == first).then_some(first)
    }

    fn take_seats(&mut self, start: Start) {
        let scenario = Arc::clone(&self.scenario);
        let threads = self.threads();
        let near = if threads > 1 { self.only_subscribers() } else { HashMap::new() };
        let mut taken: HashMap<(u16, u32), u16> = HashMap::new();
        for (index, group) in scenario.groups.iter().enumerate() {
            if group.start != start {
                continue;
            }
            for client in (0..group.seats()).filter(|client| self.share.has(client % group.count)) {
                let flow = self.flows.first_of(index, client % group.count);
                let subscriber = flow.and_then(|flow| near.get(&flow));
                let by_turn = (client % group.count / self.share.parts) as usize % threads;
                let thread = subscriber.and_then(|place| taken.get(place)).copied();
                let thread = thread.unwrap_or(by_turn as u16);
                if threads > 1 {
                    taken.insert((index as u16, client), thread);
                }
                self.seats.push(Seated { group: index as u16, thread, client });
            }
        }
    }

    /// The subscriber of each flow that has a single one: a publisher lives on its thread, so that
    /// their messages cross no other. Only where there are enough of them for all threads.
    fn only_subscribers(&self) -> HashMap<u32, (u16, u32)> {
        let mut found = HashMap::new();
        for (index, group) in self.scenario.groups.iter().enumerate() {
            if (group.count as usize) < self.threads() {
                continue;
            }
            for client in (0..group.count).filter(|client| self.share.has(*client)) {
                let Some(expected) = self.expectations.for_client(index, client) else { continue };
                for at in 0..expected.flows.len() {
                    let flow = expected.flows.get(at);
                    if self.expectations.copies(flow).iter().sum::<u32>() == 1 {
                        found.insert(flow, (index as u16, client));
                    }
                }
            }
        }
        found
    }
}

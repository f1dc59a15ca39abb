//! What a process measured, in a form that can be sent and added up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::{Client, Damage, Recorder, Seen, SeenFlow};
use crate::plan::{CLASSES, Plan, class};
use crate::result::{Counts, Latencies, Merge};

/// Most ranges of missing messages that are remembered for a flow.
const MAX_RANGES: usize = 4;

/// What a process measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Histograms: of the measurement window, and of handshakes.
    pub latencies: Latencies,
    /// Counts of the whole run.
    pub counts: Counts,
    /// What was sent and seen of each flow.
    pub flows: BTreeMap<u32, FlowTally>,
    /// What members of shared subscriptions saw.
    seen: Vec<SeenFlow>,
    /// Will Messages received.
    pub wills: u64,
    /// Connections that another one with the same ClientId took over.
    pub takeovers: u64,
    /// Connections from each source address.
    pub by_source: Vec<u64>,
    /// Why connections ended.
    pub complaints: Vec<String>,
    /// Batches that were due and could not be sent any more.
    pub unsent_batches: u64,
}

/// What was sent and seen of one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTally {
    /// Messages sent.
    pub sent: u64,
    /// Messages of its publisher that may have been sent or not: their connection ended.
    pub uncertain: u64,
    /// What subscribers saw, by class.
    pub seen: [SeenTally; CLASSES],
}

/// What the subscribers of one class saw of a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenTally {
    /// Messages seen, each once for each subscriber.
    pub unique: u64,
    /// Messages seen again.
    pub duplicated: u64,
    /// Messages seen after a later one.
    pub reordered: u64,
    /// Messages whose payload was not the one sent.
    pub corrupted: u64,
    /// A subscriber that missed messages before one that it saw.
    pub gap: Option<Gap>,
}

/// Messages that a subscriber missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Group of the subscriber.
    pub group: usize,
    /// Its position there.
    pub client: u32,
    /// The first ranges of sequence numbers, both ends included.
    pub ranges: Vec<(u64, u64)>,
}

impl Outcome {
    /// Adds up what one thread's clients saw.
    pub fn of(recorder: Recorder, clients: &[Client], plan: &Plan) -> Self {
        let mut outcome = Self {
            latencies: recorder.latencies,
            counts: recorder.counts,
            flows: BTreeMap::new(),
            seen: recorder.seen.into_flows(),
            wills: recorder.wills,
            takeovers: recorder.takeovers,
            by_source: recorder.by_source,
            complaints: recorder.complaints,
            unsent_batches: recorder.totals.due.saturating_sub(recorder.totals.written),
        };
        let totals = recorder.totals;
        outcome.counts.acknowledged = totals.acked;
        outcome.counts.connected = totals.connected;
        outcome.counts.subscribed = totals.subscribed;
        clients.iter().for_each(|client| outcome.add_client(client, plan));
        outcome
    }

    fn add_client(&mut self, client: &Client, plan: &Plan) {
        if let Some(publisher) = &client.publisher {
            self.counts.unacknowledged += publisher.unacknowledged();
            for (flow, sent) in publisher.flows().filter(|(_, sent)| *sent > 0) {
                let tally = self.flows.entry(flow).or_default();
                tally.sent += sent;
                tally.uncertain += publisher.uncertain();
            }
        }
        let Some(subscriber) = &client.subscriber else { return };
        let group = usize::from(client.group);
        subscriber.damages().iter().for_each(|damage| self.add_damage(client, damage, plan));
        for (flow, tracker) in subscriber.flows().filter(|(_, tracker)| tracker.unique() > 0) {
            let groups = &plan.scenario.groups;
            let class = class(&groups[plan.flows.locate(flow).0], &groups[group]);
            let seen = &mut self.flows.entry(flow).or_default().seen[class];
            seen.unique += tracker.unique();
            seen.duplicated += tracker.duplicates();
            seen.reordered += tracker.reordered();
            if seen.gap.is_none() {
                let ranges: Vec<_> = tracker.missing().take(MAX_RANGES).collect();
                let gap = Gap { group, client: client.client, ranges };
                seen.gap = (!gap.ranges.is_empty()).then_some(gap);
            }
        }
    }

    /// Puts damaged messages to the flow they are of: the one they name, or the only one on their
    /// topic that the subscriber hears.
    fn add_damage(&mut self, client: &Client, damage: &Damage, plan: &Plan) {
        let (group, number) = (usize::from(client.group), client.client);
        let flow = damage.flow.or_else(|| plan.only_flow_on(&damage.topic, group, number));
        let groups = &plan.scenario.groups;
        let Some(flow) = flow else {
            let subscriber = &groups[group];
            let id = subscriber.client_id.render(subscriber.first + u64::from(number), 0);
            let (count, topic) = (damage.count, &damage.topic);
            let text =
                format!("{id} got {count} corrupted messages on {topic}, nobody's or anybody's");
            return self.complaints.push(text);
        };
        let class = class(&groups[plan.flows.locate(flow).0], &groups[group]);
        let seen = &mut self.flows.entry(flow).or_default().seen[class];
        seen.corrupted += damage.count;
        // Its subscriber is named, whether others overtook what is missing or not.
        seen.gap.get_or_insert(Gap { group, client: number, ranges: Vec::new() });
    }

    /// Adds what another thread or process measured.
    pub fn merge(&mut self, other: Self) {
        self.latencies.merge(other.latencies);
        self.counts.merge(other.counts);
        for (flow, tally) in other.flows {
            self.flows.entry(flow).or_default().merge(tally);
        }
        let mut seen = self.take_seen();
        seen.merge(Seen::from_flows(other.seen));
        self.seen = seen.into_flows();
        self.wills += other.wills;
        self.takeovers += other.takeovers;
        if self.by_source.len() < other.by_source.len() {
            self.by_source.resize(other.by_source.len(), 0);
        }
        self.by_source.iter_mut().zip(other.by_source).for_each(|(sum, add)| *sum += add);
        for complaint in other.complaints {
            if !self.complaints.contains(&complaint) {
                self.complaints.push(complaint);
            }
        }
        self.unsent_batches += other.unsent_batches;
    }

    /// What members of shared subscriptions saw, once all parts are added.
    pub fn take_seen(&mut self) -> Seen {
        Seen::from_flows(std::mem::take(&mut self.seen))
    }
}

impl FlowTally {
    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.uncertain += other.uncertain;
        for (mine, theirs) in self.seen.iter_mut().zip(other.seen) {
            mine.unique += theirs.unique;
            mine.duplicated += theirs.duplicated;
            mine.reordered += theirs.reordered;
            mine.corrupted += theirs.corrupted;
            mine.gap = mine.gap.take().or(theirs.gap);
        }
    }
}

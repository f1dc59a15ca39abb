//! Whether the promises of each QoS were kept, and which flow broke them.

use crate::client::Seen;
use crate::engine::{FlowTally, Outcome};
use crate::plan::{Plan, UNJUDGED, class};
use crate::result::{BrokenFlow, Counts, QosCounts};

/// Most broken flows that are named.
const MAX_BROKEN: usize = 64;

/// Most ranges of missing messages that are named for a flow.
const MAX_RANGES: usize = 4;

/// What became of the messages.
#[derive(Debug)]
pub struct Judgement {
    /// Counts of the whole run.
    pub counts: Counts,
    /// Deliveries by the QoS at which they were promised.
    pub by_qos: Vec<QosCounts>,
    /// The promises that were broken, in words.
    pub broken: Vec<String>,
    /// The first flows that broke them.
    pub flows: Vec<BrokenFlow>,
}

/// Compares what was sent with what arrived.
pub fn judge(plan: &Plan, outcome: &mut Outcome) -> Judgement {
    let seen = outcome.take_seen();
    add_shared(plan, outcome, &seen);
    let mut judgement = Judgement {
        counts: outcome.counts,
        by_qos: Vec::new(),
        broken: Vec::new(),
        flows: Vec::new(),
    };
    for (&flow, tally) in &outcome.flows {
        judgement.counts.sent += tally.sent;
        for class in 0..=UNJUDGED {
            judgement.add(plan, flow, tally, class, &seen);
        }
    }
    judgement.conclude();
    judgement
}

/// Puts what members of shared subscriptions saw into the flows' tallies.
fn add_shared(plan: &Plan, outcome: &mut Outcome, seen: &Seen) {
    let groups = &plan.scenario.groups;
    for (shared, flow, unique, duplicated) in seen.counts() {
        let group = plan.expectations.share(shared).group;
        let class = class(&groups[plan.flows.locate(flow).0], &groups[group]);
        let tally = &mut outcome.flows.entry(flow).or_default().seen[class];
        tally.unique += unique;
        tally.duplicated += duplicated;
    }
}

impl Judgement {
    fn add(&mut self, plan: &Plan, flow: u32, tally: &FlowTally, class: usize, seen: &Seen) {
        let copies = u64::from(plan.expectations.copies(flow)[class]);
        let of = &tally.seen[class];
        let expected = tally.sent * copies;
        // What was open when its connection ended may have arrived, or not.
        let lost = expected.saturating_sub(of.unique).saturating_sub(tally.uncertain * copies);
        let sum = &mut self.counts;
        sum.expected += expected;
        sum.delivered += of.unique;
        sum.lost += lost;
        sum.duplicated += of.duplicated;
        sum.reordered += of.reordered;
        if copies == 0 || class == UNJUDGED {
            return;
        }
        let counts = self.of_qos(class as u8);
        counts.expected += expected;
        counts.delivered += of.unique;
        counts.lost += lost;
        counts.duplicated += of.duplicated;
        counts.reordered += of.reordered;
        counts.corrupted += of.corrupted;
        let lacking = lost > 0 && class > 0 || of.duplicated > 0 && class != 1;
        let broken = lacking || of.reordered > 0 || of.corrupted > 0;
        if broken && self.flows.len() < MAX_BROKEN {
            self.flows.push(name(plan, flow, tally, class, lost, seen));
        }
    }

    fn of_qos(&mut self, qos: u8) -> &mut QosCounts {
        let at = self.by_qos.partition_point(|counts| counts.qos < qos);
        if self.by_qos.get(at).is_none_or(|counts| counts.qos != qos) {
            self.by_qos.insert(at, QosCounts { qos, ..QosCounts::default() });
        }
        &mut self.by_qos[at]
    }

    /// All QoS promise order within a flow. QoS 0 may lose, QoS 1 may repeat, QoS 2 neither
    /// [MQTT-4.3.1-1], [MQTT-4.3.2-1], [MQTT-4.3.3-1], [MQTT-4.6.0-5].
    fn conclude(&mut self) {
        let mut broken = Vec::new();
        let mut say = |promised: bool, count: u64, what: &str| {
            if promised && count > 0 {
                broken.push(format!("{count} {what}"));
            }
        };
        for of in &self.by_qos {
            let qos = of.qos;
            say(qos > 0, of.lost, &format!("messages of QoS {qos} lost"));
            say(qos != 1, of.duplicated, &format!("messages of QoS {qos} duplicated"));
            say(true, of.reordered, &format!("messages of QoS {qos} out of order"));
        }
        let counts = &self.counts;
        say(true, counts.corrupted, "messages corrupted");
        say(true, counts.foreign, "messages that nobody sent");
        say(true, counts.unacknowledged, "publications never acknowledged");
        say(true, counts.refused, "publications refused");
        say(true, counts.connections_lost, "connections refused or lost");
        say(true, counts.left_open, "connections left open after a takeover");
        self.broken = broken;
    }
}

/// A broken flow in full.
fn name(
    plan: &Plan,
    flow: u32,
    tally: &FlowTally,
    class: usize,
    lost: u64,
    seen: &Seen,
) -> BrokenFlow {
    let scenario = &plan.scenario;
    let (publisher, topic) = plan.flows.names(scenario, flow);
    let of = &tally.seen[class];
    let copies = u64::from(plan.expectations.copies(flow)[class]);
    let shared = seen.counts().find(|counts| counts.1 == flow).map(|counts| counts.0);
    let (subscriber, missing) = match (&of.gap, shared) {
        (Some(gap), _) => {
            let group = &scenario.groups[gap.group];
            let index = group.first + u64::from(gap.client);
            (group.client_id.render(index, 0), gap.ranges.clone())
        }
        (None, Some(shared)) => {
            let name = plan.expectations.share(shared).filter.clone();
            (name, seen.missing(shared, flow, tally.sent, MAX_RANGES))
        }
        // Nothing overtook what is missing: it is the end, if there is one subscriber only.
        (None, None) if copies == 1 && lost > 0 => {
            (String::new(), vec![(tally.sent - lost, tally.sent - 1)])
        }
        (None, None) => (format!("{copies} subscribers"), Vec::new()),
    };
    let subscriber = match subscriber.is_empty() {
        true => plan.expectations.first_subscriber(scenario, flow).unwrap_or_default(),
        false => subscriber,
    };
    BrokenFlow {
        publisher,
        subscriber,
        topic,
        qos: class as u8,
        expected: tally.sent * copies,
        lost,
        duplicated: of.duplicated,
        reordered: of.reordered,
        corrupted: of.corrupted,
        missing,
    }
}

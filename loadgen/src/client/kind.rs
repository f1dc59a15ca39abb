//! What the clients of a group have in common while they run.

use std::sync::Arc;

use pondhawk::protocol::QoS;

use crate::plan::Plan;
use crate::scenario::{Group, Zipf};

use super::frame::Shape;
use super::schedule::Schedule;

/// A group with what its clients need at hand.
#[derive(Debug)]
pub struct Kind {
    /// Number of the group.
    pub index: usize,
    /// What the scenario says of it.
    pub group: Group,
    /// How publishers draw among several topics, if not evenly.
    pub zipf: Option<Zipf>,
    /// Messages outstanding in a closed loop; `None` for an open one.
    pub window: Option<u64>,
    /// The window is kept by acknowledgements alone.
    pub by_acknowledgement: bool,
    /// The schedule of an open loop.
    pub schedule: Option<Schedule>,
    /// Seed of what its clients draw.
    pub seed: u64,
    /// The whole run's limit of messages, if there is one.
    pub messages: Option<Quota>,
}

/// A share of the messages that all publishers send together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Messages of the run.
    pub messages: u64,
    /// Publishers of the run.
    pub publishers: u64,
    /// Publishers in the groups before.
    pub before: u64,
}

impl Quota {
    /// The messages of one publisher: all sum up to the messages of the run.
    pub fn of(self, client: u32) -> u64 {
        let number = self.before + u64::from(client);
        self.messages / self.publishers + u64::from(number < self.messages % self.publishers)
    }
}

impl Kind {
    /// The groups of a plan.
    pub fn all(plan: &Plan) -> Vec<Arc<Self>> {
        let publishes = |group: &&Group| group.publish.is_some();
        let groups = &plan.scenario.groups;
        let count = |groups: &[Group]| {
            groups.iter().filter(publishes).map(|group| u64::from(group.count)).sum()
        };
        let publishers: u64 = count(groups);
        let kind = |(index, group): (usize, &Group)| {
            let before = count(&groups[..index]);
            let quota = |messages| Quota { messages, publishers, before };
            let messages = plan.scenario.run.messages.map(quota);
            Arc::new(Self::new(plan, index, group.clone(), messages))
        };
        groups.iter().enumerate().map(kind).collect()
    }

    fn new(plan: &Plan, index: usize, group: Group, messages: Option<Quota>) -> Self {
        let seed = plan.scenario.run.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ index as u64;
        let schedule = group.rate.clone().map(|profile| Schedule {
            profile,
            arrivals: group.arrivals,
            batch: group.batch,
            publishers: group.count.into(),
            seed,
        });
        Self {
            index,
            zipf: group.publish.as_ref().and_then(crate::scenario::Template::zipf),
            window: group.rate.is_none().then_some(group.window),
            by_acknowledgement: plan.by_acknowledgement[index],
            schedule,
            seed,
            messages,
            group,
        }
    }

    /// What its PUBLISH packets have in common.
    pub fn shape(&self) -> Shape {
        let Group { version, publish_qos, retain, .. } = self.group;
        Shape { version, qos: publish_qos, retain }
    }

    /// Whether publications are acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.group.publish_qos != QoS::AtMostOnce
    }

    /// Whether the limit of messages leaves a publisher a batch number `index`.
    pub fn has_batch(&self, client: u32, index: u64) -> bool {
        self.messages.is_none_or(|quota| index * self.group.batch < quota.of(client))
    }

    /// The index of a client in templates; two that take over from each other share it.
    pub fn index_of(&self, client: u32) -> u64 {
        self.group.first + u64::from(client % self.group.count)
    }

    /// The ClientId of a client.
    pub fn client_id(&self, client: u32) -> String {
        self.group.client_id.render(self.index_of(client), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_sum_up_to_the_messages() {
        for messages in [0, 1, 7, 10, 1001] {
            let quota = |before| Quota { messages, publishers: 10, before };
            let sum: u64 =
                (0..4).map(|c| quota(0).of(c)).chain((0..6).map(|c| quota(4).of(c))).sum();
            assert_eq!(sum, messages);
        }
    }
}

//! Numbers of flows.

use crate::scenario::{Group, Scenario};

/// Most flows of a scenario.
const MAX_FLOWS: u64 = 1 << 24;

/// The flows of a scenario: those of one client, one for each topic it chooses from, follow each
/// other, and so do the clients of a group.
#[derive(Clone, Debug)]
pub struct Flows {
    groups: Vec<FlowGroup>,
    total: u32,
}

#[derive(Clone, Copy, Debug)]
struct FlowGroup {
    group: usize,
    base: u32,
    choices: u32,
}

impl Flows {
    /// Numbers the flows of a scenario.
    ///
    /// # Errors
    /// If there are too many.
    pub fn of(scenario: &Scenario) -> Result<Self, String> {
        let mut groups = Vec::new();
        let mut total = 0_u64;
        for (group, plan) in scenario.groups.iter().enumerate() {
            let Some(topic) = &plan.publish else { continue };
            groups.push(FlowGroup { group, base: total as u32, choices: topic.choices() });
            total += u64::from(plan.count) * u64::from(topic.choices());
            if total > MAX_FLOWS {
                return Err(format!(
                    "{total} pairs of publisher and topic are more than {MAX_FLOWS}; \
                     take fewer publishers or fewer topics"
                ));
            }
        }
        Ok(Self { groups, total: total as u32 })
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.total
    }

    /// The first flow of a client.
    pub fn first_of(&self, group: usize, client: u32) -> Option<u32> {
        let range = self.groups.iter().find(|range| range.group == group)?;
        Some(range.base + client * range.choices)
    }

    /// Group, client and choice of a flow.
    pub fn locate(&self, flow: u32) -> (usize, u32, u32) {
        let next = self.groups.partition_point(|range| range.base <= flow);
        let range = self.groups[next.saturating_sub(1)];
        let offset = flow - range.base;
        (range.group, offset / range.choices, offset % range.choices)
    }

    /// ClientId and Topic Name of a flow.
    pub fn names(&self, scenario: &Scenario, flow: u32) -> (String, String) {
        let (group, client, choice) = self.locate(flow);
        let group = &scenario.groups[group];
        let index = group.first + u64::from(client);
        (group.client_id.render(index, 0), topic(group, index, choice))
    }

    /// The Topic Name of a flow.
    pub fn topic(&self, scenario: &Scenario, flow: u32) -> String {
        let (group, client, choice) = self.locate(flow);
        let group = &scenario.groups[group];
        topic(group, group.first + u64::from(client), choice)
    }
}

fn topic(group: &Group, index: u64, choice: u32) -> String {
    group.publish.as_ref().map_or_else(String::new, |topic| topic.render(index, choice))
}

//! What each subscriber must hear.

use std::collections::HashMap;
use std::sync::Arc;

use pondhawk::protocol::split_shared;

use crate::scenario::{Group, Scenario};

use super::filters::Filters;
use super::flows::Flows;

/// Kinds of promise: one for each QoS, and none.
pub const CLASSES: usize = 4;

/// The class of deliveries that may fail.
pub const UNJUDGED: usize = 3;

/// The flows that a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowSet {
    /// `count` of them from `first` in steps.
    Steps {
        /// The lowest.
        first: u32,
        /// Distance between two.
        step: u32,
        /// How many.
        count: u32,
    },
    /// These, ascending.
    List(Box<[u32]>),
}

/// What clients with the same filters in the same group must hear.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The flows.
    pub flows: FlowSet,
    /// Number of the shared subscription; each message comes to one of its members.
    pub shared: Option<u32>,
}

/// What each subscriber of a scenario must hear.
#[derive(Debug)]
pub struct Expectations {
    sets: Vec<Arc<Expected>>,
    /// For each group the set of each client; one for all if the filters are alike.
    of: Vec<Vec<u32>>,
    /// Deliveries due of each message of a flow, by class.
    copies: Vec<[u32; CLASSES]>,
    /// The shared subscriptions.
    shares: Vec<SharedSubscription>,
}

/// A shared subscription.
#[derive(Clone, Debug, Default)]
pub struct SharedSubscription {
    /// Its filter, `$share/GROUP/FILTER`.
    pub filter: String,
    /// The group of its members.
    pub group: usize,
}

/// A set while it is being found.
struct Draft {
    group: usize,
    clients: u32,
    shared: Option<u32>,
    flows: Vec<u32>,
}

/// All sets while they are being found.
struct Drafts {
    list: Vec<Draft>,
    filters: Filters,
    of: Vec<Vec<u32>>,
    shares: HashMap<String, u32>,
}

impl Expectations {
    /// Matches all filters with the topics of all flows.
    pub fn of(scenario: &Scenario, flows: &Flows) -> Self {
        let mut drafts = Drafts {
            list: Vec::new(),
            filters: Filters::new(),
            of: vec![Vec::new(); scenario.groups.len()],
            shares: HashMap::new(),
        };
        // Without publishers nothing is expected, and a million idle clients need no table.
        let groups = scenario.groups.iter().enumerate().filter(|_| flows.count() > 0);
        groups.for_each(|(index, group)| drafts.add(index, group));
        for flow in 0..flows.count() {
            let Drafts { filters, list, .. } = &mut drafts;
            filters.matching(&flows.topic(scenario, flow), |set| {
                let draft = &mut list[set as usize];
                if draft.flows.last() != Some(&flow) {
                    draft.flows.push(flow);
                }
            });
        }
        drafts.finish(scenario, flows)
    }

    /// What a client must hear; `None` if nothing.
    pub fn for_client(&self, group: usize, client: u32) -> Option<&Arc<Expected>> {
        let sets = &self.of[group];
        let set = sets.get(client as usize).or_else(|| sets.first().filter(|_| sets.len() == 1))?;
        self.sets.get(*set as usize)
    }

    /// Deliveries due of each message of a flow, by class.
    pub fn copies(&self, flow: u32) -> [u32; CLASSES] {
        self.copies[flow as usize]
    }

    /// A shared subscription.
    pub fn share(&self, share: u32) -> &SharedSubscription {
        &self.shares[share as usize]
    }

    /// The ClientId of the first subscriber that should hear a flow.
    pub fn first_subscriber(&self, scenario: &Scenario, flow: u32) -> Option<String> {
        let groups = scenario.groups.iter().enumerate();
        groups.filter(|(group, _)| !self.of[*group].is_empty()).find_map(|(index, group)| {
            let hears = |client: &u32| {
                let expected = self.for_client(index, *client);
                expected.is_some_and(|expected| expected.flows.index_of(flow).is_some())
            };
            let client = (0..group.count).find(hears)?;
            Some(group.client_id.render(group.first + u64::from(client), 0))
        })
    }
}

impl Drafts {
    fn add(&mut self, group: usize, plan: &Group) {
        if plan.subscribe.is_empty() {
            return;
        }
        let alike = plan.subscribe.iter().all(|filter| filter.is_constant());
        let distinct = if alike { 1 } else { plan.count };
        let mut known: HashMap<Vec<String>, u32> = HashMap::new();
        for client in 0..distinct {
            let index = plan.first + u64::from(client);
            let filters: Vec<_> = plan.subscribe.iter().map(|f| f.render(index, 0)).collect();
            let set = match known.get(&filters) {
                Some(&set) => set,
                None => {
                    let set = self.begin(group, &filters);
                    known.insert(filters, set);
                    set
                }
            };
            self.list[set as usize].clients += if alike { plan.count } else { 1 };
            self.of[group].push(set);
        }
    }

    fn begin(&mut self, group: usize, filters: &[String]) -> u32 {
        let set = self.list.len() as u32;
        let mut shared = None;
        for filter in filters {
            let plain = match split_shared(filter) {
                Ok(Some((_, plain))) => {
                    let next = self.shares.len() as u32;
                    shared = Some(*self.shares.entry(filter.clone()).or_insert(next));
                    plain
                }
                _ => filter,
            };
            self.filters.add(plain, set);
        }
        self.list.push(Draft { group, clients: 0, shared, flows: Vec::new() });
        set
    }

    fn finish(self, scenario: &Scenario, flows: &Flows) -> Expectations {
        let mut copies = vec![[0; CLASSES]; flows.count() as usize];
        let mut counted = vec![false; self.shares.len()];
        let groups_of_shares: Vec<_> =
            self.list.iter().filter_map(|draft| Some((draft.group, draft.shared?))).collect();
        let mut sets = Vec::with_capacity(self.list.len());
        for draft in self.list {
            let group = &scenario.groups[draft.group];
            // A shared subscription's members hear each message once, whatever sets they are in.
            let weight = match draft.shared {
                Some(share) => u32::from(!std::mem::replace(&mut counted[share as usize], true)),
                None => draft.clients,
            };
            for &flow in &draft.flows {
                let publisher = &scenario.groups[flows.locate(flow).0];
                copies[flow as usize][class(publisher, group)] += weight;
            }
            sets.push(Arc::new(Expected { flows: FlowSet::of(draft.flows), shared: draft.shared }));
        }
        let mut shares = vec![SharedSubscription::default(); self.shares.len()];
        self.shares.into_iter().for_each(|(filter, share)| shares[share as usize].filter = filter);
        for (group, share) in groups_of_shares {
            shares[share as usize].group = group;
        }
        Expectations { sets, of: self.of, copies, shares }
    }
}

/// The class of deliveries from one group to another.
pub fn class(publisher: &Group, subscriber: &Group) -> usize {
    match subscriber.may_lose {
        true => UNJUDGED,
        false => publisher.publish_qos.min(subscriber.subscribe_qos) as usize,
    }
}

impl FlowSet {
    fn of(flows: Vec<u32>) -> Self {
        let first = flows.first().copied().unwrap_or(0);
        let step = flows.get(1).map_or(1, |second| second - first);
        let even = flows.windows(2).all(|pair| pair[1] - pair[0] == step);
        match even {
            true => Self::Steps { first, step, count: flows.len() as u32 },
            false => Self::List(flows.into()),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Steps { count, .. } => *count as usize,
            Self::List(flows) => flows.len(),
        }
    }

    /// The position of `flow` in the set.
    #[inline]
    pub fn index_of(&self, flow: u32) -> Option<usize> {
        match self {
            Self::Steps { first, step, count } => {
                let offset = flow.checked_sub(*first)?;
                let index = if *step == 1 { offset } else { offset / step };
                (offset == index * step && index < *count).then_some(index as usize)
            }
            Self::List(flows) => flows.binary_search(&flow).ok(),
        }
    }

    /// The flow at a position.
    pub fn get(&self, index: usize) -> u32 {
        match self {
            Self::Steps { first, step, .. } => first + step * index as u32,
            Self::List(flows) => flows[index],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{BUILTIN, Setting};
    use pondhawk::protocol::filter_matches;

    #[test]
    fn a_set_knows_its_own() {
        let steps = FlowSet::of(vec![2, 5, 8, 11]);
        assert_eq!(steps, FlowSet::Steps { first: 2, step: 3, count: 4 });
        assert_eq!([2, 5, 8, 11].map(|f| steps.index_of(f)), [0, 1, 2, 3].map(Some));
        assert_eq!([0, 1, 3, 14].map(|f| steps.index_of(f)), [None; 4]);
        let list = FlowSet::of(vec![1, 2, 7]);
        assert_eq!((list.index_of(7), list.index_of(3), list.get(2)), (Some(2), None, 7));
    }

    /// Every subscriber expects exactly the flows whose topic its filters match.
    #[test]
    fn subscribers_expect_the_flows_that_match() {
        for (name, settings) in [
            ("p2p", &["pairs=7"][..]),
            ("fanin", &["pubs=10", "subs=3"]),
            ("fanin", &["pubs=2", "subs=5"]),
            ("fanout", &["pubs=3", "subs=20"]),
            ("shared", &["pubs=6", "subs=4"]),
        ] {
            let settings: Vec<Setting> = settings.iter().map(|s| s.parse().unwrap()).collect();
            let text = BUILTIN.iter().find(|builtin| builtin.name == name).unwrap().text;
            let scenario = Scenario::read(name, text, &settings).unwrap();
            let flows = Flows::of(&scenario).unwrap();
            check(&scenario, &flows, &Expectations::of(&scenario, &flows));
        }
    }

    fn check(scenario: &Scenario, flows: &Flows, expectations: &Expectations) {
        let mut copies = vec![0; flows.count() as usize];
        let mut shares = std::collections::HashSet::new();
        for (index, group) in scenario.groups.iter().enumerate() {
            for client in 0..group.count {
                let filters = group.subscribe.iter().map(|f| f.render(client.into(), 0));
                for filter in filters {
                    let shared = split_shared(&filter).unwrap();
                    let plain = shared.map_or(filter.as_str(), |(_, plain)| plain);
                    let matching: Vec<_> = (0..flows.count())
                        .filter(|&flow| filter_matches(plain, &flows.topic(scenario, flow)))
                        .collect();
                    let expected = &expectations.for_client(index, client).unwrap().flows;
                    let listed: Vec<_> = (0..expected.len()).map(|at| expected.get(at)).collect();
                    assert_eq!(listed, matching, "{} {filter}", scenario.name);
                    if shared.is_none() || shares.insert(filter) {
                        matching.iter().for_each(|&flow| copies[flow as usize] += 1);
                    }
                }
            }
        }
        for flow in 0..flows.count() {
            let sum: u32 = expectations.copies(flow).iter().sum();
            assert_eq!(sum, copies[flow as usize], "{} flow {flow}", scenario.name);
        }
    }
}

//! Which clients there are, and on which thread.

use pondhawk::protocol::{QoS, Version};

use crate::args::{Pattern, ShapeArgs};
use crate::client::{Client, FlowRange, Load, Publisher, Role, Subscriber};

/// Bytes of the payload's length that fit the Remaining Length with room for the topic.
const MAX_SIZE: usize = 16 << 20;

/// All clients of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What publishers have in common.
    pub load: Load,
    /// Messages per second over all publishers; 0 for a closed loop.
    pub rate: u64,
    /// Publishers.
    pub flows: u32,
    /// Deliveries expected of one message.
    pub copies: u64,
    /// Threads.
    pub threads: usize,
    /// Never sleep.
    pub spin: bool,
    /// The clients; subscribers stand before publishers.
    pub clients: Vec<ClientPlan>,
}

/// One client.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// Thread it lives on.
    pub thread: usize,
    /// ClientId.
    pub client_id: String,
    /// What it does.
    pub task: Task,
}

/// What a client does.
#[derive(Clone, Debug)]
pub enum Task {
    /// Publishes `flow` to `topic`.
    Publish {
        /// The flow.
        flow: u32,
        /// Topic Name.
        topic: String,
    },
    /// Subscribes to `filter` and expects `flows`.
    Subscribe {
        /// Topic Filter.
        filter: String,
        /// Flows that match it.
        flows: FlowRange,
    },
    /// Nothing, until it is told to subscribe.
    Idle {
        /// Topic Filter of its own, three levels.
        filter: String,
    },
}

impl Plan {
    /// The plan of a load.
    ///
    /// # Errors
    /// If the figures make no sense.
    pub fn new(pattern: Pattern, shape: &ShapeArgs) -> Result<Self, String> {
        let (publishers, subscribers) = counts(pattern, shape)?;
        let threads = shape.threads;
        let limits = [
            (shape.size >= crate::client::stamp::STAMP_LEN, "--size is less than 16 bytes"),
            (shape.size <= MAX_SIZE, "--size is more than 16 MiB"),
            (shape.batch > 0, "--batch is 0"),
            (threads > 0, "--threads is 0"),
            (publishers > 0 && subscribers > 0, "there must be publishers and subscribers"),
            (shape.window.is_none_or(|w| w >= shape.batch), "--window is less than --batch"),
            (shape.rate == 0 || shape.window.is_none(), "--window needs a closed loop"),
        ];
        if let Some((_, complaint)) = limits.iter().find(|(holds, _)| !holds) {
            return Err((*complaint).to_owned());
        }
        let batch = u64::from(shape.batch);
        let window = shape.window.map_or(batch, u64::from).next_multiple_of(batch);
        let load = Load {
            qos: shape.qos,
            version: shape.version,
            size: shape.size,
            batch,
            window: (shape.rate == 0).then_some(window),
        };
        let joined = Joined { pattern, publishers, subscribers, threads, shape };
        let copies = if pattern == Pattern::Fanout { subscribers } else { 1 };
        let clients = joined.clients();
        Ok(Self {
            load,
            rate: shape.rate,
            flows: publishers,
            copies: copies.into(),
            threads,
            spin: shape.spin,
            clients,
        })
    }

    /// Clients that subscribe when they connect.
    pub fn subscriptions(&self) -> u64 {
        let subscribes = |client: &&ClientPlan| matches!(client.task, Task::Subscribe { .. });
        self.clients.iter().filter(subscribes).count() as u64
    }

    /// Connections that do nothing.
    pub fn idle(connections: u32, version: Version, threads: usize) -> Self {
        let threads = threads.max(1);
        let load = Load { qos: QoS::AtMostOnce, version, size: 16, batch: 1, window: Some(1) };
        let clients = (0..connections as usize).map(|index| ClientPlan {
            thread: index % threads,
            client_id: format!("idle-{index}"),
            task: Task::Idle { filter: format!("idle/{index}/state") },
        });
        let clients = clients.collect();
        Self { load, rate: 0, flows: 0, copies: 1, threads, spin: false, clients }
    }
}

fn counts(pattern: Pattern, shape: &ShapeArgs) -> Result<(u32, u32), String> {
    match pattern {
        Pattern::P2p => {
            if shape.pubs.is_some() || shape.subs.is_some() {
                return Err("p2p takes --pairs".to_owned());
            }
            let pairs = shape.pairs.unwrap_or(64);
            Ok((pairs, pairs))
        }
        _ if shape.pairs.is_some() => Err("--pairs is for p2p".to_owned()),
        Pattern::Fanin => Ok((shape.pubs.unwrap_or(100), shape.subs.unwrap_or(1))),
        Pattern::Fanout => Ok((shape.pubs.unwrap_or(1), shape.subs.unwrap_or(500))),
    }
}

/// Pairs publishers with subscribers: topics, filters, flows and threads.
struct Joined<'a> {
    pattern: Pattern,
    publishers: u32,
    subscribers: u32,
    threads: usize,
    shape: &'a ShapeArgs,
}

impl Joined<'_> {
    fn clients(&self) -> Vec<ClientPlan> {
        let prefix = &self.shape.topic_prefix;
        let subscribers = (0..self.subscribers).map(|index| ClientPlan {
            thread: index as usize % self.threads,
            client_id: format!("{prefix}-sub-{index}"),
            task: Task::Subscribe { filter: self.filter(index), flows: self.flows(index) },
        });
        let publishers = (0..self.publishers).map(|flow| ClientPlan {
            thread: self.publisher_thread(flow),
            client_id: format!("{prefix}-pub-{flow}"),
            task: Task::Publish { flow, topic: self.topic(flow) },
        });
        subscribers.chain(publishers).collect()
    }

    fn topic(&self, flow: u32) -> String {
        let prefix = &self.shape.topic_prefix;
        match self.pattern {
            // Eleven bytes with the default prefix.
            Pattern::P2p => format!("{prefix}/p2p/{flow:04}"),
            Pattern::Fanin => format!("{prefix}/in/{:03}/{flow}", flow % self.subscribers),
            Pattern::Fanout => format!("{prefix}/fan/all"),
        }
    }

    fn filter(&self, subscriber: u32) -> String {
        match self.pattern {
            Pattern::Fanin => format!("{}/in/{subscriber:03}/#", self.shape.topic_prefix),
            Pattern::P2p | Pattern::Fanout => self.topic(subscriber),
        }
    }

    fn flows(&self, subscriber: u32) -> FlowRange {
        match self.pattern {
            Pattern::P2p => FlowRange { first: subscriber, step: 1, count: 1 },
            Pattern::Fanout => FlowRange { first: 0, step: 1, count: self.publishers },
            Pattern::Fanin => FlowRange {
                first: subscriber,
                step: self.subscribers,
                count: self.publishers.saturating_sub(subscriber).div_ceil(self.subscribers),
            },
        }
    }

    /// A publisher lives with its subscriber, as far as there is one.
    fn publisher_thread(&self, flow: u32) -> usize {
        let near = match self.pattern {
            Pattern::Fanin if self.subscribers as usize >= self.threads => flow % self.subscribers,
            _ => flow,
        };
        near as usize % self.threads
    }
}

impl ClientPlan {
    /// The state machine of this client.
    pub fn client(&self, load: Load) -> Client {
        let none = FlowRange { first: 0, step: 1, count: 0 };
        let subscriber = |flows| Role::Subscriber(Subscriber::new(flows, load.version, load.size));
        let (subscription, role) = match &self.task {
            Task::Publish { flow, topic } => {
                (None, Role::Publisher(Publisher::new(*flow, topic, load)))
            }
            Task::Subscribe { filter, flows } => {
                (Some((filter.clone(), load.qos)), subscriber(*flows))
            }
            Task::Idle { .. } => (None, subscriber(none)),
        };
        Client::new(self.client_id.clone(), load.version, subscription, role)
    }

    /// The flow it publishes.
    pub fn flow(&self) -> Option<u32> {
        match self.task {
            Task::Publish { flow, .. } => Some(flow),
            Task::Subscribe { .. } | Task::Idle { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;
    use pondhawk::protocol::filter_matches;

    fn plan(line: &str) -> Result<Plan, String> {
        let words = format!("loadgen {line} --target 127.0.0.1:1");
        match Cli::parse_from(words.split_whitespace()).command {
            Command::P2p(args) => Plan::new(Pattern::P2p, &args.shape),
            Command::Fanin(args) => Plan::new(Pattern::Fanin, &args.shape),
            Command::Fanout(args) => Plan::new(Pattern::Fanout, &args.shape),
            other => panic!("{other:?} is no load"),
        }
    }

    /// Every subscriber expects exactly the flows whose topic its filter matches.
    fn check_expectations(plan: &Plan) {
        let topics = plan.clients.iter().filter_map(|client| match &client.task {
            Task::Publish { flow, topic } => Some((*flow, topic.as_str())),
            _ => None,
        });
        let topics: Vec<_> = topics.collect();
        let mut deliveries = 0;
        for client in &plan.clients {
            if let Task::Subscribe { filter, flows } = &client.task {
                let matching = topics.iter().filter(|(_, topic)| filter_matches(filter, topic));
                let matching: Vec<_> = matching.map(|&(flow, _)| flow).collect();
                assert_eq!(flows.iter().collect::<Vec<_>>(), matching, "{filter}");
                deliveries += matching.len() as u64;
            }
        }
        assert_eq!(deliveries, plan.copies * u64::from(plan.flows));
    }

    #[test]
    fn subscribers_expect_the_flows_that_match() {
        for line in [
            "p2p --pairs 7 --threads 3",
            "fanin --pubs 10 --subs 3 --threads 2",
            "fanin --pubs 2 --subs 5",
            "fanout --pubs 3 --subs 20 --threads 2",
        ] {
            check_expectations(&plan(line).unwrap());
        }
    }

    #[test]
    fn pairs_share_a_thread() {
        let plan = plan("p2p --pairs 5 --threads 2").unwrap();
        for flow in 0..5 {
            let threads = plan.clients.iter().skip(flow).step_by(5).map(|c| c.thread);
            let threads: Vec<_> = threads.collect();
            assert_eq!(threads.len(), 2);
            assert_eq!(threads[0], threads[1]);
        }
    }

    #[test]
    fn the_window_holds_whole_batches() {
        assert_eq!(plan("p2p --batch 8").unwrap().load.window, Some(8));
        assert_eq!(plan("p2p --batch 8 --window 20").unwrap().load.window, Some(24));
        assert_eq!(plan("p2p --batch 8 --rate 100").unwrap().load.window, None);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "p2p --size 15",
            "p2p --batch 0",
            "p2p --batch 8 --window 7",
            "p2p --pubs 3",
            "fanout --pairs 3",
            "fanin --subs 0",
            "p2p --rate 5 --window 5",
        ] {
            assert!(plan(line).is_err(), "{line}");
        }
    }
}

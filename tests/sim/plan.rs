//! What a seed means: the options of the broker, the Clients, and the list of operations.
//!
//! Each seed mixes its own: every kind of operation has a weight that is often zero and sometimes
//! large, so that some runs are all takeovers and others have none.

use pondhawk::config::table::Listener;
use pondhawk::config::{Config, QueueFullPolicy, Runtime, SharedStrategy, UNLIMITED};
use pondhawk::util::Rng;

use crate::rights::Rights;
use crate::spec::{ConnectSpec, NEVER, PublishSpec, SubSpec, WillSpec};

/// Topics that messages are published to; the last ones are for groups.
pub const TOPICS: [&str; 9] =
    ["a", "a/b", "a/b/c", "a/c", "b", "b/c", "deep/1/2/3/4/5", "g/1", "g/2"];
/// Topic Filters without those of groups.
const FILTERS: [&str; 11] =
    ["a", "a/b", "a/+", "a/#", "a/b/c", "b/+", "b/#", "b", "deep/#", "deep/+/2/#", "a/+/c"];
/// Filters that also match the topics of groups: for Clients that are in no group, so that a copy
/// is always known by what it came for.
const WIDE: [&str; 5] = ["#", "+", "+/#", "g/+", "+/b"];
const GROUPS: [(&str, &str); 2] = [("one", "g/+"), ("two", "g/#")];

/// One thing that happens. It names Clients and shards by number and does nothing where it makes
/// no sense, so any part of a list is a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The Client opens a connection to that shard; one that it has is left behind, open.
    Connect {
        client: usize,
        shard: usize,
        spec: ConnectSpec,
    },
    /// `alias` 0 is none.
    Publish {
        client: usize,
        message: PublishSpec,
        alias: u16,
    },
    Subscribe {
        client: usize,
        filters: Vec<SubSpec>,
        subscription_id: u32,
    },
    Unsubscribe {
        client: usize,
        filter: SubSpec,
    },
    Ping {
        client: usize,
    },
    /// The Client sends what none may, of that kind.
    Offend {
        client: usize,
        kind: u8,
    },
    Disconnect {
        client: usize,
        reason: u8,
        expiry_s: Option<u32>,
    },
    /// The network connection breaks; `reset` throws away what is under way.
    Cut {
        client: usize,
        old: bool,
        reset: bool,
    },
    /// So many of the Client's bytes reach the broker's socket.
    Feed {
        client: usize,
        old: bool,
        bytes: usize,
    },
    /// The Client reads so many bytes.
    Read {
        client: usize,
        bytes: usize,
    },
    /// The Client sends acknowledgements that it owes, from the `from`-th on.
    Answer {
        client: usize,
        count: usize,
        from: usize,
    },
    /// The shard has one turn, if it has anything to do.
    Turn {
        shard: usize,
    },
    /// Time passes, in ms.
    Pass {
        ms: u64,
    },
    /// The connection takes no more than `room` unread bytes.
    Stall {
        client: usize,
        room: usize,
    },
    /// Memory pressure as the control plane sets it.
    Pressure {
        level: u8,
    },
    /// Everything under way inside the broker arrives; then what is at rest is checked.
    Settle,
    /// The broker stops.
    Drain,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub shards: usize,
    pub clients: usize,
    pub config: Runtime,
    pub rights: Rights,
    /// Commands that a turn takes from the mailbox.
    pub mailbox_budget: usize,
    /// Clients answer what they read at once.
    pub prompt: bool,
    /// Every operation on a Client is followed by bytes and turns.
    pub lively: bool,
    pub ops: Vec<Op>,
}

/// Draws from a seed.
struct Draw {
    rng: Rng,
    mids: u32,
    weights: Vec<(Kind, u64)>,
    shards: usize,
    clients: usize,
    retain: u64,
    expiries: bool,
    wills: u64,
    persistent: u64,
    small: bool,
    groups: bool,
    sizes: usize,
    levels: Vec<u8>,
    keep_alive: bool,
    steps: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connect,
    Publish,
    Subscribe,
    Unsubscribe,
    Ping,
    Disconnect,
    Cut,
    Feed,
    Read,
    Answer,
    Turn,
    Pass,
    Stall,
    Pressure,
    Settle,
    Offend,
    Knock,
}

/// Usual weights; a seed changes each.
const WEIGHTS: [(Kind, u64); 17] = [
    (Kind::Connect, 14),
    (Kind::Publish, 60),
    (Kind::Subscribe, 16),
    (Kind::Unsubscribe, 5),
    (Kind::Ping, 2),
    (Kind::Disconnect, 4),
    (Kind::Cut, 5),
    (Kind::Feed, 90),
    (Kind::Read, 60),
    (Kind::Answer, 50),
    (Kind::Turn, 90),
    (Kind::Pass, 8),
    (Kind::Stall, 4),
    (Kind::Pressure, 1),
    (Kind::Settle, 6),
    (Kind::Offend, 1),
    (Kind::Knock, 1),
];

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let shards = [1, 1, 2, 2, 3, 4][rng.below(6) as usize];
        let clients = 2 + rng.below(7) as usize;
        let config = config(&mut rng, shards);
        let mailbox_budget = [1, 4, 10_000, 10_000][rng.below(4) as usize];
        let prompt = rng.below(2) == 0;
        let lively = rng.below(3) == 0;
        let steps = [150, 400, 400, 1000][rng.below(4) as usize];
        let mut draw = Draw::new(rng, shards, clients);
        if config.turn.read_bytes < 100 {
            // A few bytes a turn, and large messages on top, would take for ever.
            draw.sizes = draw.sizes.min(400);
        }
        let rights = draw.rights();
        let mut ops: Vec<Op> = (0..clients).map(|client| draw.connect(client)).collect();
        ops.extend((0..clients).map(|client| draw.subscribe(client)));
        ops.extend((0..steps).map(|_| draw.op()));
        if draw.chance(1, 10) {
            ops.push(Op::Drain);
        }
        Self { seed, shards, clients, config, rights, mailbox_budget, prompt, lively, ops }
    }
}

fn config(rng: &mut Rng, shards: usize) -> Runtime {
    let mut pick = |of: &[u64]| of[rng.below(of.len() as u64) as usize];
    let mut config = Config { listeners: vec![Listener::default()], ..Config::default() };
    config.security.allow_anonymous = Some(true);
    let mut config = config.compile(shards);
    config.shards = shards;
    config.session.queued_messages = pick(&[3, 10, 1000, 1000]);
    config.session.queued_bytes = pick(&[300, 2_000, UNLIMITED, UNLIMITED, UNLIMITED]);
    config.session.inflight_bytes = pick(&[150, 1_000, UNLIMITED, UNLIMITED, UNLIMITED]);
    config.session.inflight_messages = pick(&[1, 2, 5, 20, 20]) as u16;
    config.session.queue_qos0 = pick(&[0, 0, 1]) == 1;
    config.session.qos0_buffer_bytes = pick(&[0, 200, 1 << 20]);
    config.session.queue_full = match pick(&[0, 0, 1, 2]) {
        0 => QueueFullPolicy::DropNewest,
        1 => QueueFullPolicy::DropOldest,
        _ => QueueFullPolicy::Disconnect,
    };
    config.packets.receive_maximum = pick(&[1, 3, 20]) as u16;
    config.packets.strict = true;
    config.packets.user_properties = 3;
    config.features.duplicates = pick(&[0, 0, 0, 1]) == 1;
    config.features.shared_strategy = match pick(&[0, 0, 1, 2, 3, 4]) {
        0 => SharedStrategy::RoundRobin,
        1 => SharedStrategy::Sticky,
        2 => SharedStrategy::HashClient,
        3 => SharedStrategy::HashTopic,
        _ => SharedStrategy::LeastQueued,
    };
    config.turn.mailbox_high_water = pick(&[1, 4, 4096, 4096]) as usize;
    config.turn.read_packets = pick(&[1, 2, 5, 1000]) as usize;
    config.turn.read_bytes = pick(&[7, 64, 65_536]) as usize;
    config.turn.output_high_water = pick(&[1, 300, 1 << 20, 1 << 20]) as usize;
    config
}

/// In some runs connections last, so that more comes of what is said on them.
fn calm(rng: &mut Rng, mut weights: Vec<(Kind, u64)>) -> Vec<(Kind, u64)> {
    if rng.below(3) == 0 {
        for (kind, weight) in &mut weights {
            use Kind::{Connect, Cut, Disconnect, Offend};
            if matches!(kind, Connect | Cut | Disconnect | Offend) {
                *weight /= 10;
            }
        }
    }
    weights
}

impl Draw {
    fn new(mut rng: Rng, shards: usize, clients: usize) -> Self {
        let weights: Vec<(Kind, u64)> = WEIGHTS
            .iter()
            .map(|(kind, weight)| {
                let factor = [0, 1, 2, 2, 4, 10][rng.below(6) as usize];
                // Without these nothing would happen at all.
                let vital = matches!(kind, Kind::Publish | Kind::Feed | Kind::Read | Kind::Turn);
                (*kind, weight * if vital { factor.max(1) } else { factor })
            })
            .collect();
        let weights = calm(&mut rng, weights);
        let mut yes = |of: u64| rng.below(of) == 0;
        let (expiries, small, groups, keep_alive) = (yes(3), yes(2), yes(2), yes(4));
        let retain = [0, 10, 10, 60][rng.below(4) as usize];
        let wills = [0, 20, 70][rng.below(3) as usize];
        let persistent = [10, 50, 90][rng.below(3) as usize];
        let sizes = [0, 30, 400, 40_000][rng.below(4) as usize];
        let levels: &[u8] = [&[5, 5, 4, 3][..], &[5], &[3, 4]][rng.below(3) as usize];
        let levels = levels.to_vec();
        let steps = [300, 3_000, 40_000][rng.below(3) as usize];
        Self {
            rng,
            mids: 0,
            weights,
            shards,
            clients,
            retain,
            expiries,
            wills,
            persistent,
            small,
            groups,
            sizes,
            levels,
            keep_alive,
            steps,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn chance(&mut self, n: u64, of: u64) -> bool {
        self.rng.below(of) < n
    }

    fn percent(&mut self, n: u64) -> bool {
        self.chance(n, 100)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn mid(&mut self) -> u32 {
        self.mids += 1;
        self.mids
    }

    fn op(&mut self) -> Op {
        let total: u64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut at = self.rng.below(total);
        let mut drawn = Kind::Turn;
        for (kind, weight) in &self.weights {
            if at < *weight {
                drawn = *kind;
                break;
            }
            at -= weight;
        }
        let client = self.below(self.clients);
        match drawn {
            Kind::Connect => self.connect(client),
            Kind::Publish => self.publish(client),
            Kind::Subscribe => self.subscribe(client),
            Kind::Unsubscribe => Op::Unsubscribe { client, filter: self.filter(client) },
            Kind::Ping => Op::Ping { client },
            Kind::Disconnect => {
                let reason = self.pick(&[0, 0, 4]);
                let expiry_s = self.percent(20).then(|| self.pick(&[0, 1, 30]));
                Op::Disconnect { client, reason, expiry_s }
            }
            Kind::Cut => Op::Cut { client, old: self.percent(30), reset: self.percent(50) },
            Kind::Feed => Op::Feed { client, old: self.percent(10), bytes: self.piece() },
            Kind::Read => Op::Read { client, bytes: self.piece() },
            Kind::Answer => Op::Answer {
                client,
                count: 1 + self.below(8),
                from: self.pick(&[0, 0, 0, 0, 1, 3]),
            },
            Kind::Turn => Op::Turn { shard: self.below(self.shards) },
            Kind::Pass => Op::Pass { ms: 1 + self.rng.below(self.steps) },
            Kind::Stall => Op::Stall { client, room: self.pick(&[0, 1, 60, 1000, usize::MAX]) },
            Kind::Pressure => Op::Pressure { level: self.pick(&[0, 0, 2, 3]) },
            Kind::Settle => Op::Settle,
            Kind::Offend => Op::Offend { client, kind: self.below(8) as u8 },
            Kind::Knock => self.knock(client),
        }
    }

    fn piece(&mut self) -> usize {
        let few = 1 + self.below(20);
        self.pick(&[1, few, 200, usize::MAX, usize::MAX])
    }

    fn connect(&mut self, client: usize) -> Op {
        let level = self.pick(&self.levels.clone());
        let persistent = self.percent(self.persistent);
        let v5 = level == 5;
        let will = self.percent(self.wills).then(|| WillSpec {
            mid: self.mid(),
            topic: self.pick(&TOPICS).into(),
            qos: self.below(3) as u8,
            retain: self.retain > 0 && self.percent(20),
            delay_s: if v5 { self.pick(&[0, 0, 1, 5, 60]) } else { 0 },
            expiry_s: (v5 && self.expiries && self.percent(30)).then(|| self.pick(&[1, 10])),
        });
        let spec = ConnectSpec {
            level,
            clean: !persistent || self.percent(20),
            expiry_s: if v5 && persistent { self.pick(&[1, 30, 600, NEVER, NEVER]) } else { 0 },
            keep_alive_s: if self.keep_alive { self.pick(&[0, 2, 20]) } else { 0 },
            receive_maximum: if v5 && self.small { self.pick(&[1, 2, 10]) } else { u16::MAX },
            maximum_packet_size: if v5 && self.small && self.percent(30) {
                self.pick(&[60, 300])
            } else {
                u32::MAX
            },
            alias_maximum: if v5 { self.pick(&[0, 0, 1, 3]) } else { 0 },
            will,
            username: None,
            unknown_method: false,
            eager: self.percent(20),
        };
        Op::Connect { client, shard: self.below(self.shards), spec }
    }

    /// Somebody who is not let in asks for a Client's session, and for its end.
    fn knock(&mut self, client: usize) -> Op {
        let Op::Connect { client, shard, spec } = self.connect(client) else { return Op::Settle };
        let (level, unknown_method) = (5, true);
        let spec = ConnectSpec { level, clean: true, unknown_method, eager: false, ..spec };
        Op::Connect { client, shard, spec }
    }

    /// In one run of four some Clients may not do everything.
    fn rights(&mut self) -> Rights {
        let mut rights = Rights { restricted: self.chance(1, 4), ..Rights::default() };
        if !rights.restricted {
            return rights;
        }
        for client in 0..self.clients {
            let (reading, writing, both) = self.pick(&[(0, 0, 20), (15, 15, 10), (40, 5, 0)]);
            for topic in TOPICS {
                let pair = (client, topic.to_owned());
                let nothing = self.percent(both);
                if nothing || self.percent(reading) {
                    rights.unreadable.insert(pair.clone());
                }
                if nothing || self.percent(writing) {
                    rights.unwritable.insert(pair);
                }
            }
        }
        rights
    }

    fn publish(&mut self, client: usize) -> Op {
        let retain = self.percent(self.retain);
        let topic = self.pick(&TOPICS);
        let message = PublishSpec {
            mid: self.mid(),
            topic: topic.into(),
            qos: self.below(3) as u8,
            retain,
            empty: retain && self.percent(20),
            size: self.below(self.sizes + 1),
            expiry_s: (self.expiries && self.percent(40)).then(|| self.pick(&[1, 5, 100])),
        };
        Op::Publish { client, message, alias: self.pick(&[0, 0, 1, 2, 3]) }
    }

    /// Odd Clients may be in a group, one each; then they have no wide filters.
    fn filter(&mut self, client: usize) -> SubSpec {
        let grouped = self.groups && client % 2 == 1;
        let (group, filter) = if grouped && self.percent(50) {
            let (group, filter) = GROUPS[client / 2 % GROUPS.len()];
            (Some(group.to_owned()), filter)
        } else if !grouped && self.percent(35) {
            (None, self.pick(&WIDE))
        } else {
            (None, self.pick(&FILTERS))
        };
        SubSpec {
            filter: filter.into(),
            no_local: group.is_none() && self.percent(15),
            group,
            qos: self.below(3) as u8,
            retain_as_published: self.percent(30),
            retain_handling: self.pick(&[0, 0, 1, 2]),
        }
    }

    fn subscribe(&mut self, client: usize) -> Op {
        let count = self.pick(&[1, 1, 1, 2, 3]);
        let mut filters: Vec<SubSpec> = Vec::new();
        for _ in 0..count {
            let filter = self.filter(client);
            if filters.iter().all(|other| other.full() != filter.full()) {
                filters.push(filter);
            }
        }
        let subscription_id = if self.percent(50) { 1 + self.rng.below(500) as u32 } else { 0 };
        Op::Subscribe { client, filters, subscription_id }
    }
}

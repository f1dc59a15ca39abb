//! Carries a plan out: operations change the Clients and the network, shards take turns, and the
//! model hears of everything in the order in which it happened.

use crate::client::{Client, Line};
use crate::model::broker::Model;
use crate::packet::{Delivery, Said};
use crate::plan::{Op, Plan};
use crate::spec::{ConnectSpec, Sent};
use crate::world::{Event, World};

/// What a run has done; added up over runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub seeds: u64,
    pub steps: u64,
    pub turns: u64,
    pub publications: u64,
    pub deliveries: u64,
    pub bytes_in: u64,
    pub bytes_lost: u64,
    pub packets_out: u64,
    pub publishes_out: u64,
    pub faults: Faults,
}

/// Faults injected, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Connections broken, with what was under way thrown away or not.
    pub cuts: u64,
    pub takeovers: u64,
    /// Takeovers and resumptions that moved a connection to another shard.
    pub moves: u64,
    /// Pieces of packets that arrived alone.
    pub pieces: u64,
    pub stalls: u64,
    pub clock_steps: u64,
    /// Connections held back because a mailbox was full.
    pub full_mailboxes: u64,
    /// Messages dropped at full queues.
    pub full_queues: u64,
    pub expiries: u64,
    pub wills: u64,
    pub drains: u64,
    /// Packets that no Client may send.
    pub offences: u64,
    /// Messages not taken or not given for want of rights.
    pub denials: u64,
}

/// See the module's documentation.
pub struct Run {
    pub plan: Plan,
    pub world: World,
    pub model: Model,
    pub clients: Vec<Client>,
    pub lines: Vec<Line>,
    pub totals: Totals,
    /// What the witness, the last of the Clients, was sent.
    pub seen: Vec<Delivery>,
    /// Connections that end in this step, for a reason that is not known yet.
    ending: Vec<usize>,
    /// Connections that end in this step, for whatever reason.
    ended: Vec<usize>,
    /// Of everything that went over the wire.
    trace: u64,
    /// Prints what happens; `POND_SIM_TRACE`.
    loud: bool,
}

impl Run {
    pub fn new(plan: Plan) -> Self {
        let world = World::new(&plan);
        let model = Model::new(plan.config.clone(), plan.rights.clone(), world.now.mono_ms);
        let maximum = plan.config.packets.receive_maximum;
        Self {
            // One more that only comes at the end, to see what is retained.
            clients: (0..=plan.clients).map(|number| Client::new(number, maximum)).collect(),
            lines: Vec::new(),
            totals: Totals { seeds: 1, ..Totals::default() },
            seen: Vec::new(),
            ending: Vec::new(),
            ended: Vec::new(),
            trace: plan.seed,
            loud: std::env::var_os("POND_SIM_TRACE").is_some(),
            plan,
            world,
            model,
        }
    }

    /// Runs a plan to its end; panics where the broker does what the model does not allow.
    /// Returns the totals and a hash of everything that the broker wrote.
    pub fn all(plan: Plan) -> (Totals, u64) {
        let mut run = Self::new(plan);
        for at in 0..run.plan.ops.len() {
            let op = run.plan.ops[at].clone();
            run.totals.steps += 1;
            if run.loud {
                println!("-- {} ms, {op:?}", run.world.now.mono_ms);
            }
            run.apply(&op);
            if run.plan.lively {
                run.enliven(&op);
            }
        }
        run.finish();
        run.count();
        (run.totals, run.trace)
    }

    fn count(&mut self) {
        use pondhawk::metrics::DropReason;
        let counters = self.world.counters();
        let value = |name: &str| counters.value(name).unwrap_or(0) as u64;
        let faults = &mut self.totals.faults;
        faults.takeovers = value("connects_taken_over");
        faults.full_mailboxes = self.world.held_back;
        faults.full_queues =
            counters.dropped(DropReason::QueueFull) + counters.dropped(DropReason::QueueOldest);
        faults.denials = counters.dropped(DropReason::NotAuthorised);
        faults.expiries = value("sessions_expired") + counters.dropped(DropReason::Expired);
        faults.wills = value("wills_sent");
        faults.moves = self.world.moved;
        self.totals.bytes_in = self.world.bytes_in;
        self.totals.publications = self.model.publications.len() as u64;
    }

    /// Lets what an operation has caused go on for a while.
    fn enliven(&mut self, op: &Op) {
        let (Op::Connect { client, .. }
        | Op::Publish { client, .. }
        | Op::Subscribe { client, .. }) = op
        else {
            return;
        };
        if let Some(line) = self.clients[*client].line {
            self.feed(line, usize::MAX);
            self.turn(self.world.sockets[line].shard);
            self.read(line, usize::MAX);
        }
    }

    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Connect { client, shard, spec } if !self.model.draining => {
                let socket = self.world.connect(*shard);
                self.model.opened(*client);
                let username = self.plan.rights.username(*client);
                let spec = ConnectSpec { username, ..spec.clone() };
                let one = &mut self.clients[*client];
                self.lines.push(match spec.unknown_method {
                    true => one.knock(*client, spec, socket),
                    false => one.connect(*client, spec, socket),
                });
            }
            Op::Connect { .. } => {}
            Op::Offend { client, kind } => {
                let properties = self.plan.config.packets.user_properties as usize;
                self.totals.faults.offences += 1;
                self.speak(*client, |one, line| one.offend(line, *kind, properties + 1));
            }
            Op::Publish { client, message, alias } => {
                self.speak(*client, |one, line| one.publish(line, message.clone(), *alias));
            }
            Op::Subscribe { client, filters, subscription_id } => {
                self.speak(*client, |one, line| {
                    one.subscribe(line, filters.clone(), *subscription_id);
                })
            }
            Op::Unsubscribe { client, filter } => {
                self.speak(*client, |one, line| one.unsubscribe(line, filter.clone()));
            }
            Op::Ping { client } => self.speak(*client, |one, line| one.ping(line)),
            Op::Disconnect { client, reason, expiry_s } => {
                self.speak(*client, |one, line| one.disconnect(line, *reason, *expiry_s));
            }
            Op::Cut { client, old, reset } => self.cut(*client, *old, *reset),
            Op::Feed { client, old, bytes } => {
                if let Some(line) = self.pick(*client, *old) {
                    self.feed(line, *bytes);
                }
            }
            Op::Read { client, bytes } => {
                if let Some(line) = self.clients[*client].line {
                    self.read(line, *bytes);
                }
            }
            Op::Answer { client, count, from } => {
                self.answer(*client, *count, *from);
            }
            Op::Turn { shard } => self.turn(*shard),
            Op::Pass { ms } => {
                self.totals.faults.clock_steps += 1;
                self.pass(*ms);
            }
            Op::Stall { client, room } => {
                if let Some(line) = self.clients[*client].line {
                    self.totals.faults.stalls += 1;
                    self.world.stall(line, *room);
                }
            }
            Op::Pressure { level } => self.set_pressure(*level),
            Op::Settle => {
                self.rest();
                self.check_at_rest();
            }
            Op::Drain => {
                self.totals.faults.drains += 1;
                self.drain();
            }
        }
    }

    pub fn set_pressure(&mut self, level: u8) {
        self.world.shared().set_pressure(level);
        let at = self.model.tick();
        if level > 0 { self.model.pressure.begin(at) } else { self.model.pressure.end(at) }
    }

    fn pick(&self, client: usize, old: bool) -> Option<usize> {
        let one = &self.clients[client];
        if old { one.old.last().copied() } else { one.line }
    }

    /// The Client says something on its connection, if it has one that it may speak on.
    fn speak(&mut self, client: usize, say: impl FnOnce(&mut Client, &mut Line)) {
        let Some(number) = self.clients[client].line else { return };
        let line = &mut self.lines[number];
        if self.clients[client].may_speak(line) {
            say(&mut self.clients[client], line);
        }
    }

    fn cut(&mut self, client: usize, old: bool, reset: bool) {
        let Some(line) = self.pick(client, old) else { return };
        if !std::mem::replace(&mut self.lines[line].left, true) {
            self.totals.faults.cuts += 1;
        }
        self.lines[line].out.clear();
        self.world.cut(line, reset);
        if old {
            self.clients[client].old.pop();
        } else {
            self.clients[client].line = None;
        }
    }

    /// Bytes of a connection reach the broker's socket.
    pub fn feed(&mut self, line: usize, bytes: usize) -> usize {
        let out = &mut self.lines[line].out;
        let count = bytes.min(out.len());
        if count == 0 {
            return 0;
        }
        if count < out.len() {
            self.totals.faults.pieces += 1;
        }
        let bytes: Vec<u8> = out.drain(..count).collect();
        self.world.feed(line, &bytes);
        count
    }

    /// The Client of a connection reads.
    pub fn read(&mut self, line: usize, bytes: usize) -> usize {
        let count = self.world.take(line, bytes);
        let heard = self.lines[line].hear(count);
        let number = self.lines[line].client;
        if self.clients[number].line != Some(line) {
            return count; // Left behind; nobody looks at what it says.
        }
        for said in heard {
            if self.lines[line].gives_up {
                break;
            }
            let said = self.for_client(line, said);
            self.clients[number].heard(&mut self.lines[line], said);
        }
        if self.lines[line].gives_up {
            self.cut(number, false, false);
            return count;
        }
        if self.plan.prompt {
            self.answer(number, usize::MAX, 0);
        }
        count
    }

    /// Version 3.1 cannot tell its Client whether the session was there: ours knows.
    fn for_client(&self, line: usize, said: Said) -> Said {
        match said {
            Said::Connack { code, .. } => {
                Said::Connack { present: self.model.lines[line].resumed, code }
            }
            other => other,
        }
    }

    pub fn answer(&mut self, client: usize, count: usize, from: usize) -> bool {
        let Some(line) = self.clients[client].line else { return false };
        if !self.clients[client].owes() || self.lines[line].left {
            return false;
        }
        self.clients[client].answer(&mut self.lines[line], count, from);
        true
    }

    pub fn pass(&mut self, ms: u64) {
        self.world.now.mono_ms += ms;
        self.world.now.wall_s += ms / 1000;
        self.model.now_ms = self.world.now.mono_ms;
    }

    /// One turn of a shard, if it has anything to do; the model hears of it.
    pub fn turn(&mut self, shard: usize) {
        if !self.world.is_ready(shard) {
            return;
        }
        self.totals.turns += 1;
        let began = self.model.tick();
        self.model.turn_shard = shard;
        (self.model.turn_began, self.model.step_began) = (began, began);
        let mut blocked = self.blocked_output(shard);
        let (events, emptied) = self.world.turn(shard);
        blocked.retain(|(line, _)| {
            let wrote =
                |event: &Event| matches!(event, Event::Wrote { socket, .. } if socket == line);
            !events.iter().any(wrote)
        });
        for event in events {
            self.hear(shard, event);
        }
        let ended = self.model.tick();
        self.model.turns.had(shard, began, ended, emptied);
        self.model.last_turn_ms[shard] = self.model.now_ms;
        self.check_memory(shard, &blocked);
    }

    fn hear(&mut self, shard: usize, event: Event) {
        match event {
            Event::Handled { socket, packets } => {
                self.model.begin_step();
                for _ in 0..packets {
                    let sent = self.lines[socket].pop_sent();
                    let sent = sent.expect("the broker counts packets that were not sent");
                    if self.loud {
                        println!("shard {shard} connection {socket}: {sent:?}");
                    }
                    self.model.handled(socket, shard, &sent);
                }
            }
            Event::Timed { expired, wills } => self.timed(expired, wills),
            Event::Step => {
                self.end_known();
                let unknown = &self.ending;
                assert!(unknown.is_empty(), "connections {unknown:?} were closed for no reason");
                // What else happened in the step may have been another reason, and the first.
                for socket in std::mem::take(&mut self.ended) {
                    let reasons = self.reasons(socket);
                    self.model.lines[socket].goodbyes.extend(reasons);
                }
                self.model.end_step();
            }
            Event::Wrote { socket, bytes } => self.wrote(socket, &bytes),
            Event::Ending { socket } => self.ending(socket),
            Event::Closed { socket, lost } => {
                self.totals.bytes_lost += lost as u64;
                self.check_told(socket, lost);
                if lost > 0
                    && let Some(own) = self.model.lines[socket].session
                {
                    let at = self.model.tick();
                    let lost_output = &mut self.model.sessions[own].lost_output;
                    lost_output.begin(at);
                    lost_output.end(at);
                }
            }
            Event::Blocked { socket, blocked } => {
                let at = self.model.tick();
                if let Some(own) = self.model.lines[socket].session
                    && self.model.lines[socket].bound
                {
                    let spans = &mut self.model.sessions[own].blocked;
                    if blocked { spans.begin(at) } else { spans.end(at) }
                }
            }
        }
    }

    /// Who speaks version 5 is told why the broker ends its connection, unless it is gone: after
    /// an offence [MQTT-4.13.1-1], when its session is taken over [MQTT-3.1.4-3], and else.
    fn check_told(&self, socket: usize, lost: usize) {
        let state = &self.model.lines[socket];
        let hears = lost == 0 && !self.lines[socket].left && self.lines[socket].spec.is_v5();
        let told = state.said_goodbye || !state.owes_goodbye || !hears;
        assert!(told, "connection {socket} was closed without a word");
    }

    fn wrote(&mut self, socket: usize, bytes: &[u8]) {
        for byte in bytes {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
        let line = &mut self.lines[socket];
        let (level, aliases) = (line.spec.level, line.spec.alias_maximum);
        for (end, said) in line.reader.read(bytes, level, aliases) {
            self.totals.packets_out += 1;
            if self.loud {
                println!("  to connection {socket}: {said:?}");
            }
            if matches!(said, Said::Publish(_)) {
                self.totals.publishes_out += 1;
                self.totals.deliveries += 1;
            }
            if let Said::Publish(delivery) = &said
                && self.lines[socket].client == self.plan.clients
            {
                self.seen.push(delivery.clone());
            }
            self.model.said(socket, &said);
            self.lines[socket].said.push_back((end, said));
        }
    }

    /// The broker ends a connection: by the Client's wish, because it is gone, or for a reason
    /// that the model knows.
    fn ending(&mut self, socket: usize) {
        self.ended.push(socket);
        let state = &self.model.lines[socket];
        if !state.bound {
            let connected = state.session.is_some();
            let late = self.model.now_ms >= state.accepted_ms + self.plan.config.connect.timeout_ms;
            let refused = state.refused.is_some();
            let left = self.lines[socket].left;
            let known = connected || refused || late || left || self.model.draining;
            assert!(known, "connection {socket} was closed before CONNECT for no reason");
            return;
        }
        if let Some((Sent::Offence { .. }, _)) = self.lines[socket].sent.front()
            && let Some(sent) = self.lines[socket].pop_sent()
        {
            // Too broken to be counted as a packet.
            let shard = self.world.sockets[socket].shard;
            let others = self.reasons(socket);
            self.model.lines[socket].goodbyes.extend(others);
            return self.model.handled(socket, shard, &sent);
        }
        if !self.ends(socket) {
            // By what another connection's end has brought, perhaps, which is still to be told.
            self.ending.push(socket);
        }
    }

    /// Timers end connections and sessions and publish Wills, and these fill queues, for which
    /// other connections end: with Wills of their own, and so on.
    fn timed(&mut self, expired: u64, wills: u64) {
        self.end_known();
        while self.model.catch_up() {
            self.end_known();
        }
        self.model.check_due(expired, wills);
    }

    /// Ends the connections for whose end there is a reason by now. Each of those may be the reason
    /// for others, whatever the order in which the broker has told of them.
    fn end_known(&mut self) {
        loop {
            let ending = std::mem::take(&mut self.ending);
            let before = ending.len();
            self.ending = ending.into_iter().filter(|socket| !self.ends(*socket)).collect();
            if self.ending.len() == before {
                break;
            }
        }
    }

    /// Why the broker may end the connection, as far as the model knows by now.
    fn reasons(&self, socket: usize) -> Vec<u8> {
        self.model.reasons_to_close(socket, self.world.sockets[socket].heard_ms)
    }

    /// The session loses its connection, if there is a reason for that.
    fn ends(&mut self, socket: usize) -> bool {
        let reasons = self.reasons(socket);
        if reasons.is_empty() && !self.lines[socket].left {
            return false;
        }
        self.model.lines[socket].owes_goodbye |= !self.lines[socket].left;
        self.model.lines[socket].goodbyes.extend(reasons);
        self.model.unbound(socket, true);
        true
    }

    /// Turns of all shards until none has anything to do. True if any had.
    pub fn rest(&mut self) -> bool {
        let mut any = false;
        for _ in 0..20_000 {
            let ready = (0..self.plan.shards).find(|shard| self.world.is_ready(*shard));
            let Some(first) = ready else {
                self.check_nothing_forgotten();
                return any;
            };
            any = true;
            for shard in first..self.plan.shards {
                self.turn(shard);
            }
        }
        panic!("the shards never come to rest");
    }

    fn check_nothing_forgotten(&self) {
        assert!(self.world.is_mail_done(), "mail waits and nobody was woken for it");
        if let Some(socket) = self.world.forgotten() {
            panic!("connection {socket} has input and nobody will look at it");
        }
    }

    /// The shards have nothing to do: what is due was done, what was asked is answered.
    pub fn check_at_rest(&mut self) {
        self.model.check_nothing_overdue();
        let mut written = Vec::new();
        for line in 0..self.lines.len() {
            let pending = self.world.pending(line);
            let state = &self.model.lines[line];
            if state.bound && pending == 0 {
                self.model.check_answered(line);
                written.push(line);
            } else if state.session.is_some() && !state.bound && pending == 0 {
                let closed = self.world.sockets[line].closed;
                assert!(closed, "connection {line} is open although its session has another");
            }
        }
        if self.world.counters().value("queued_messages") == Some(0) {
            self.model.queues_are_empty(&written);
        }
    }
}

//! The network and the shards' event loops: what sockets, the kernel and the reactor are to the
//! broker in production. Edge-triggered readiness, sleeping shards that only a wake rouses,
//! budgets, connections held back while a mailbox is full.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use mio::{Poll, Token, Waker};
use pondhawk::auth::{Methods, Policies, Policy, parse_acl_file};
use pondhawk::config::ListenerRuntime;
use pondhawk::metrics::{ShardMetrics, Snapshot};
use pondhawk::shard::{Adopt, Command, Served, Settings, Shard, Shared};
use pondhawk::util::Now;

use crate::plan::{Plan, TOPICS};
use crate::socket::{Loop, Ready, Socket};

/// Turns after which a shard brings together what it holds, as when a crowd has gone.
const TURNS_TO_COMPACT: u64 = 48;

/// Something that a turn did, in the order in which it was done.
#[derive(Debug)]
pub enum Event {
    /// The broker has handled so many whole packets of the connection.
    Handled { socket: usize, packets: usize },
    /// The broker has written bytes.
    Wrote { socket: usize, bytes: Vec<u8> },
    /// The broker has ended the connection, or has heard of its end; output may follow.
    Ending { socket: usize },
    /// The broker is done with the connection; `lost` bytes of output were thrown away.
    Closed { socket: usize, lost: usize },
    /// The connection's write buffer is full, or no longer.
    Blocked { socket: usize, blocked: bool },
    /// The turn's timers have run: sessions that have expired and Wills that were published, in
    /// all.
    Timed { expired: u64, wills: u64 },
    /// A command, a piece of input or the timers are done with; in which order the connections
    /// and sessions that ended by it did so cannot be seen.
    Step,
}

/// See the module's documentation.
pub struct World {
    shards: Vec<Shard>,
    shared: Arc<Shared>,
    loops: Vec<Loop>,
    pub sockets: Vec<Socket>,
    listener: Arc<ListenerRuntime>,
    pub now: Now,
    read_bytes: usize,
    mailbox_budget: usize,
    /// Turns that found a full mailbox elsewhere and held a connection back.
    pub held_back: u64,
    /// Connections that went from one shard to another.
    pub moved: u64,
    /// Bytes handed to the broker.
    pub bytes_in: u64,
    /// Turns of all shards.
    turns: u64,
    events: Vec<Event>,
}

/// One for all runs: nobody polls it, mailboxes only have to have one.
fn waker() -> Arc<Waker> {
    static WAKER: OnceLock<(Poll, Arc<Waker>)> = OnceLock::new();
    let (_, waker) = WAKER.get_or_init(|| {
        let poll = Poll::new().expect("a poll");
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).expect("a waker"));
        (poll, waker)
    });
    Arc::clone(waker)
}

/// The plan's access control list, for its only listener.
fn restricted(plan: &Plan) -> Policies {
    let file = plan.rights.file(plan.clients, &TOPICS);
    let (acl, warnings) = parse_acl_file(file.as_bytes()).expect("a list of plain rules");
    assert!(warnings.is_empty(), "{warnings:?}");
    let policy = Policy { acl: Some(Arc::new(acl)), ..Policy::open(true) };
    Policies::new(1, [(plan.config.listeners[0].id, Arc::new(policy))])
}

impl World {
    pub fn new(plan: &Plan) -> Self {
        let config = &plan.config;
        let shards = config.shards;
        let now = Now { mono_ms: 1_000, wall_s: 0 };
        let water = config.turn.mailbox_high_water;
        let mut settings = Settings::from(config.clone());
        if plan.rights.restricted {
            settings.policies = Arc::new(restricted(plan));
        }
        let settings = Arc::new(settings);
        let shared = Arc::new(Shared::seeded(shards, water, Methods::default(), plan.seed));
        for mailbox in &shared.mailboxes {
            mailbox.attach(waker());
        }
        let shard = |id| Shard::new(id, Arc::clone(&shared), Arc::clone(&settings), now);
        Self {
            shards: (0..shards as u16).map(shard).collect(),
            loops: (0..shards).map(|_| Loop::new()).collect(),
            sockets: Vec::new(),
            listener: Arc::clone(&config.listeners[0]),
            now,
            read_bytes: config.turn.read_bytes,
            mailbox_budget: plan.mailbox_budget,
            held_back: 0,
            moved: 0,
            bytes_in: 0,
            turns: 0,
            events: Vec::new(),
            shared,
        }
    }

    /// What the broker counts, all shards together.
    pub fn counters(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// One gauge, all shards together.
    pub fn gauge(&self, of: impl Fn(&ShardMetrics) -> i64) -> i64 {
        self.shared.metrics.iter().map(of).sum()
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn shard(&self, shard: usize) -> &Shard {
        &self.shards[shard]
    }

    /// A Client's connection is accepted by `shard`.
    pub fn connect(&mut self, shard: usize) -> usize {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        self.shared.add_load(shard as u16, 1);
        // The production driver accepts within a turn, which has read the clock.
        self.shards[shard].begin_turn(self.now);
        let key = self.shards[shard].accept(Arc::clone(&self.listener), peer);
        let socket = self.sockets.len();
        self.sockets.push(Socket::new(shard, key, self.now.mono_ms));
        self.loops[shard].seat(key, socket);
        self.loops[shard].work_left = true;
        socket
    }

    /// Bytes of the Client arrive.
    pub fn feed(&mut self, socket: usize, bytes: &[u8]) {
        let end = &mut self.sockets[socket];
        if bytes.is_empty() || end.closed || end.reset || end.eof {
            return;
        }
        end.inbox.extend(bytes);
        self.announce(socket, Ready::Read(socket));
    }

    /// The Client's end of the connection is gone.
    pub fn cut(&mut self, socket: usize, reset: bool) {
        let end = &mut self.sockets[socket];
        if end.closed || end.eof {
            return;
        }
        end.eof = true;
        end.reset = reset;
        if reset {
            end.inbox.clear();
        }
        // Nobody reads any more; what is written vanishes.
        end.room = usize::MAX;
        self.announce(socket, Ready::Read(socket));
        self.announce(socket, Ready::Write(socket));
    }

    /// The Client takes up to `bytes` of what was written.
    pub fn take(&mut self, socket: usize, bytes: usize) -> usize {
        let end = &mut self.sockets[socket];
        let taken = bytes.min(end.outbox.len());
        end.outbox.drain(..taken);
        if taken > 0 && end.blocked && end.outbox.len() < end.room {
            self.announce(socket, Ready::Write(socket));
        }
        taken
    }

    /// The Client's side takes no more than `room` unread bytes.
    pub fn stall(&mut self, socket: usize, room: usize) {
        let end = &mut self.sockets[socket];
        end.room = room;
        if end.blocked && end.outbox.len() < room {
            self.announce(socket, Ready::Write(socket));
        }
    }

    fn announce(&mut self, socket: usize, ready: Ready) {
        let end = &self.sockets[socket];
        // One that moves is registered anew where it arrives, which tells of what waits.
        if !end.closed && !end.moving {
            self.loops[end.shard].events.push_back(ready);
        }
    }

    /// Pushes a command as the control plane does.
    pub fn command(&self, shard: usize, command: Command) {
        let weight = command.weight();
        self.shared.mailboxes[shard].push(vec![command], weight);
    }

    /// Whether anything has happened that makes the shard take a turn.
    pub fn is_ready(&self, shard: usize) -> bool {
        let own = &self.loops[shard];
        let woken = own.asleep && !self.shared.mailboxes[shard].is_asleep();
        let due = self.shards[shard].next_deadline().is_some_and(|at| at <= self.now.mono_ms);
        own.work_left || !own.events.is_empty() || woken || due
    }

    /// No mail anywhere, taken or not.
    pub fn is_mail_done(&self) -> bool {
        self.shared.mailboxes.iter().all(|mailbox| mailbox.depth_commands() == 0)
    }

    /// Connections whose input the broker has not looked at although it is at rest.
    pub fn forgotten(&self) -> Option<usize> {
        self.sockets.iter().position(|end| {
            let unread = !end.inbox.is_empty() || (end.eof && !end.ending);
            let waits = self.shards[end.shard].is_backed_up(end.key);
            !end.closed && !end.moving && !waits && (unread || end.unfinished)
        })
    }

    /// Whether the broker has found that the connection takes no more for now.
    pub fn is_blocked(&self, socket: usize) -> bool {
        let end = &self.sockets[socket];
        end.blocked && !end.closed && !end.moving
    }

    /// Unsent output of a connection that the broker holds.
    pub fn pending(&mut self, socket: usize) -> usize {
        let end = &self.sockets[socket];
        if end.closed || end.moving {
            return 0;
        }
        self.shards[end.shard].link(end.key).map_or(0, |link| link.out.pending())
    }

    /// One turn of one shard. Returns what it did and whether it emptied its mailbox.
    pub fn turn(&mut self, shard: usize) -> (Vec<Event>, bool) {
        if std::mem::take(&mut self.loops[shard].asleep) {
            self.shared.mailboxes[shard].awake();
        }
        let congested = self.shards[shard].begin_turn(self.now);
        let own = &mut self.loops[shard];
        if own.congested && !congested {
            own.run.extend(std::mem::take(&mut own.held_back));
        }
        own.congested = congested;
        self.turns += 1;
        if self.turns.is_multiple_of(TURNS_TO_COMPACT) {
            self.shards[shard].compact();
        }
        let mail_left = self.mailbox(shard);
        self.dispatch(shard);
        let queue_left = self.run_queue(shard);
        self.shards[shard].timers();
        self.find_endings(shard);
        let sum = |of: fn(&ShardMetrics) -> u64| self.shared.metrics.iter().map(of).sum();
        let expired = sum(|metrics| metrics.sessions_expired.get());
        let wills = sum(|metrics| metrics.wills_sent.get());
        self.events.extend([Event::Timed { expired, wills }, Event::Step]);
        self.flush(shard);
        self.shards[shard].end_turn();
        self.shards[shard].take_events();
        let flush_left = self.shards[shard].has_dirty() || !self.loops[shard].run.is_empty();
        let own = &mut self.loops[shard];
        own.work_left = mail_left || queue_left || flush_left;
        let due = self.shards[shard].next_deadline().is_some_and(|at| at <= self.now.mono_ms);
        if !own.work_left && own.events.is_empty() && !due {
            own.asleep = self.shared.mailboxes[shard].prepare_sleep();
            own.work_left = !own.asleep;
        }
        (std::mem::take(&mut self.events), !mail_left)
    }

    /// Handles mail up to the budget; true when the budget was used up.
    fn mailbox(&mut self, shard: usize) -> bool {
        let (mut commands, mut weight) = (0, 0);
        while commands < self.mailbox_budget {
            let Some(command) = self.next_command(shard) else { break };
            commands += 1;
            weight += command.weight();
            self.carry_out(shard, command);
            self.note_endings(shard);
            if self.shards[shard].should_flush() {
                self.flush(shard);
            }
        }
        if commands > 0 {
            let waiters = self.shared.mailboxes[shard].done(commands, weight);
            self.shared.nudge(waiters);
        }
        commands == self.mailbox_budget
    }

    fn next_command(&mut self, shard: usize) -> Option<Command> {
        let own = &mut self.loops[shard];
        loop {
            if let Some(command) = own.batch.next() {
                return Some(command);
            }
            match own.mail.as_mut().and_then(Iterator::next) {
                Some(batch) => own.batch = batch.into_iter(),
                None => {
                    let mut batches = self.shared.mailboxes[shard].take();
                    own.batch = batches.next()?.into_iter();
                    own.mail = Some(batches);
                }
            }
        }
    }

    fn carry_out(&mut self, shard: usize, command: Command) {
        let Some(Command::Adopt(adopt)) = self.shards[shard].command(command) else { return };
        let Ok(socket) = adopt.wire.downcast::<usize>() else { return };
        if self.shards[shard].is_draining() {
            self.sockets[*socket].closed = true;
            self.events.push(Event::Ending { socket: *socket });
            self.events.push(Event::Closed { socket: *socket, lost: 0 });
            return;
        }
        let key = self.shards[shard].adopt(adopt.parked);
        let end = &mut self.sockets[*socket];
        (end.shard, end.key, end.moving) = (shard, key, false);
        end.unfinished = true;
        self.loops[shard].seat(key, *socket);
        self.announce(*socket, Ready::Read(*socket));
        self.enqueue(*socket);
    }

    fn enqueue(&mut self, socket: usize) {
        let end = &mut self.sockets[socket];
        if !std::mem::replace(&mut end.queued, true) {
            self.loops[end.shard].run.push_back(socket);
        }
    }

    fn dispatch(&mut self, shard: usize) {
        for _ in 0..self.loops[shard].events.len() {
            let Some(ready) = self.loops[shard].events.pop_front() else { break };
            match ready {
                Ready::Write(socket) => self.writable(shard, socket),
                Ready::Read(socket) => {
                    let end = &mut self.sockets[socket];
                    if end.closed || end.moving || end.shard != shard {
                        continue;
                    }
                    end.readable = true;
                    end.hangup |= end.eof;
                    if !end.queued {
                        self.serve(socket);
                    }
                }
            }
        }
    }

    fn writable(&mut self, shard: usize, socket: usize) {
        let end = &self.sockets[socket];
        if end.closed || end.moving || end.shard != shard {
            return;
        }
        let Some(link) = self.shards[shard].link(end.key) else { return };
        if link.blocked {
            link.blocked = false;
            self.flush_one(socket);
            let end = &self.sockets[socket];
            if !end.closed && (end.readable || end.unfinished) {
                self.enqueue(socket);
            }
        }
    }

    fn run_queue(&mut self, shard: usize) -> bool {
        for _ in 0..self.loops[shard].run.len() {
            let Some(socket) = self.loops[shard].run.pop_front() else { break };
            self.sockets[socket].queued = false;
            let end = &self.sockets[socket];
            if !end.closed && !end.moving && end.shard == shard {
                self.serve(socket);
            }
        }
        !self.loops[shard].run.is_empty()
    }

    fn serve(&mut self, socket: usize) {
        let (shard, key) = (self.sockets[socket].shard, self.sockets[socket].key);
        if self.shards[shard].is_backed_up(key) {
            return; // Until its Client takes more: see `writable`.
        }
        if std::mem::take(&mut self.sockets[socket].unfinished) {
            let before = self.handled(shard);
            let served = self.shards[shard].resume(key);
            if !self.after(socket, before, served) {
                return;
            }
        }
        self.read(socket);
    }

    fn handled(&self, shard: usize) -> u64 {
        self.shards[shard].metrics().messages_received.get()
    }

    fn read(&mut self, socket: usize) {
        let end = &mut self.sockets[socket];
        if !end.readable || end.closed {
            return;
        }
        let (shard, key) = (end.shard, end.key);
        if end.reset || (end.inbox.is_empty() && end.eof) {
            end.readable = false;
            self.shards[shard].gone(key);
            self.note_endings(shard);
            return;
        }
        if end.inbox.is_empty() {
            end.readable = false;
            return;
        }
        let count = end.inbox.len().min(self.read_bytes);
        let bytes: Vec<u8> = end.inbox.drain(..count).collect();
        let drained = count < self.read_bytes && !end.hangup;
        end.readable = !drained;
        end.heard_ms = self.now.mono_ms;
        end.read += count;
        self.bytes_in += count as u64;
        let before = self.handled(shard);
        let served = self.shards[shard].bytes(key, &bytes);
        if self.after(socket, before, served) && !drained {
            self.enqueue(socket);
        }
        if self.shards[shard].should_flush() {
            self.flush(shard);
        }
    }

    /// True when the connection may go on reading.
    fn after(&mut self, socket: usize, before: u64, served: Served) -> bool {
        let shard = self.sockets[socket].shard;
        let packets = (self.handled(shard) - before) as usize;
        if packets > 0 {
            self.events.push(Event::Handled { socket, packets });
        }
        let goes_on = match served {
            Served::Idle => true,
            Served::Closed => false,
            Served::Waiting => panic!("nobody's password is checked here"),
            Served::Unfinished => {
                self.sockets[socket].unfinished = true;
                if self.shards[shard].is_held_back() {
                    self.hold_back(shard, socket);
                } else {
                    self.enqueue(socket);
                }
                false
            }
            Served::Moving(to) => {
                self.hand_over(shard, socket, to);
                false
            }
        };
        self.note_endings(shard);
        goes_on
    }

    fn hold_back(&mut self, shard: usize, socket: usize) {
        self.held_back += 1;
        let own = &mut self.loops[shard];
        own.congested = true;
        if !std::mem::replace(&mut self.sockets[socket].queued, true) {
            own.held_back.push(socket);
        }
    }

    fn hand_over(&mut self, shard: usize, socket: usize, to: u16) {
        let key = self.sockets[socket].key;
        let Some(parked) = self.shards[shard].park(key) else { return };
        self.loops[shard].sockets[key.index as usize] = None;
        self.sockets[socket].moving = true;
        self.moved += 1;
        let adopt = Adopt { parked, wire: Box::new(socket) };
        self.shards[shard].send(to, Command::Adopt(Box::new(adopt)));
    }

    /// Reports the connections of a shard that have begun to end in this step.
    fn note_endings(&mut self, shard: usize) {
        if self.find_endings(shard) {
            self.events.push(Event::Step);
        }
    }

    fn find_endings(&mut self, shard: usize) -> bool {
        let mut any = false;
        for index in 0..self.loops[shard].sockets.len() {
            let Some(socket) = self.loops[shard].sockets[index] else { continue };
            let key = self.sockets[socket].key;
            let closing = self.shards[shard].link(key).is_none_or(|link| link.closing);
            if closing && !std::mem::replace(&mut self.sockets[socket].ending, true) {
                self.events.push(Event::Ending { socket });
                any = true;
            }
        }
        any
    }

    fn flush(&mut self, shard: usize) {
        let mut dirty = self.shards[shard].take_dirty(Vec::new());
        for key in dirty.drain(..) {
            let socket = self.loops[shard].sockets.get(key.index as usize).copied().flatten();
            if let Some(socket) = socket.filter(|socket| self.sockets[*socket].key == key) {
                if let Some(link) = self.shards[shard].link(key) {
                    link.dirty = false;
                }
                self.flush_one(socket);
            }
        }
        self.note_endings(shard);
    }

    /// Writes what the socket takes.
    fn flush_one(&mut self, socket: usize) {
        let end = &mut self.sockets[socket];
        let (shard, key) = (end.shard, end.key);
        let Some(link) = self.shards[shard].link(key) else { return };
        let mut bytes = Vec::new();
        let mut failed = false;
        while !link.out.is_empty() && !link.blocked {
            if end.reset {
                failed = true;
                break;
            }
            let taken = end.room.saturating_sub(end.outbox.len() + bytes.len());
            let slices = link.out.slices(3);
            let start = bytes.len();
            for slice in slices.iter() {
                bytes.extend(slice.iter().take(taken - (bytes.len() - start)));
            }
            let wrote = bytes.len() - start;
            link.blocked = wrote == 0;
            drop(slices);
            link.out.consume(wrote);
        }
        if !end.eof {
            end.outbox.extend(&bytes);
        }
        let (closing, empty, blocked) = (link.closing, link.out.is_empty(), link.blocked);
        let lost = link.out.pending();
        if end.blocked != blocked {
            end.blocked = blocked;
            self.events.push(Event::Blocked { socket, blocked });
        }
        if !bytes.is_empty() {
            self.events.push(Event::Wrote { socket, bytes });
        }
        self.shards[shard].flushed(key);
        if closing {
            self.sockets[socket].closed = true;
            self.loops[shard].sockets[key.index as usize] = None;
            self.shards[shard].remove(key);
            self.events.push(Event::Closed { socket, lost });
        } else if failed {
            self.shards[shard].gone(key);
            self.note_endings(shard);
        } else if empty {
            self.shards[shard].drained(key);
        }
    }
}

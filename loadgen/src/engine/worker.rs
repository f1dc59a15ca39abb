//! One thread of the generator.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};

use crate::client::{Board, Client, Context, Ended, Load, Recorder, Role, Stage};
use crate::clock::now_ns;

use super::control::{Control, Order, Phase};
use super::link::{Link, Received, may_be_closed};
use super::pacer::Pacer;
use super::plan::{ClientPlan, Task};
use super::source::Sources;
use super::timer::SlotTimer;

/// Wakes the thread for orders or because deliveries on another thread made room.
pub const WAKER: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);

/// Least bytes of the read buffer; one read of a busy socket fits.
const BUFFER: usize = 256 << 10;
/// Connections of one thread being opened at the same time: fewer than the shortest usual listen
/// backlog, 100, beyond which a SYN is dropped and repeated a second later.
const MAX_PENDING: usize = 64;
/// Longest sleep; orders wake earlier.
const IDLE_POLL: Duration = Duration::from_millis(100);
/// How often publishers are checked for stalls.
const CHECK_NS: u64 = 250_000_000;

/// Where the publisher of a flow lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Home {
    /// Thread.
    pub thread: usize,
    /// Position among the thread's clients.
    pub seat: usize,
}

/// What a thread is given.
pub struct Assignment {
    /// Number of the thread.
    pub thread: usize,
    /// Its poll, with the waker registered.
    pub poll: Poll,
    /// Its clients, with their number among all clients.
    pub clients: Vec<(usize, ClientPlan)>,
    /// Clients of all threads.
    pub all_clients: usize,
    /// What publishers have in common.
    pub load: Load,
    /// The schedule in an open loop.
    pub pacer: Option<Pacer>,
    /// Never sleep.
    pub spin: bool,
    /// Where publishers live, by flow.
    pub homes: Arc<[Home]>,
    /// Where connections come from.
    pub sources: Sources,
    /// What clients share.
    pub board: Arc<Board>,
    /// Orders.
    pub control: Arc<Control>,
}

struct Seat {
    number: usize,
    client: Client,
    link: Option<Link>,
    idle_filter: Option<String>,
}

/// The thread's state.
pub struct Worker {
    thread: usize,
    poll: Poll,
    timer: SlotTimer,
    armed_ns: u64,
    seats: Vec<Seat>,
    share: Share,
    publishers: Vec<usize>,
    load: Load,
    pacer: Option<Pacer>,
    spin: bool,
    homes: Arc<[Home]>,
    sources: Sources,
    board: Arc<Board>,
    control: Arc<Control>,
    order: Order,
    recorder: Recorder,
    buffer: Box<[u8]>,
    window: (u64, u64),
    now: u64,
    next_check: u64,
    opened: usize,
    subscribed: usize,
    /// Publishers that may have room.
    ready: Vec<usize>,
    /// Links with something to write.
    dirty: Vec<usize>,
    /// Links with more to read.
    again: Vec<usize>,
    /// Threads to wake.
    wake: Box<[bool]>,
}

/// A thread's part of a limit over all clients.
#[derive(Clone, Copy)]
struct Share {
    mine: usize,
    all: usize,
}

impl Share {
    fn of(self, limit: usize) -> usize {
        (limit * self.mine).div_ceil(self.all.max(1)).min(self.mine)
    }
}

impl Worker {
    /// Takes its place.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn new(assignment: Assignment, threads: usize) -> io::Result<Self> {
        let Assignment { thread, poll, clients, all_clients, load, .. } = assignment;
        let timer = SlotTimer::new(poll.registry(), TIMER)?;
        let share = Share { mine: clients.len(), all: all_clients };
        let is_publisher = |(seat, (_, plan)): (usize, &(usize, ClientPlan))| {
            plan.flow().is_some().then_some(seat)
        };
        let publishers = clients.iter().enumerate().filter_map(is_publisher).collect();
        let seats = clients.into_iter().map(|(number, plan)| Seat::new(number, plan, load));
        Ok(Self {
            thread,
            poll,
            timer,
            armed_ns: 0,
            seats: seats.collect(),
            share,
            publishers,
            load,
            pacer: assignment.pacer,
            spin: assignment.spin,
            homes: assignment.homes,
            sources: assignment.sources,
            board: assignment.board,
            control: assignment.control,
            order: Order::FIRST,
            recorder: Recorder::new(),
            buffer: vec![0; BUFFER.max(load.size * 2 + 1024)].into(),
            window: (u64::MAX, u64::MAX),
            now: now_ns(),
            next_check: 0,
            opened: 0,
            subscribed: 0,
            ready: Vec::new(),
            dirty: Vec::new(),
            again: Vec::new(),
            wake: vec![false; threads].into(),
        })
    }

    /// Runs until told to stop; returns what was measured and the clients.
    ///
    /// # Errors
    /// If polling fails.
    pub fn run(mut self) -> io::Result<(Recorder, Vec<Client>)> {
        let mut events = Events::with_capacity(1024);
        while self.order.phase() != Phase::Stop {
            self.wait(&mut events)?;
            self.now = now_ns();
            self.window = self.board.window();
            self.follow_order();
            self.open_connections();
            self.subscribe_idle();
            self.read_again();
            for event in &events {
                self.on_event(event);
            }
            self.check_stalls();
            self.schedule();
            self.pump();
            self.flush();
            self.wake_others();
            self.board.publish(self.thread, &self.recorder.totals);
            self.control.reach(self.thread, self.order);
        }
        self.disconnect();
        let clients = self.seats.into_iter().map(|seat| seat.client).collect();
        Ok((self.recorder, clients))
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let mut timeout = IDLE_POLL;
        if self.spin || !self.again.is_empty() {
            timeout = Duration::ZERO;
        } else if self.order.phase() == Phase::Run
            && let Some(due) = self.pacer.as_ref().and_then(Pacer::next_ns)
        {
            if due <= now_ns() {
                timeout = Duration::ZERO;
            } else if due != self.armed_ns {
                self.timer.wake_at(due)?;
                self.armed_ns = due;
            }
        }
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    fn follow_order(&mut self) {
        let order = self.control.order();
        if order == self.order {
            return;
        }
        self.order = order;
        if order.phase() == Phase::Run {
            if let Some(pacer) = &mut self.pacer {
                pacer.start(self.control.run_start_ns());
            }
            for &seat in &self.publishers {
                if let Role::Publisher(publisher) = &mut self.seats[seat].client.role {
                    publisher.batches = 0;
                }
            }
            self.ready.extend_from_slice(&self.publishers);
        }
    }

    fn open_connections(&mut self) {
        let limit = self.share.of(self.control.connect_limit());
        let totals = &self.recorder.totals;
        let settled = (totals.connected + totals.ended) as usize;
        let mut pending = self.opened.saturating_sub(settled);
        while self.opened < limit && pending < MAX_PENDING {
            let seat = self.opened;
            self.opened += 1;
            pending += 1;
            if let Err(error) = self.open(seat) {
                self.recorder.connection_lost(format!("connect: {error}"));
            }
        }
    }

    fn open(&mut self, seat: usize) -> io::Result<()> {
        let opened_ns = now_ns();
        let mut stream = self.sources.open(self.seats[seat].number)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(seat), interest)?;
        self.seats[seat].link = Some(Link::new(stream, opened_ns));
        Ok(())
    }

    /// Lets idle clients subscribe, as far as the limit and their handshakes are.
    fn subscribe_idle(&mut self) {
        let limit = self.share.of(self.control.subscribe_limit()).min(self.opened);
        while self.subscribed < limit {
            let seat = &mut self.seats[self.subscribed];
            if let (Some(link), Some(filter), Stage::Ready) =
                (&mut seat.link, &seat.idle_filter, seat.client.stage())
            {
                seat.client.subscribe(filter, self.load.qos, &mut link.out);
                mark_dirty(link, self.subscribed, &mut self.dirty);
            }
            self.subscribed += 1;
        }
    }

    fn on_event(&mut self, event: &Event) {
        let seat = match event.token() {
            WAKER => return self.ready.extend_from_slice(&self.publishers),
            TIMER => return,
            Token(seat) => seat,
        };
        let Seat { client, link: Some(link), .. } = &mut self.seats[seat] else { return };
        if client.stage() == Stage::New {
            match link.stream.take_error() {
                Ok(None) if event.is_writable() => {
                    client.connect(link.opened_ns, &mut link.out);
                    mark_dirty(link, seat, &mut self.dirty);
                }
                Ok(None) => {}
                Ok(Some(error)) | Err(error) => return self.lose(seat, &error.to_string()),
            }
        } else if event.is_writable() {
            if !link.out.is_empty() {
                mark_dirty(link, seat, &mut self.dirty);
            } else if self.order.phase() == Phase::Run && self.pacer.is_some() {
                self.ready.push(seat);
            }
        }
        if event.is_readable() || may_be_closed(event) {
            self.read(seat, may_be_closed(event));
        }
    }

    fn read_again(&mut self) {
        for seat in std::mem::take(&mut self.again) {
            self.read(seat, false);
        }
    }

    /// Reads once, or until the end shows if the peer may have closed.
    fn read(&mut self, seat: usize, to_the_end: bool) {
        loop {
            match self.read_once(seat) {
                Ok(Received::Bytes { drained: true, .. }) if !to_the_end => return,
                Ok(Received::Bytes { .. }) if to_the_end => {}
                Ok(Received::Bytes { .. }) => return self.again.push(seat),
                Ok(Received::Nothing) => return,
                Ok(Received::Closed) => return self.lose(seat, "closed by the broker"),
                Err(ended) => return self.lose(seat, &ended.0),
            }
        }
    }

    fn read_once(&mut self, index: usize) -> Result<Received, Ended> {
        let Self { seats, buffer, recorder, board, ready, wake, dirty, homes, .. } = self;
        let seat = &mut seats[index];
        let Some(link) = &mut seat.link else { return Ok(Received::Nothing) };
        let received = link.receive(buffer).map_err(|error| Ended(error.to_string()))?;
        let Received::Bytes { len, .. } = received else { return Ok(received) };
        let (thread, copies) = (self.thread, board.copies);
        let closed_loop = self.load.window.is_some();
        let mut progress = |flow: u32, before: u64, after: u64| {
            let home = homes[flow as usize];
            if !closed_loop {
            } else if home.thread == thread {
                ready.push(home.seat);
            } else if before / copies != after / copies {
                wake[home.thread] = true;
            }
        };
        let mut context = Context {
            board,
            recorder,
            now_ns: now_ns(),
            record_from: self.window.0,
            record_until: self.window.1,
            progress: &mut progress,
        };
        let used = seat.client.receive(&buffer[..len], &mut context, &mut link.out)?;
        link.keep(&buffer[used..len]);
        if !link.out.is_empty() {
            mark_dirty(link, index, dirty);
        }
        if matches!(seat.client.role, Role::Publisher(_)) {
            ready.push(index);
        }
        Ok(received)
    }

    fn lose(&mut self, seat: usize, why: &str) {
        if self.seats[seat].link.take().is_some() {
            self.recorder.connection_lost(why.to_owned());
        }
    }

    /// In a closed loop, now and then looks for publishers that wait in vain.
    fn check_stalls(&mut self) {
        let idle = self.order.phase() != Phase::Run || self.load.window.is_none();
        if idle || self.now < self.next_check {
            return;
        }
        self.next_check = self.now + CHECK_NS;
        for index in 0..self.publishers.len() {
            let seat = self.publishers[index];
            self.with_publisher(seat, |publisher, context, _| {
                publisher.check_stall(context.now_ns, context);
            });
            self.ready.push(seat);
        }
    }

    /// In an open loop, finds the publishers that are due and how late that was noticed.
    fn schedule(&mut self) {
        let Some(pacer) = self.pacer.as_mut().filter(|_| self.order.phase() == Phase::Run) else {
            return;
        };
        while let Some((flow, due_ns)) = pacer.pop_due(self.now) {
            if (self.window.0..self.window.1).contains(&due_ns) {
                self.recorder.schedule_lag.record_ns(self.now - due_ns);
            }
            let seat = self.homes[flow as usize].seat;
            if self.ready.last() != Some(&seat) {
                self.ready.push(seat);
            }
        }
    }

    /// Lets publishers that may have room write, one write for each batch.
    fn pump(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        if self.order.phase() == Phase::Run {
            for &seat in &ready {
                while self.write_batch(seat) {}
            }
        }
        ready.clear();
        ready.append(&mut self.ready);
        self.ready = ready;
    }

    fn write_batch(&mut self, seat: usize) -> bool {
        let now = now_ns();
        let due = match (&self.pacer, &self.seats[seat].client.role) {
            (Some(pacer), Role::Publisher(publisher)) => {
                pacer.intended_ns(publisher.flow(), publisher.batches)
            }
            _ => now,
        };
        if due > now {
            return false;
        }
        let wrote = self.with_publisher(seat, |publisher, context, link| {
            let wrote = publisher.write_batch(due, now, context, &mut link.out);
            publisher.batches += u64::from(wrote);
            wrote.then(|| link.flush().map(|()| link.out.is_empty()))
        });
        match wrote.flatten() {
            None => false,
            Some(Ok(all)) => all,
            Some(Err(error)) => {
                self.lose(seat, &error.to_string());
                false
            }
        }
    }

    /// Calls `act` with a publisher that is connected.
    fn with_publisher<T>(
        &mut self,
        seat: usize,
        act: impl FnOnce(&mut crate::client::Publisher, &mut Context<'_>, &mut Link) -> T,
    ) -> Option<T> {
        let Seat { client, link: Some(link), .. } = &mut self.seats[seat] else { return None };
        if client.stage() != Stage::Ready {
            return None;
        }
        let Role::Publisher(publisher) = &mut client.role else { return None };
        let mut context = Context {
            board: &self.board,
            recorder: &mut self.recorder,
            now_ns: self.now,
            record_from: self.window.0,
            record_until: self.window.1,
            progress: &mut |_, _, _| {},
        };
        Some(act(publisher, &mut context, link))
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for &seat in &dirty {
            let Some(link) = &mut self.seats[seat].link else { continue };
            link.dirty = false;
            if let Err(error) = link.flush() {
                self.lose(seat, &error.to_string());
            }
        }
        dirty.clear();
        self.dirty = dirty;
    }

    fn wake_others(&mut self) {
        for (thread, wake) in self.wake.iter_mut().enumerate() {
            if std::mem::take(wake) {
                self.control.wake(thread);
            }
        }
    }

    fn disconnect(&mut self) {
        for seat in &mut self.seats {
            if let Some(mut link) = seat.link.take() {
                seat.client.disconnect(&mut link.out);
                // The connection ends here either way.
                let _ = link.flush();
            }
        }
    }
}

impl Seat {
    fn new(number: usize, plan: ClientPlan, load: Load) -> Self {
        let client = plan.client(load);
        let idle_filter = match plan.task {
            Task::Idle { filter } => Some(filter),
            Task::Publish { .. } | Task::Subscribe { .. } => None,
        };
        Self { number, client, link: None, idle_filter }
    }
}

fn mark_dirty(link: &mut Link, seat: usize, dirty: &mut Vec<usize>) {
    if !link.dirty {
        link.dirty = true;
        dirty.push(seat);
    }
}

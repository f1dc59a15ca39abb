//! One thread of the generator: its turn, and the connections of its clients.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};

use crate::client::{Board, Client, Kind, Recorder, Stage};
use crate::clock::now_ns;
use crate::net::{Dialed, Dialer};
use crate::plan::{Plan, Seated};
use crate::result::{LatencyKind, Slice};
use crate::scenario::Start;

use super::control::{Control, Order, Phase};
use super::course::Course;
use super::keep_alive::KeepAlive;
use super::link::{Link, LinkState, may_be_closed};
use super::opener::Opener;
use super::pacer::Pacer;
use super::seat::Seat;
use super::slow::Slow;
use super::timer::SlotTimer;

/// Wakes the thread for orders or because deliveries on another thread made room.
pub const WAKER: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);

/// Least bytes of the read buffer; one read of a busy socket fits.
const BUFFER: usize = 256 << 10;
/// Longest sleep; orders wake earlier.
const IDLE_POLL: Duration = Duration::from_millis(100);
/// Longest time between two tries to connect.
const MAX_DELAY_NS: u64 = 60_000_000_000;

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
    pub clients: Vec<(usize, Seated)>,
    /// The plan.
    pub plan: Arc<Plan>,
    /// The groups.
    pub kinds: Arc<[Arc<Kind>]>,
    /// Where publishers live, by flow; empty if no loop is closed.
    pub homes: Arc<[Home]>,
    /// How connections are opened.
    pub dialer: Dialer,
    /// What clients share.
    pub board: Arc<Board>,
    /// Orders.
    pub control: Arc<Control>,
    /// Where finished intervals go.
    pub slices: Sender<Slice>,
    /// When interval 0 began.
    pub epoch_ns: u64,
    /// Idle clients subscribe when they are told to.
    pub wait_to_subscribe: bool,
    /// Publishers of other processes have another clock.
    pub foreign_clocks: bool,
}

/// The thread's state.
pub struct Worker {
    pub(super) thread: usize,
    pub(super) poll: Poll,
    timer: SlotTimer,
    armed_ns: u64,
    pub(super) seats: Vec<Seat>,
    pub(super) plan: Arc<Plan>,
    pub(super) kinds: Arc<[Arc<Kind>]>,
    pub(super) publishers: Vec<usize>,
    pub(super) homes: Arc<[Home]>,
    pub(super) foreign_clocks: bool,
    pub(super) closed_loop: bool,
    dialer: Dialer,
    pub(super) board: Arc<Board>,
    pub(super) control: Arc<Control>,
    pub(super) order: Order,
    pub(super) recorder: Recorder,
    pub(super) buffer: Box<[u8]>,
    pub(super) window: (u64, u64),
    pub(super) now: u64,
    pub(super) next_check: u64,
    pub(super) opener: Opener,
    all_first: [usize; 2],
    subscribed: usize,
    pub(super) pacers: Vec<Pacer>,
    pub(super) courses: Vec<Course>,
    keep_alive: Vec<KeepAlive>,
    pub(super) slow: Slow,
    slices: Sender<Slice>,
    epoch_ns: u64,
    interval: u32,
    sliced: crate::client::Totals,
    /// Publishers that may have room.
    pub(super) ready: Vec<usize>,
    /// Links with something to write.
    pub(super) dirty: Vec<usize>,
    /// Links with more to read.
    pub(super) again: Vec<usize>,
    /// Threads to wake.
    pub(super) wake: Box<[bool]>,
}

impl Worker {
    /// Takes its place.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn new(given: Assignment) -> io::Result<Self> {
        let Assignment { thread, poll, clients, plan, kinds, .. } = given;
        let timer = SlotTimer::new(poll.registry(), TIMER)?;
        let mut seats = Vec::with_capacity(clients.len());
        for &(number, place) in &clients {
            let kind = &kinds[usize::from(place.group)];
            let flow = plan.flows.first_of(kind.index, place.client);
            let publisher =
                flow.map(|flow| crate::client::Publisher::new(kind, place.client, flow));
            let mut client = Client::new(place.group, place.client, publisher);
            client.waits = given.wait_to_subscribe;
            seats.push(Seat::new(client, number as u32));
        }
        let largest = kinds.iter().map(|kind| kind.group.sizes.greatest()).max().unwrap_or(0);
        let publishers = (0..seats.len()).filter(|&seat| seats[seat].client.publisher.is_some());
        let keep_alive = kinds.iter().map(|k| KeepAlive::new(k.group.keep_alive.as_nanos() as u64));
        let run = &plan.scenario.run;
        Ok(Self {
            thread,
            poll,
            timer,
            armed_ns: 0,
            publishers: publishers.collect(),
            homes: given.homes,
            foreign_clocks: given.foreign_clocks,
            closed_loop: plan.scenario.is_closed_loop(),
            dialer: given.dialer,
            board: given.board,
            control: given.control,
            order: Order::FIRST,
            recorder: Recorder::new(),
            buffer: vec![0; BUFFER.max(largest * 2 + 1024)].into(),
            window: (u64::MAX, u64::MAX),
            now: now_ns(),
            next_check: 0,
            opener: Opener::new(order(&clients, &kinds), run.connect_window),
            all_first: [plan.clients(Start::First), plan.clients(Start::Last)],
            subscribed: 0,
            pacers: pacers(&seats, &kinds),
            courses: courses(&seats, &kinds),
            keep_alive: keep_alive.collect(),
            slow: Slow::default(),
            slices: given.slices,
            epoch_ns: given.epoch_ns,
            interval: 0,
            sliced: crate::client::Totals::default(),
            ready: Vec::new(),
            dirty: Vec::new(),
            again: Vec::new(),
            wake: vec![false; plan.threads()].into(),
            seats,
            plan,
            kinds,
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
            self.cut_intervals();
            self.follow_order();
            self.follow_courses();
            self.open_connections();
            self.subscribe_idle();
            self.keep_alive();
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
        self.report_left_open();
        self.disconnect();
        self.end_interval(now_ns());
        let clients = self.seats.into_iter().map(|seat| seat.client).collect();
        Ok((self.recorder, clients))
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let mut timeout = IDLE_POLL;
        if self.plan.scenario.run.spin || !self.again.is_empty() {
            timeout = Duration::ZERO;
        } else if let Some(next) = self.next_ns() {
            if next <= now_ns() {
                timeout = Duration::ZERO;
            } else if next != self.armed_ns {
                self.timer.wake_at(next)?;
                self.armed_ns = next;
            }
        }
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// When something is due that no event announces.
    fn next_ns(&mut self) -> Option<u64> {
        let mut next = self.opener.next_ns();
        let mut sooner = |at: Option<u64>| next = next.into_iter().chain(at).min();
        self.keep_alive.iter().for_each(|queue| sooner(queue.next_ns()));
        sooner(self.slow.next_ns());
        if self.order.phase() == Phase::Run {
            let (start, length) = (self.control.run_start_ns(), self.control.run_length_ns());
            let begins = self.closed_loop.then_some(start).filter(|start| *start > self.now);
            sooner(begins);
            for pacer in &mut self.pacers {
                sooner(pacer.next_ns().filter(|due| *due < length).map(|due| start + due));
            }
            for course in &self.courses {
                sooner(course.next_ns().filter(|due| *due < length).map(|due| start + due));
            }
        }
        next
    }

    fn follow_order(&mut self) {
        let order = self.control.order();
        if order == self.order {
            return;
        }
        self.order = order;
        if order.phase() == Phase::Run {
            self.pacers.iter_mut().for_each(Pacer::restart);
            self.courses.iter_mut().for_each(Course::restart);
            for &seat in &self.publishers {
                let Seat { client, .. } = &mut self.seats[seat];
                let number = client.client;
                if let Some(publisher) = &mut client.publisher {
                    publisher.restart(number);
                }
            }
            self.ready.extend_from_slice(&self.publishers);
        }
    }

    /// Ends the intervals that have gone by.
    fn cut_intervals(&mut self) {
        let length = self.plan.scenario.run.interval.as_nanos() as u64;
        while self.epoch_ns + (u64::from(self.interval) + 1) * length <= self.now {
            self.end_interval(self.epoch_ns + (u64::from(self.interval) + 1) * length);
            self.interval += 1;
        }
    }

    fn end_interval(&mut self, at_ns: u64) {
        let length = self.plan.scenario.run.interval.as_secs_f64();
        let (now, before) = (self.recorder.totals, self.sliced);
        let mut slice = Slice::new(self.interval, length, "");
        slice.seconds = at_ns.saturating_sub(self.epoch_ns) as f64 / 1e9 - slice.at_s;
        slice.connected = now.open;
        slice.sent = now.sent - before.sent;
        slice.delivered = now.delivered - before.delivered;
        slice.acknowledged = now.acked - before.acked;
        slice.errors = now.ended - before.ended;
        slice.latency = std::mem::take(&mut self.recorder.interval);
        self.sliced = now;
        // Nobody listens any more when the run was given up.
        let _ = self.slices.send(slice);
    }

    fn open_connections(&mut self) {
        let allowed = self.share(self.control.connect_limit());
        while let Some(seat) = self.opener.next(allowed, self.now) {
            if self.seats[seat].link.is_some() || self.seats[seat].gone {
                continue;
            }
            self.opener.begin();
            self.seats[seat].pending = true;
            if let Err(error) = self.open(seat) {
                self.lose(seat, &format!("connect: {error}"), false);
            }
        }
    }

    /// This thread's part of a limit over all clients that connect at the beginning.
    fn share(&self, limit: usize) -> usize {
        let [first, last] = self.all_first;
        let mine = self.opener.count();
        (limit * mine).div_ceil((first + last).max(1)).min(mine)
    }

    fn open(&mut self, seat: usize) -> io::Result<()> {
        let opened_ns = now_ns();
        let Seat { number, dials, .. } = self.seats[seat];
        self.seats[seat].dials += 1;
        self.recorder.counts.connects += 1;
        let Dialed { mut stream, source } = self.dialer.dial(number as usize, u64::from(dials))?;
        if self.recorder.by_source.len() <= source {
            self.recorder.by_source.resize(source + 1, 0);
        }
        self.recorder.by_source[source] += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(stream.tcp(), Token(seat), interest)?;
        let mut link = Link::new(stream, opened_ns);
        let client = &self.seats[seat].client;
        let expects =
            self.plan.expectations.for_client(usize::from(client.group), client.client).is_some();
        link.lean = client.publisher.is_none() && !expects;
        self.seats[seat].link = Some(link);
        Ok(())
    }

    /// Lets idle clients subscribe, as far as the limit and their handshakes are.
    fn subscribe_idle(&mut self) {
        let limit = self.share(self.control.subscribe_limit()).min(self.opener.begun());
        while self.subscribed < limit {
            let index = self.opener.seat(self.subscribed);
            let Seat { client, link, .. } = &mut self.seats[index];
            let kind = &self.kinds[usize::from(client.group)];
            if let (Some(link), Stage::Ready) = (link, client.stage()) {
                client.subscribe(kind, self.now, &mut link.out);
                mark_dirty(link, index, &mut self.dirty);
            }
            self.subscribed += 1;
        }
    }

    fn keep_alive(&mut self) {
        for group in 0..self.keep_alive.len() {
            while let Some((seat, dial)) = self.keep_alive[group].pop_due(self.now) {
                let Seat { client, link: Some(link), dials, .. } = &mut self.seats[seat] else {
                    continue;
                };
                if *dials != dial {
                    continue;
                }
                if client.ping(self.kinds[group].group.version, &mut link.out) {
                    mark_dirty(link, seat, &mut self.dirty);
                    self.keep_alive[group].push(seat, dial, self.now);
                } else {
                    self.lose(seat, "no PINGRESP within the Keep Alive", false);
                }
            }
        }
    }

    fn on_event(&mut self, event: &Event) {
        let seat = match event.token() {
            WAKER => return self.ready.extend_from_slice(&self.publishers),
            TIMER => return,
            Token(seat) => seat,
        };
        let Seat { client, link: Some(link), .. } = &mut self.seats[seat] else { return };
        if link.state != LinkState::Up {
            return self.open_further(seat, event);
        }
        if event.is_writable() {
            if link.wants_write() {
                mark_dirty(link, seat, &mut self.dirty);
            } else if self.order.phase() == Phase::Run && client.publisher.is_some() {
                self.ready.push(seat);
            }
        }
        if event.is_readable() || may_be_closed(event) {
            self.read(seat, may_be_closed(event));
        }
    }

    /// Takes a connection one step further, and reads what has come with the last one: no other
    /// event will announce it.
    fn open_further(&mut self, seat: usize, event: &Event) {
        if let Err(why) = self.go_on(seat, event) {
            return self.lose(seat, &why, false);
        }
        let Some(link) = &self.seats[seat].link else { return };
        let came = event.is_readable() || may_be_closed(event) || !link.stream.is_tcp();
        if link.state == LinkState::Up && came {
            self.read(seat, may_be_closed(event));
        }
    }

    /// Takes a connection one step further to the point where MQTT can be spoken.
    fn go_on(&mut self, seat: usize, event: &Event) -> Result<(), String> {
        let Seat { client, link: Some(link), .. } = &mut self.seats[seat] else { return Ok(()) };
        let now = now_ns();
        if link.state == LinkState::Connecting {
            match link.stream.tcp().take_error() {
                Ok(Some(error)) | Err(error) => return Err(format!("connect: {error}")),
                Ok(None) if !event.is_writable() => return Ok(()),
                Ok(None) => {}
            }
            let elapsed = now.saturating_sub(link.opened_ns);
            self.recorder.record(LatencyKind::TcpConnect, elapsed, true);
            (link.state, link.opened_ns) = (LinkState::Securing, now);
        }
        if !link.stream.handshake().map_err(|error| error.to_string())? {
            return Ok(());
        }
        if !link.stream.is_tcp() {
            let elapsed = now.saturating_sub(link.opened_ns);
            self.recorder.record(LatencyKind::TlsHandshake, elapsed, true);
        }
        link.state = LinkState::Up;
        let kind = &self.kinds[usize::from(client.group)];
        client.connect(kind, now, &mut link.out);
        mark_dirty(link, seat, &mut self.dirty);
        Ok(())
    }

    /// A client has its CONNACK.
    pub(super) fn connected(&mut self, seat: usize) {
        let Seat { client, pending, tries, dials, .. } = &mut self.seats[seat];
        let group = usize::from(client.group);
        *tries = 0;
        self.keep_alive[group].push(seat, *dials, self.now);
        if std::mem::take(pending) {
            self.opener.end();
        }
    }

    /// Takes a connection away.
    pub(super) fn drop_link(&mut self, seat: usize) {
        let Seat { client, link, pending, slow, .. } = &mut self.seats[seat];
        if std::mem::take(pending) {
            self.opener.end();
        }
        if link.take().is_some() && matches!(client.stage(), Stage::Ready | Stage::AwaitSuback) {
            self.recorder.totals.open -= 1;
        }
        *slow = false;
        client.disconnected();
    }

    /// A connection ended. That is as it should be after a takeover; otherwise the client tries
    /// again, or is lost.
    pub(super) fn lose(&mut self, seat: usize, why: &str, taken_over: bool) {
        let group = usize::from(self.seats[seat].client.group);
        let course = self.courses.iter().find(|course| course.group() == group);
        let twin = course.and_then(|course| course.twin(seat));
        let was_ready = self.seats[seat].client.stage() == Stage::Ready;
        self.drop_link(seat);
        let twin_lives = twin.is_some_and(|twin| self.seats[twin].link.is_some());
        if was_ready && (twin_lives || taken_over && twin.is_some()) {
            self.recorder.takeovers += 1;
            return;
        }
        let Seat { tries, gone, .. } = &mut self.seats[seat];
        let run = &self.plan.scenario.run;
        if *tries < run.retries {
            let delay = (run.retry_delay.as_nanos() as u64) << (*tries).min(20);
            *tries += 1;
            self.recorder.complain(format!("{why}; tried again"));
            self.opener.come_back(seat, self.now + delay.min(MAX_DELAY_NS));
        } else if !std::mem::replace(gone, true) {
            self.recorder.connection_lost(why.to_owned());
        }
    }

    pub(super) fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for &seat in &dirty {
            let Some(link) = &mut self.seats[seat].link else { continue };
            link.dirty = false;
            if let Err(error) = link.flush() {
                self.lose(seat, &error.to_string(), false);
            }
        }
        dirty.clear();
        self.dirty = dirty;
    }

    fn disconnect(&mut self) {
        for seat in &mut self.seats {
            if let Some(mut link) = seat.link.take() {
                let version = self.kinds[usize::from(seat.client.group)].group.version;
                seat.client.disconnect(version, &mut link.out);
                // The connection ends here either way.
                let _ = link.flush();
            }
        }
    }
}

/// The seats that connect at the beginning, in order.
fn order(clients: &[(usize, Seated)], kinds: &[Arc<Kind>]) -> Vec<u32> {
    let connects = |seat: &usize| {
        let place = clients[*seat].1;
        place.client < kinds[usize::from(place.group)].group.count
    };
    (0..clients.len()).filter(connects).map(|seat| seat as u32).collect()
}

fn pacers(seats: &[Seat], kinds: &[Arc<Kind>]) -> Vec<Pacer> {
    let locals = |kind: &Arc<Kind>| {
        let publishes = |(at, seat): (usize, &Seat)| {
            let ours = usize::from(seat.client.group) == kind.index;
            (ours && seat.client.publisher.is_some()).then_some((seat.client.client, at as u32))
        };
        seats.iter().enumerate().filter_map(publishes).collect()
    };
    kinds.iter().filter_map(|kind| Pacer::new(kind, locals(kind))).collect()
}

fn courses(seats: &[Seat], kinds: &[Arc<Kind>]) -> Vec<Course> {
    let members = |kind: &Arc<Kind>| {
        let ours = |at: &usize| usize::from(seats[*at].client.group) == kind.index;
        (0..seats.len()).filter(ours).collect()
    };
    kinds.iter().filter_map(|kind| Course::new(kind, members(kind))).collect()
}

pub(super) fn mark_dirty(link: &mut Link, seat: usize, dirty: &mut Vec<usize>) {
    if !link.dirty {
        link.dirty = true;
        dirty.push(seat);
    }
}

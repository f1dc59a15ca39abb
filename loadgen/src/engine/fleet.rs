//! All threads of one run against one broker.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Poll, Waker};

use crate::client::{Board, Client, Recorder, Role, Totals};

use super::control::{Control, Phase};
use super::pacer::Pacer;
use super::plan::{ClientPlan, Plan};
use super::source::Sources;
use super::worker::{Assignment, Home, WAKER, Worker};

/// How often progress is looked at while waiting for it.
const LOOK: Duration = Duration::from_millis(5);

/// How long connecting may make no progress.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A client with its number among all clients.
type Numbered = (usize, ClientPlan);

type Joined = JoinHandle<io::Result<(Recorder, Vec<Client>)>>;

/// The running clients of a plan.
pub struct Fleet {
    board: Arc<Board>,
    control: Arc<Control>,
    threads: Vec<Joined>,
    clients: usize,
    acknowledged: bool,
}

/// What a fleet measured.
pub struct Outcome {
    /// Histograms and counts of all threads.
    pub recorder: Recorder,
    /// Messages sent.
    pub sent: u64,
    /// Deliveries that had to happen.
    pub expected: u64,
    /// Deliveries seen, each once.
    pub unique: u64,
}

impl Fleet {
    /// Starts the threads of a plan; nothing is connected yet.
    ///
    /// # Errors
    /// If the system has no descriptor or thread left.
    pub fn launch(plan: &Plan, sources: &Sources) -> io::Result<Self> {
        let board = Arc::new(Board::new(plan.flows as usize, plan.threads, plan.copies));
        let polls = (0..plan.threads).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let wakers = polls.iter().map(|poll| Waker::new(poll.registry(), WAKER));
        let control = Arc::new(Control::new(wakers.collect::<io::Result<Vec<_>>>()?));
        let (seats, homes) = assign(plan);
        let mut threads = Vec::with_capacity(plan.threads);
        for (thread, (poll, clients)) in polls.into_iter().zip(seats).enumerate() {
            let locals = clients.iter().filter_map(|(_, client)| client.flow()).collect();
            let flows = u64::from(plan.flows);
            let pacer = || Pacer::new(flows, plan.load.batch, plan.rate, locals);
            let assignment = Assignment {
                thread,
                poll,
                clients,
                all_clients: plan.clients.len(),
                load: plan.load,
                pacer: (plan.rate > 0).then(pacer),
                spin: plan.spin,
                homes: Arc::clone(&homes),
                sources: sources.clone(),
                board: Arc::clone(&board),
                control: Arc::clone(&control),
            };
            let worker = Worker::new(assignment, plan.threads)?;
            let builder = thread::Builder::new().name(format!("clients-{thread}"));
            threads.push(builder.spawn(move || worker.run())?);
        }
        let acknowledged = plan.load.qos != pondhawk::protocol::QoS::AtMostOnce;
        Ok(Self { board, control, threads, clients: plan.clients.len(), acknowledged })
    }

    /// Connects all clients at `rate` per second (0: as fast as it goes), and subscribes.
    ///
    /// # Errors
    /// If a client is refused or nothing moves for ten seconds.
    pub fn connect(&self, rate: u32, subscriptions: u64) -> Result<(), String> {
        self.connect_up_to(self.clients, 0, rate)?;
        self.await_progress(|totals| totals.subscribed >= subscriptions)
    }

    /// Lets connections grow from `from` to `limit` at `rate` per second (0: as fast as it goes),
    /// and waits for them.
    ///
    /// # Errors
    /// If a client is refused or nothing moves for ten seconds.
    pub fn connect_up_to(&self, limit: usize, from: usize, rate: u32) -> Result<(), String> {
        let begin = Instant::now();
        loop {
            let paced = from + (begin.elapsed().as_secs_f64() * f64::from(rate)) as usize;
            let allowed = if rate == 0 { limit } else { paced.min(limit) };
            self.control.allow_connections(allowed);
            if allowed == limit {
                break;
            }
            thread::sleep(LOOK);
        }
        self.await_progress(|totals| totals.connected >= limit as u64)
    }

    /// Lets `limit` idle clients subscribe, and waits for them.
    ///
    /// # Errors
    /// If a client is refused or nothing moves for ten seconds.
    pub fn subscribe_up_to(&self, limit: usize) -> Result<(), String> {
        self.control.allow_subscriptions(limit);
        self.await_progress(|totals| totals.subscribed >= limit as u64)
    }

    fn await_progress(&self, done: impl Fn(&Totals) -> bool) -> Result<(), String> {
        let mut last = Totals::default();
        let mut moved = Instant::now();
        loop {
            let totals = self.board.totals();
            if totals.ended > 0 {
                let (ended, connected) = (totals.ended, totals.connected);
                return Err(format!("{ended} connections refused or lost, {connected} connected"));
            }
            if done(&totals) {
                return Ok(());
            }
            if totals != last {
                (last, moved) = (totals, Instant::now());
            } else if moved.elapsed() > CONNECT_PATIENCE {
                let (connected, subscribed) = (totals.connected, totals.subscribed);
                return Err(format!("stuck with {connected} connected, {subscribed} subscribed"));
            }
            thread::sleep(LOOK);
        }
    }

    /// The fleet if `connected`; otherwise the reason, with what the clients have to say.
    ///
    /// # Errors
    /// If `connected` is one.
    pub fn if_connected(self, connected: Result<(), String>) -> Result<Self, String> {
        match connected {
            Ok(()) => Ok(self),
            Err(reason) => {
                let complaints = self.finish().map_or_else(
                    |error| vec![error.to_string()],
                    |outcome| outcome.recorder.complaints,
                );
                Err(complaints.into_iter().fold(reason, |text, why| text + "; " + &why))
            }
        }
    }

    /// Starts publishing; schedules of an open loop count from `start_ns`.
    pub fn resume(&self, start_ns: u64) {
        self.control.run_from(start_ns);
    }

    /// Stops publishing.
    pub fn pause(&self) {
        self.control.enter(Phase::Hold);
    }

    /// Records messages due in `from..until`.
    pub fn record_between(&self, from: u64, until: u64) {
        self.board.record_between(from, until);
    }

    /// Progress so far.
    pub fn totals(&self) -> Totals {
        self.board.totals()
    }

    /// After [`Fleet::pause`], waits until everything sent was delivered and acknowledged, or
    /// nothing came for `patience`.
    pub fn settle(&self, patience: Duration) {
        let mut last = Totals::default();
        let mut moved = Instant::now();
        loop {
            // A thread may still be in a turn that began before the pause. Once none is, what was
            // sent is final.
            let silent = self.control.all_reached();
            let totals = self.board.totals();
            let complete = totals.delivered >= totals.sent * self.board.copies
                && (!self.acknowledged || totals.acked >= totals.sent);
            if totals != last {
                (last, moved) = (totals, Instant::now());
            }
            if silent && complete || moved.elapsed() > patience {
                return;
            }
            thread::sleep(LOOK);
        }
    }

    /// Disconnects, ends the threads, and adds up.
    ///
    /// # Errors
    /// If a thread failed.
    pub fn finish(self) -> io::Result<Outcome> {
        self.control.enter(Phase::Stop);
        let mut recorder = Recorder::new();
        let mut clients = Vec::new();
        for thread in self.threads {
            let ended = thread.join().map_err(|_| io::Error::other("a client thread panicked"))?;
            let (recorded, seats) = ended?;
            recorder.merge(recorded);
            clients.extend(seats);
        }
        Ok(add_up(recorder, &clients, self.board.flows()))
    }
}

/// The clients of each thread, numbered over all, and where the publisher of each flow is.
fn assign(plan: &Plan) -> (Vec<Vec<Numbered>>, Arc<[Home]>) {
    let mut seats = vec![Vec::new(); plan.threads];
    let mut homes = vec![Home::default(); plan.flows as usize];
    for (number, client) in plan.clients.iter().enumerate() {
        let thread = client.thread;
        if let Some(flow) = client.flow() {
            homes[flow as usize] = Home { thread, seat: seats[thread].len() };
        }
        seats[thread].push((number, client.clone()));
    }
    (seats, homes.into())
}

/// Compares what was sent with what arrived.
fn add_up(mut recorder: Recorder, clients: &[Client], flows: usize) -> Outcome {
    let mut sent_by_flow = vec![0; flows];
    for client in clients {
        if let Role::Publisher(publisher) = &client.role {
            sent_by_flow[publisher.flow() as usize] = publisher.sent();
            recorder.integrity.unacknowledged += publisher.unacknowledged();
        }
    }
    let (mut expected, mut unique) = (0, 0);
    for client in clients {
        let Role::Subscriber(subscriber) = &client.role else { continue };
        for (flow, tracker) in subscriber.flows() {
            let sent = sent_by_flow[flow as usize];
            expected += sent;
            unique += tracker.unique();
            recorder.integrity.lost += sent.saturating_sub(tracker.unique());
            recorder.integrity.duplicated += tracker.duplicates();
            recorder.integrity.reordered += tracker.reordered();
        }
    }
    Outcome { recorder, sent: sent_by_flow.iter().sum(), expected, unique }
}

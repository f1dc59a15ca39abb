//! All threads of one process in a run.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use mio::{Poll, Waker};

use crate::client::{Board, Client, Kind, Recorder, Totals};
use crate::net::Dialer;
use crate::plan::{Plan, Seated};
use crate::result::Slice;

use super::control::{Control, Phase};
use super::outcome::Outcome;
use super::worker::{Assignment, Home, WAKER, Worker};

/// A client with its number among all clients.
type Numbered = (usize, Seated);

type Joined = JoinHandle<io::Result<(Recorder, Vec<Client>)>>;

/// The running clients of a plan.
pub struct Fleet {
    plan: Arc<Plan>,
    board: Arc<Board>,
    control: Arc<Control>,
    threads: Vec<Joined>,
}

/// How a fleet runs, besides its plan.
pub struct FleetSettings {
    /// How connections are opened.
    pub dialer: Dialer,
    /// When interval 0 begins, [`crate::clock::now_ns`].
    pub epoch_ns: u64,
    /// Clients subscribe only when they are told to.
    pub wait_to_subscribe: bool,
    /// Publishers of other processes have another clock.
    pub foreign_clocks: bool,
    /// Where finished intervals go.
    pub slices: Sender<Slice>,
}

impl Fleet {
    /// Starts the threads of a plan; nothing is connected yet.
    ///
    /// # Errors
    /// If the system has no descriptor or thread left.
    pub fn launch(plan: Arc<Plan>, settings: FleetSettings) -> io::Result<Self> {
        let threads = plan.threads();
        let board = Arc::new(board(&plan));
        let polls = (0..threads).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let wakers = polls.iter().map(|poll| Waker::new(poll.registry(), WAKER));
        let control = Arc::new(Control::new(wakers.collect::<io::Result<Vec<_>>>()?));
        let kinds: Arc<[_]> = Kind::all(&plan).into();
        let (seats, homes) = assign(&plan);
        let mut joined = Vec::with_capacity(threads);
        for (thread, (poll, clients)) in polls.into_iter().zip(seats).enumerate() {
            let worker = Worker::new(Assignment {
                thread,
                poll,
                clients,
                plan: Arc::clone(&plan),
                kinds: Arc::clone(&kinds),
                homes: Arc::clone(&homes),
                dialer: settings.dialer.clone(),
                board: Arc::clone(&board),
                control: Arc::clone(&control),
                slices: settings.slices.clone(),
                epoch_ns: settings.epoch_ns,
                wait_to_subscribe: settings.wait_to_subscribe,
                foreign_clocks: settings.foreign_clocks,
            })?;
            let builder = thread::Builder::new().name(format!("clients-{thread}"));
            joined.push(builder.spawn(move || worker.run())?);
        }
        Ok(Self { plan, board, control, threads: joined })
    }

    /// Lets `limit` clients be connected.
    pub fn allow_connections(&self, limit: u64) {
        self.control.allow_connections(limit as usize);
    }

    /// Lets `limit` idle clients subscribe.
    pub fn allow_subscriptions(&self, limit: u64) {
        self.control.allow_subscriptions(limit as usize);
    }

    /// Starts publishing at `start_ns` for `length_ns`.
    pub fn run(&self, start_ns: u64, length_ns: u64) {
        self.control.run(start_ns, length_ns);
    }

    /// Stops publishing.
    pub fn hold(&self) {
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

    /// Whether every thread has carried out the latest order, and published its counts.
    pub fn has_followed(&self) -> bool {
        self.control.all_reached()
    }

    /// Disconnects, ends the threads, and adds up.
    ///
    /// # Errors
    /// If a thread failed.
    pub fn finish(self) -> io::Result<Outcome> {
        self.control.enter(Phase::Stop);
        let mut outcome = Outcome::default();
        for thread in self.threads {
            let ended = thread.join().map_err(|_| io::Error::other("a client thread panicked"))?;
            let (recorder, clients) = ended?;
            outcome.merge(Outcome::of(recorder, &clients, &self.plan));
        }
        Ok(outcome)
    }
}

/// A board that counts deliveries if a loop is closed.
fn board(plan: &Plan) -> Board {
    let counted = match plan.scenario.is_closed_loop() {
        true => plan.flows.count(),
        false => 0,
    };
    let progress = |flow| {
        let (group, client, _) = plan.flows.locate(flow);
        let first = plan.flows.first_of(group, client).unwrap_or(flow);
        (first, plan.expectations.copies(first).iter().map(|&copies| u64::from(copies)).sum())
    };
    Board::new((0..counted).map(progress), plan.threads())
}

/// The clients of each thread, numbered over all, and where the publisher of each flow is.
fn assign(plan: &Plan) -> (Vec<Vec<Numbered>>, Arc<[Home]>) {
    let mut seats = vec![Vec::new(); plan.threads()];
    let counted = if plan.scenario.is_closed_loop() { plan.flows.count() } else { 0 };
    let mut homes = vec![Home::default(); counted as usize];
    for (number, place) in plan.seats.iter().enumerate() {
        let thread = usize::from(place.thread);
        let flow = plan.flows.first_of(usize::from(place.group), place.client);
        if let Some(home) = flow.and_then(|flow| homes.get_mut(flow as usize)) {
            *home = Home { thread, seat: seats[thread].len() };
        }
        seats[thread].push((number, *place));
    }
    (seats, homes.into())
}

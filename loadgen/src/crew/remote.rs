//! A worker process, as the one who conducts sees it.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::client::Totals;
use crate::clock::now_ns;
use crate::engine::Outcome;
use crate::measure::CpuDelta;
use crate::result::Slice;

use super::job::Job;
use super::message::{Machine, Order, Report, receive, send};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Questions to a clock; the fastest answer counts.
const CLOCK_ROUNDS: usize = 9;

/// A worker process.
pub struct Remote {
    /// Where it runs.
    pub machine: Machine,
    orders: Box<dyn Write + Send>,
    answers: Receiver<Answer>,
    progress: Arc<Mutex<Totals>>,
    followed: Arc<AtomicU64>,
    ordered: u64,
    /// Its clock less ours, ns.
    offset: i64,
    /// The process, if it was started here.
    child: Option<Child>,
}

/// What is waited for.
enum Answer {
    Hello(Machine),
    Clock(u64),
    Launched,
    Outcome(Box<(Outcome, CpuDelta)>),
    Failed(String),
}

impl Remote {
    /// Starts a worker on this machine.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(slices: Sender<Slice>) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("worker process: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err("worker process: no pipes".to_owned());
        };
        Self::over(Box::new(input), Box::new(output), Some(child), slices)
    }

    /// Has an agent start a worker.
    ///
    /// # Errors
    /// If the agent cannot be reached.
    pub fn at(agent: SocketAddr, slices: Sender<Slice>) -> Result<Self, String> {
        let of = |error: io::Error| format!("agent {agent}: {error}");
        let stream = TcpStream::connect_timeout(&agent, PATIENCE).map_err(of)?;
        stream.set_nodelay(true).map_err(of)?;
        let input = stream.try_clone().map_err(of)?;
        Self::over(Box::new(stream), Box::new(input), None, slices)
            .map_err(|why| format!("agent {agent}: {why}"))
    }

    fn over(
        orders: Box<dyn Write + Send>,
        reports: Box<dyn Read + Send>,
        child: Option<Child>,
        slices: Sender<Slice>,
    ) -> Result<Self, String> {
        let (sender, answers) = channel();
        let progress = Arc::new(Mutex::new(Totals::default()));
        let followed = Arc::new(AtomicU64::new(0));
        let (theirs, count) = (Arc::clone(&progress), Arc::clone(&followed));
        thread::spawn(move || listen(BufReader::new(reports), &sender, &slices, &theirs, &count));
        let machine = match answers.recv_timeout(PATIENCE) {
            Ok(Answer::Hello(machine)) => machine,
            Ok(Answer::Failed(why)) => return Err(why),
            _ => return Err("the worker does not answer".to_owned()),
        };
        let (ours, version) = (env!("CARGO_PKG_VERSION"), &machine.version);
        if version != ours {
            return Err(format!("it is version {version}, this is {ours}"));
        }
        let mut remote =
            Self { machine, orders, answers, progress, followed, ordered: 0, offset: 0, child };
        if remote.machine.boot != Machine::here().boot {
            remote.offset = remote.measure_offset()?;
        }
        Ok(remote)
    }

    /// How far its clock is from ours: half a question's way is taken for the answer's.
    fn measure_offset(&mut self) -> Result<i64, String> {
        let mut best = (u64::MAX, 0);
        for _ in 0..CLOCK_ROUNDS {
            let asked = now_ns();
            self.order(&Order::Clock)?;
            let Answer::Clock(theirs) = self.answer()? else {
                return Err("the worker does not tell the time".to_owned());
            };
            let way = now_ns() - asked;
            let middle = asked + way / 2;
            best = best.min((way, (theirs as i64).wrapping_sub(middle as i64)));
        }
        Ok(best.1)
    }

    /// A time of ours in its clock.
    pub fn time(&self, ours_ns: u64) -> u64 {
        ours_ns.saturating_add_signed(self.offset)
    }

    /// Starts the threads of a job.
    ///
    /// # Errors
    /// If they cannot be.
    pub fn launch(&mut self, job: Job) -> Result<(), String> {
        let epoch_ns = self.time(job.epoch_ns);
        self.order(&Order::Launch(Box::new(Job { epoch_ns, ..job })))?;
        match self.answer()? {
            Answer::Launched => Ok(()),
            _ => Err("the worker answers something else".to_owned()),
        }
    }

    /// Gives an order.
    ///
    /// # Errors
    /// If the worker is gone.
    pub fn order(&mut self, order: &Order) -> Result<(), String> {
        self.ordered += 1;
        send(order, &mut self.orders).map_err(|error| format!("worker process: {error}"))
    }

    /// Progress so far.
    pub fn totals(&self) -> Totals {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all orders have been followed.
    pub fn has_followed(&self) -> bool {
        self.followed.load(Ordering::Acquire) >= self.ordered
    }

    /// Ends the worker; returns what it measured.
    ///
    /// # Errors
    /// If it cannot say.
    pub fn finish(mut self) -> Result<(Outcome, CpuDelta), String> {
        self.order(&Order::Finish)?;
        let answer = self.answer();
        if let Some(mut child) = self.child.take() {
            // It ends by itself behind its last line.
            let _ = child.wait();
        }
        match answer? {
            Answer::Outcome(measured) => Ok(*measured),
            _ => Err("the worker answers something else".to_owned()),
        }
    }

    fn answer(&self) -> Result<Answer, String> {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(Answer::Failed(why)) => Err(why),
            Ok(answer) => Ok(answer),
            Err(_) => {
                let Machine { host, pid, .. } = &self.machine;
                Err(format!("worker process {pid} on {host} does not answer"))
            }
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sorts a worker's reports until it ends.
fn listen(
    mut reports: BufReader<Box<dyn Read + Send>>,
    answers: &Sender<Answer>,
    slices: &Sender<Slice>,
    progress: &Mutex<Totals>,
    followed: &AtomicU64,
) {
    loop {
        let answer = match receive::<Report>(&mut reports) {
            Ok(Some(Report::Progress(totals, orders))) => {
                *progress.lock().unwrap_or_else(PoisonError::into_inner) = totals;
                // Release: who sees the orders followed sees the counts.
                followed.store(orders, Ordering::Release);
                continue;
            }
            Ok(Some(Report::Slice(slice))) => {
                // Nobody listens any more when the run was given up.
                let _ = slices.send(*slice);
                continue;
            }
            Ok(Some(Report::Hello(machine))) => Answer::Hello(machine),
            Ok(Some(Report::Clock(now))) => Answer::Clock(now),
            Ok(Some(Report::Launched)) => Answer::Launched,
            Ok(Some(Report::Outcome(outcome, used))) => Answer::Outcome(Box::new((*outcome, used))),
            Ok(Some(Report::Failed(why))) => Answer::Failed(why),
            Ok(None) => Answer::Failed("the worker process ended".to_owned()),
            Err(error) => Answer::Failed(format!("worker process: {error}")),
        };
        let last = matches!(answer, Answer::Failed(_) | Answer::Outcome(_));
        if answers.send(answer).is_err() || last {
            return;
        }
    }
}

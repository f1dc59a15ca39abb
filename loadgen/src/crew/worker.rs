//! A worker process: runs its part as it is told on the standard input.

use std::io::{self, BufReader};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::client::Totals;
use crate::clock::now_ns;
use crate::engine::Fleet;
use crate::failure::Failure;
use crate::measure::{CpuDelta, ProcessSample};
use crate::result::{Slice, Verdict};
use crate::run::Signals;

use super::message::{Machine, Order, Report, receive, send};

/// How often progress is reported.
const TICK: Duration = Duration::from_millis(10);

/// Obeys until the end of the standard input.
///
/// # Errors
/// If the one who gives orders is gone.
pub fn run() -> Result<Verdict, Failure> {
    // Ctrl-C at the terminal reaches all its processes; the one who conducts decides what follows.
    let _signals = Signals::block()?;
    let (orders, inbox) = channel();
    thread::spawn(move || {
        let mut input = BufReader::new(io::stdin());
        // The end of the input, however it comes, is the last order.
        while let Ok(Some(order)) = receive::<Order>(&mut input) {
            if orders.send(order).is_err() {
                return;
            }
        }
    });
    let mut output = io::stdout();
    send(&Report::Hello(Machine::here()), &mut output)?;
    let mut part = Part::default();
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(Order::Finish) => {
                send(&part.finish(), &mut output)?;
                return Ok(Verdict::Kept);
            }
            Ok(order) => {
                if let Some(report) = part.obey(order) {
                    let failed = matches!(report, Report::Failed(_));
                    send(&report, &mut output)?;
                    if failed {
                        return Ok(Verdict::Kept);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The one who conducts is gone: nobody wants the result.
            Err(RecvTimeoutError::Disconnected) => return Ok(Verdict::Kept),
        }
        for report in part.news() {
            send(&report, &mut output)?;
        }
    }
}

/// The part and what was told of it.
#[derive(Default)]
struct Part {
    fleet: Option<Fleet>,
    slices: Option<Receiver<Slice>>,
    orders: u64,
    told: (Totals, u64),
    gauge: Gauge,
}

/// CPU time of this process in the measurement window.
#[derive(Default)]
pub struct Gauge {
    window: (u64, u64),
    first: Option<ProcessSample>,
    last: Option<ProcessSample>,
}

impl Gauge {
    /// The window is known.
    pub fn begin(&mut self, from: u64, until: u64) {
        *self = Self { window: (from, until), first: None, last: None };
    }

    /// Looks at the process when its time has come.
    pub fn look(&mut self, now_ns: u64) {
        let sample = || ProcessSample::take(std::process::id()).ok();
        if self.first.is_none() && self.window.1 > 0 && now_ns >= self.window.0 {
            self.first = sample();
        }
        if self.last.is_none() && self.first.is_some() && now_ns >= self.window.1 {
            self.last = sample();
        }
    }

    /// What was used, until now if the window is still open.
    pub fn used(mut self) -> CpuDelta {
        self.window.1 = self.window.1.min(now_ns());
        self.look(now_ns());
        match (self.first, self.last) {
            (Some(first), Some(last)) => last.since(&first),
            _ => CpuDelta::default(),
        }
    }
}

impl Part {
    fn obey(&mut self, order: Order) -> Option<Report> {
        self.orders += 1;
        match (order, &self.fleet) {
            (Order::Clock, _) => return Some(Report::Clock(now_ns())),
            (Order::Launch(job), _) => {
                let (sender, receiver) = channel();
                return Some(match job.launch(sender) {
                    Ok(fleet) => {
                        (self.fleet, self.slices) = (Some(fleet), Some(receiver));
                        Report::Launched
                    }
                    Err(why) => Report::Failed(why),
                });
            }
            (_, None) => return Some(Report::Failed("ordered before the launch".to_owned())),
            (Order::Connect(limit), Some(fleet)) => fleet.allow_connections(limit),
            (Order::Subscribe(limit), Some(fleet)) => fleet.allow_subscriptions(limit),
            (Order::Record(from, until), Some(fleet)) => {
                fleet.record_between(from, until);
                self.gauge.begin(from, until);
            }
            (Order::Run(start, length), Some(fleet)) => fleet.run(start, length),
            (Order::Hold, Some(fleet)) => fleet.hold(),
            (Order::Finish, Some(_)) => {}
        }
        None
    }

    /// What is new since the last time.
    fn news(&mut self) -> Vec<Report> {
        let Some(fleet) = &self.fleet else { return Vec::new() };
        self.gauge.look(now_ns());
        let slices = self.slices.iter().flat_map(Receiver::try_iter);
        let mut news: Vec<_> = slices.map(|slice| Report::Slice(Box::new(slice))).collect();
        // Orders before counts: the counts are then those of turns under these orders, or later.
        let followed = if fleet.has_followed() { self.orders } else { self.told.1 };
        let now = (fleet.totals(), followed);
        if now != self.told {
            self.told = now;
            news.push(Report::Progress(now.0, now.1));
        }
        news
    }

    fn finish(self) -> Report {
        let Some(fleet) = self.fleet else { return Report::Failed("nothing was begun".to_owned()) };
        let used = self.gauge.used();
        match fleet.finish() {
            Ok(outcome) => Report::Outcome(Box::new(outcome), used),
            Err(error) => Report::Failed(error.to_string()),
        }
    }
}

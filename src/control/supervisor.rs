//! The actor that leads the broker through its life.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::clock::Instant;
use actix::prelude::*;

use super::estate::Estate;
use super::keeper::keep;
use super::lifecycle::Phase;
use super::listeners::Opened;
use super::metrics::Collector;
use super::prepare::{Checked, prepare};
use super::service;
use super::signals::{Signals, Watched};
use super::sockets::{Bound, Fresh, open_all};
use super::sys::{self, Announcer};
use crate::config::{Changes, Mistake, Mistakes, Runtime};
use crate::transport::ListenAddress;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How often draining looks whether connections are left.
const DRAIN_CHECK: Duration = Duration::from_millis(10);

/// How the broker ended.
#[derive(Debug)]
pub enum Outcome {
    /// Told to stop, and every connection ended in time.
    Clean,
    /// Told to stop; this many connections were cut off at the shutdown timeout.
    TimedOut(usize),
    /// Told to stop a second time, and so at once.
    Forced,
}

/// Stop in order; a second one stops at once.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

/// Read the configuration again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reload;

/// Open log files anew, after a rotation.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReopenLog;

/// Write to the log what is subscribed and retained.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Describe;

/// How many reloads have ended which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// Everything was right, and what could be applied was.
    pub applied: u64,
    /// Something was wrong, and nothing was applied.
    pub refused: u64,
}

/// The actor. Everything it must not lose is in the [`Estate`].
pub struct Supervisor {
    estate: Rc<Estate>,
}

impl Supervisor {
    /// A supervisor of this estate, which may have had another one before.
    pub fn new(estate: Rc<Estate>) -> Self {
        Self { estate }
    }

    fn begin(&self) {
        let estate = &self.estate;
        estate.lifecycle.advance(Phase::Listen);
        sys::announce(estate);
        self.hand_over(estate.fresh.take());
        estate.lifecycle.advance(Phase::Running);
        tracing::info!(target: "notice", "{} version {VERSION} running", estate.program);
        service::ready();
    }

    /// Hands open listeners to the shards.
    fn hand_over(&self, fresh: Vec<Fresh>) {
        let estate = &self.estate;
        for Fresh { settings, sockets } in fresh {
            for (Opened { socket, held }, address) in sockets {
                let id = estate.next_socket.replace(estate.next_socket.get() + 1);
                let listener = settings.id;
                estate.plane.listen(id, socket, Arc::clone(&settings));
                tracing::info!("Opening {}.", describe(&address));
                estate.bound.change(|bound| bound.push(Bound { id, listener, address }));
                estate.held.borrow_mut().extend(held.map(|held| (listener, held)));
            }
        }
    }

    /// Closes the sockets of listeners that are no more.
    fn close_removed(&self, runtime: &Runtime) {
        let estate = &self.estate;
        let stays = |listener: u32| runtime.listener(listener).is_some();
        for bound in estate.bound.get().iter().filter(|bound| !stays(bound.listener)) {
            estate.plane.unlisten(bound.id);
            tracing::info!("Closing {}.", describe(&bound.address));
        }
        estate.bound.change(|bound| bound.retain(|bound| stays(bound.listener)));
        estate.held.borrow_mut().retain(|(listener, _)| stays(*listener));
    }

    fn keep_children(&self, watched: Watched, context: &mut Context<Self>) {
        let estate = Rc::clone(&self.estate);
        let collector = move || Collector::new(Rc::clone(&estate));
        context.spawn(keep("metrics collector", collector, drop).into_actor(self));
        let (estate, started) = (Rc::clone(&self.estate), Rc::clone(&self.estate));
        let announcer = move || Announcer::new(Rc::clone(&estate));
        let started = move |address| *started.announcer.borrow_mut() = Some(address);
        context.spawn(keep("$SYS announcer", announcer, started).into_actor(self));
        let supervisor = context.address();
        let watched = Cell::new(Some(watched));
        let signals =
            move || Signals::new(supervisor.clone(), watched.take().unwrap_or_else(Watched::begin));
        context.spawn(keep("signal handler", signals, drop).into_actor(self));
        if let Some(period) = service::watchdog_period() {
            context.run_interval(period, |_, _| service::alive());
        }
    }

    fn drain(&self, context: &mut Context<Self>) {
        let estate = &self.estate;
        if estate.drain_until.get().is_none() {
            let patience = estate.config.borrow().process.shutdown_timeout;
            let until = Instant::now() + Duration::from_secs(patience.unsigned_abs());
            estate.drain_until.set(Some(until));
            estate.lifecycle.advance(Phase::Drain);
            tracing::info!(target: "notice", "{} version {VERSION} terminating", estate.program);
            service::stopping();
        }
        estate.plane.drain();
        // Another broker may listen there from now on.
        estate.held.borrow_mut().clear();
        context.run_interval(DRAIN_CHECK, Self::check_drained);
    }

    fn check_drained(&mut self, context: &mut Context<Self>) {
        let left = self.estate.plane.connections();
        let late = self.estate.drain_until.get().is_some_and(|until| Instant::now() >= until);
        match left {
            0 => self.finish(Outcome::Clean, context),
            _ if late => self.finish(Outcome::TimedOut(left), context),
            _ => {}
        }
    }

    fn finish(&self, outcome: Outcome, context: &mut Context<Self>) {
        match &outcome {
            Outcome::Clean => tracing::info!(target: "notice", "All connections are closed."),
            Outcome::TimedOut(left) => {
                tracing::warn!("{left} connections did not end within the shutdown_timeout.");
            }
            Outcome::Forced => tracing::warn!("Stopping at once, as asked a second time."),
        }
        *self.estate.outcome.borrow_mut() = Some(outcome);
        context.stop();
    }

    /// Reads the configuration again; nothing of it is applied unless all of it is right.
    fn reload(&self) {
        tracing::info!("Reloading config.");
        service::reloading();
        if let Err(mistakes) = self.try_reload() {
            mistakes.0.iter().for_each(|mistake| tracing::error!("{mistake}"));
            tracing::error!("The configuration was not reloaded; the old one stays in force.");
            self.estate.reloads.change(|reloads| reloads.refused += 1);
        }
        service::ready();
    }

    fn try_reload(&self) -> Result<(), Mistakes> {
        let estate = &self.estate;
        let loaded = estate.source.load()?;
        let mut next = estate.config.borrow().clone();
        let changes = next.adopt(&loaded.config);
        let mut runtime = next.compile(estate.cores);
        let mut next_listener = estate.next_listener.get();
        let new = runtime.renumber(&estate.settings.borrow().runtime, &mut next_listener);
        let Checked { settings, warnings } = prepare(&estate.steps, runtime)?;
        let log = estate.log.prepare(&next.logging).map_err(|error| not_opened(&error))?;
        let fresh = open_all(&new, &estate.inherited).map_err(|error| error.mistake())?;
        // Nothing below can fail.
        estate.next_listener.set(next_listener);
        *estate.config.borrow_mut() = next;
        *estate.settings.borrow_mut() = Arc::clone(&settings);
        loaded.warnings.iter().chain(&warnings).for_each(|warning| tracing::warn!("{warning}"));
        estate.log.install(log);
        estate.plane.apply(Arc::clone(&settings));
        self.close_removed(&settings.runtime);
        self.hand_over(fresh);
        if let Some(announcer) = &*estate.announcer.borrow() {
            announcer.do_send(sys::Reschedule);
        }
        report(&changes);
        estate.reloads.change(|reloads| reloads.applied += 1);
        Ok(())
    }
}

/// A listening socket in Mosquitto's words.
fn describe(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Ip(address) => {
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            format!("{family} listen socket on port {}", address.port())
        }
        ListenAddress::Path(path) => format!("unix listen socket on path {}", path.display()),
    }
}

/// A destination of the log that cannot be opened, as a mistake of the configuration.
fn not_opened(error: &io::Error) -> Mistake {
    Mistake {
        file: String::new(),
        line: 0,
        option: "log_dest".into(),
        what: format!("log_dest cannot be opened: {error}"),
        mend: "Check the path and its permissions".into(),
    }
}

fn report(changes: &Changes) {
    let applied = match changes.applied.as_slice() {
        [] => "nothing to apply".into(),
        names => format!("applied: {}", names.join(", ")),
    };
    tracing::info!(target: "notice", "Configuration reloaded; {applied}.");
    if !changes.need_restart.is_empty() {
        let names = changes.need_restart.join(", ");
        tracing::warn!("Changes that wait for a restart: {names}.");
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Whoever sees the listeners announced may send signals.
        let watched = Watched::begin();
        if self.estate.lifecycle.phase() < Phase::Running {
            self.begin();
        }
        self.keep_children(watched, context);
        // One that follows a failed supervisor takes up its work.
        if self.estate.lifecycle.phase() == Phase::Drain {
            self.drain(context);
        }
    }
}

impl Handler<Stop> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Stop, context: &mut Self::Context) {
        match self.estate.drain_until.get() {
            None => self.drain(context),
            Some(_) => self.finish(Outcome::Forced, context),
        }
    }
}

impl Handler<Describe> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Describe, _: &mut Self::Context) {
        self.estate.plane.describe();
    }
}

impl Handler<Reload> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: Reload, _: &mut Self::Context) {
        self.reload();
    }
}

impl Handler<ReopenLog> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: ReopenLog, _: &mut Self::Context) {
        self.estate.log.reopen();
    }
}

#[cfg(test)]
mod tests;

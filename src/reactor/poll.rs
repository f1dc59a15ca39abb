//! The turn: wait, look at the clock once, and let the handler work in a fixed order.
//!
//! # Readiness contract
//! Sources are registered once, for reading and writing, edge-triggered; nothing is registered
//! again on the hot path. An event tells of a change, so a handler must remember what it has not
//! used up, or bring the connection back through its run queue:
//!
//! - **Reading.** Read until the socket would block, until a *short read* (fewer bytes than the
//!   buffer had room for), or until the budget ends. A short read means drained, since anything
//!   that arrives later is a new edge; but not if the event said `closed`: the end of the stream
//!   has then been announced already, so read on until 0 bytes or an error.
//! - **Budget.** A connection that stopped for its budget goes on the run queue. No event will
//!   come for the bytes that wait.
//! - **Writing.** Write when there is something to write; after a write that would block or took
//!   less than it was given, wait for `writable`. Since one edge reports all that is ready,
//!   `writable` also comes with most reads, and must be cheap when nothing waits.
//! - **Stale events.** One batch may hold an event of a connection that an earlier event of the
//!   same batch closed. Tokens carry generations, so it finds nothing.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token, Waker};

use super::clock::Clock;
use super::spin::Spin;
use crate::sync::Arc;
use crate::util::Now;

/// Tokens from here up are connections ([`crate::util::Key::to_u64`] is never below); tokens
/// `1..CONNECTION_TOKEN_MIN` are listeners.
pub const CONNECTION_TOKEN_MIN: u64 = 1 << 32;

const WAKE_TOKEN: Token = Token(0);

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;

// A token holds a slab key of 64 bits.
const _: () = assert!(usize::BITS >= 64, "the reactor needs a 64-bit target");

/// What one event said about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// There may be bytes, the end of the stream or an error to read.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The peer has closed, or the connection has failed: a short read is not the end.
    pub closed: bool,
}

/// What a [`Reactor`] drives. The methods are called in the order of their declaration, each turn.
pub trait Handler {
    /// Whether the loop should end; asked before each turn.
    fn stopped(&self) -> bool;

    /// When [`Handler::timers`] next has something to do, in milliseconds of the reactor's clock.
    fn next_deadline(&self) -> Option<u64>;

    /// Whether mail waits; asked while spinning.
    fn has_mail(&self) -> bool;

    /// Announces to other threads that this one is about to sleep. If false, it must not.
    fn prepare_sleep(&mut self) -> bool;

    /// Follows a [`Handler::prepare_sleep`] that returned true.
    fn awake(&mut self);

    /// Drains the mailbox, up to a budget. True if some is left that was already taken.
    fn mailbox(&mut self, now: Now) -> bool;

    /// A listener has connections.
    fn acceptable(&mut self, token: u64, now: Now);

    /// A connection became ready. Override it to look the connection up once for both calls.
    fn ready(&mut self, token: u64, ready: Ready, now: Now) {
        // Writable first: reading may close the connection or move it elsewhere.
        if ready.writable {
            self.writable(token, now);
        }
        if ready.readable || ready.closed {
            self.readable(token, ready.closed, now);
        }
    }

    /// A connection may be read; see the readiness contract.
    fn readable(&mut self, token: u64, closed: bool, now: Now);

    /// A connection may be written; see the readiness contract.
    fn writable(&mut self, token: u64, now: Now);

    /// Goes on with connections whose budget ended in an earlier turn. True if some are left.
    fn run_queue(&mut self, now: Now) -> bool;

    /// Runs what is due.
    fn timers(&mut self, now: Now);

    /// Writes what this turn produced, one write per connection and one push per shard. True if
    /// anything since [`Handler::run_queue`] left work that no event will announce.
    fn flush(&mut self, now: Now) -> bool;
}

/// How a [`Reactor`] waits.
#[derive(Clone, Copy, Debug)]
pub struct ReactorConfig {
    /// The process's clock.
    pub clock: Clock,
    /// How long to look for work before sleeping, in microseconds, if recent waits were as short.
    /// 0: never.
    pub spin_us: u32,
}

/// One thread's event loop.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    clock: Clock,
    spin: Spin,
    /// The last turn left something to do.
    work_left: bool,
}

impl Reactor {
    /// A loop with nothing registered. Fails if the kernel gives no descriptors.
    pub fn new(config: ReactorConfig) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE_TOKEN)?);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            waker,
            clock: config.clock,
            spin: Spin::new(Duration::from_micros(u64::from(config.spin_us))),
            work_left: true,
        })
    }

    /// What wakes this loop; for [`super::Mailbox::attach`].
    pub fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Where to register sources; a second descriptor for the same poll, for the handler to own.
    pub fn registry(&self) -> io::Result<Registry> {
        self.poll.registry().try_clone()
    }

    /// Reads the clock.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Turns until the handler has stopped. An error is the poll's own: nothing can go on then.
    pub fn run(&mut self, handler: &mut impl Handler) -> io::Result<()> {
        while !handler.stopped() {
            self.turn(handler)?;
        }
        Ok(())
    }

    /// One turn.
    pub fn turn(&mut self, handler: &mut impl Handler) -> io::Result<()> {
        self.wait(handler)?;
        let now = self.clock.now();
        let mail_left = handler.mailbox(now);
        self.dispatch(handler, now);
        let queue_left = handler.run_queue(now);
        handler.timers(now);
        let flush_left = handler.flush(now);
        self.work_left = mail_left || queue_left || flush_left;
        Ok(())
    }

    /// Collects events; sleeps for them only if there is nothing else to do.
    fn wait(&mut self, handler: &mut impl Handler) -> io::Result<()> {
        if self.work_left {
            return self.collect(Some(Duration::ZERO));
        }
        if !self.spin.is_enabled() {
            return self.sleep(handler);
        }
        let start = Instant::now();
        if !self.spin_for_work(handler, start)? {
            self.sleep(handler)?;
        }
        self.spin.learn(start.elapsed());
        Ok(())
    }

    /// Looks without sleeping. True if there is something to do.
    fn spin_for_work(&mut self, handler: &impl Handler, start: Instant) -> io::Result<bool> {
        let Some(until) = self.spin.until(start) else { return Ok(false) };
        loop {
            self.collect(Some(Duration::ZERO))?;
            if !self.events.is_empty() || handler.has_mail() {
                return Ok(true);
            }
            if Instant::now() >= until || self.timeout(handler) == Some(Duration::ZERO) {
                return Ok(false);
            }
            std::hint::spin_loop();
        }
    }

    /// Sleeps until an event, a wake or the next deadline.
    fn sleep(&mut self, handler: &mut impl Handler) -> io::Result<()> {
        let timeout = self.timeout(handler);
        if timeout == Some(Duration::ZERO) || !handler.prepare_sleep() {
            return self.collect(Some(Duration::ZERO));
        }
        let collected = self.collect(timeout);
        handler.awake();
        collected
    }

    /// How long the next deadline is away, by a clock read now: the turn that ended took time.
    fn timeout(&self, handler: &impl Handler) -> Option<Duration> {
        let deadline_ms = handler.next_deadline()?;
        Some(Duration::from_millis(deadline_ms.saturating_sub(self.clock.mono_ms())))
    }

    fn collect(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            // A signal; the turn that follows is as good as any.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            result => result,
        }
    }

    fn dispatch(&mut self, handler: &mut impl Handler, now: Now) {
        for event in &self.events {
            if event.token() == WAKE_TOKEN {
                continue;
            }
            let token = event.token().0 as u64;
            if token < CONNECTION_TOKEN_MIN {
                handler.acceptable(token, now);
                continue;
            }
            let closed = event.is_read_closed() || event.is_write_closed() || event.is_error();
            let ready =
                Ready { readable: event.is_readable(), writable: event.is_writable(), closed };
            handler.ready(token, ready, now);
        }
    }
}

#[cfg(test)]
mod tests;

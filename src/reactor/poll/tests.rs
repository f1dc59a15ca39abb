//! Goal: the turn keeps its order, never sleeps on work, and never sleeps through a deadline.
//! Method: a handler that writes down what it is asked, over socket pairs.

use std::io::{Read, Write};
use std::thread;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::super::mailbox::{Mailbox, Marks};
use super::{CONNECTION_TOKEN_MIN, Clock, Handler, Reactor, ReactorConfig, Ready};
use crate::sync::Arc;
use crate::util::Now;

const CONNECTION: u64 = CONNECTION_TOKEN_MIN + 5;

struct Recorder {
    mailbox: Arc<Mailbox<u32>>,
    registry: Registry,
    calls: Vec<String>,
    /// Turns for which each of the three that may report leftover work does so.
    mail_left: u32,
    queue_left: u32,
    flush_left: u32,
    deadline_ms: Option<u64>,
    sleeps: u32,
    turns_left: u32,
    seen_ms: Vec<u64>,
}

impl Recorder {
    fn over(reactor: &Reactor) -> Self {
        let mailbox = Arc::new(Mailbox::new("test", Marks { commands: 10, bytes: 1000 }));
        mailbox.attach(reactor.waker());
        Self {
            mailbox,
            registry: reactor.registry().unwrap(),
            calls: Vec::new(),
            mail_left: 0,
            queue_left: 0,
            flush_left: 0,
            deadline_ms: None,
            sleeps: 0,
            turns_left: 1,
            seen_ms: Vec::new(),
        }
    }

    fn connection(&self) -> (UnixStream, UnixStream) {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let both = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut ours, Token(CONNECTION as usize), both).unwrap();
        (ours, theirs)
    }

    fn named(&self, name: &str) -> usize {
        self.calls.iter().filter(|call| call.starts_with(name)).count()
    }
}

fn left(turns: &mut u32) -> bool {
    let before = *turns;
    *turns = before.saturating_sub(1);
    before > 0
}

impl Handler for Recorder {
    fn stopped(&self) -> bool {
        self.turns_left == 0
    }

    fn next_deadline(&self) -> Option<u64> {
        self.deadline_ms
    }

    fn has_mail(&self) -> bool {
        self.mailbox.has_mail()
    }

    fn prepare_sleep(&mut self) -> bool {
        let may = self.mailbox.prepare_sleep();
        self.sleeps += u32::from(may);
        may
    }

    fn awake(&mut self) {
        self.mailbox.awake();
    }

    fn mailbox(&mut self, now: Now) -> bool {
        self.seen_ms.push(now.mono_ms);
        let mail: Vec<u32> = self.mailbox.take().flatten().collect();
        self.calls.push(format!("mailbox {mail:?}"));
        left(&mut self.mail_left)
    }

    fn acceptable(&mut self, token: u64, _now: Now) {
        self.calls.push(format!("acceptable {token}"));
    }

    fn readable(&mut self, token: u64, closed: bool, _now: Now) {
        self.calls.push(format!("readable {} {closed}", token - CONNECTION_TOKEN_MIN));
    }

    fn writable(&mut self, token: u64, _now: Now) {
        self.calls.push(format!("writable {}", token - CONNECTION_TOKEN_MIN));
    }

    fn run_queue(&mut self, _now: Now) -> bool {
        self.calls.push("run_queue".into());
        left(&mut self.queue_left)
    }

    fn timers(&mut self, now: Now) {
        self.calls.push("timers".into());
        if self.deadline_ms.is_some_and(|deadline| deadline <= now.mono_ms) {
            self.deadline_ms = None;
            self.calls.push("expired".into());
        }
    }

    fn flush(&mut self, now: Now) -> bool {
        self.calls.push("flush".into());
        assert_eq!(self.seen_ms.last(), Some(&now.mono_ms), "one clock reading a turn");
        self.turns_left -= 1;
        left(&mut self.flush_left)
    }
}

fn reactor(spin_us: u32) -> Reactor {
    Reactor::new(ReactorConfig { clock: Clock::start(), spin_us }).unwrap()
}

#[test]
fn a_turn_goes_from_mail_over_readiness_and_timers_to_the_flush() {
    let mut reactor = reactor(0);
    let mut handler = Recorder::over(&reactor);
    let (_ours, mut theirs) = handler.connection();
    theirs.write_all(b"x").unwrap();
    handler.mailbox.push(vec![1, 2], 1);
    reactor.run(&mut handler).unwrap();
    let expected =
        ["mailbox [1, 2]", "writable 5", "readable 5 false", "run_queue", "timers", "flush"];
    assert_eq!(handler.calls, expected);
}

#[test]
fn a_close_is_told_with_the_bytes_before_it() {
    let mut reactor = reactor(0);
    let mut handler = Recorder::over(&reactor);
    let (mut ours, mut theirs) = handler.connection();
    theirs.write_all(b"last").unwrap();
    drop(theirs);
    reactor.run(&mut handler).unwrap();
    assert_eq!(handler.named("readable 5 true"), 1);
    let mut bytes = Vec::new();
    ours.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"last");
}

#[test]
fn an_edge_is_told_once_and_a_new_arrival_is_a_new_edge() {
    let mut reactor = reactor(0);
    let mut handler = Recorder::over(&reactor);
    let (mut ours, mut theirs) = handler.connection();
    theirs.write_all(b"abc").unwrap();
    (handler.turns_left, handler.queue_left) = (2, 1);
    reactor.run(&mut handler).unwrap();
    assert_eq!(handler.named("readable"), 1, "unread bytes are the handler's to remember");
    let mut room = [0; 16];
    assert_eq!(ours.read(&mut room).unwrap(), 3, "a short read");
    theirs.write_all(b"d").unwrap();
    handler.turns_left = 1;
    reactor.run(&mut handler).unwrap();
    assert_eq!(handler.named("readable"), 2);
}

#[test]
fn listeners_and_connections_are_told_apart_by_token() {
    let mut reactor = reactor(0);
    let mut handler = Recorder::over(&reactor);
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    handler.registry.register(&mut ours, Token(3), Interest::READABLE).unwrap();
    theirs.write_all(b"x").unwrap();
    reactor.run(&mut handler).unwrap();
    assert_eq!((handler.named("acceptable 3"), handler.named("readable")), (1, 0));
}

#[test]
fn nothing_sleeps_while_work_is_left() {
    for source in 0..3 {
        let mut reactor = reactor(0);
        let mut handler = Recorder::over(&reactor);
        let left = [&mut handler.mail_left, &mut handler.queue_left, &mut handler.flush_left];
        **left.into_iter().nth(source).as_mut().unwrap() = 4;
        handler.turns_left = 5;
        reactor.run(&mut handler).unwrap();
        assert_eq!((handler.sleeps, handler.named("flush")), (0, 5));
    }
}

#[test]
fn a_deadline_ends_the_sleep_and_is_not_early() {
    for spin_us in [0, 200] {
        let mut reactor = reactor(spin_us);
        let mut handler = Recorder::over(&reactor);
        let deadline_ms = reactor.now().mono_ms + 30;
        handler.deadline_ms = Some(deadline_ms);
        handler.turns_left = 2;
        reactor.run(&mut handler).unwrap();
        assert_eq!(handler.named("expired"), 1);
        assert!(handler.seen_ms[1] >= deadline_ms);
        assert!(handler.sleeps >= 1);
    }
}

#[test]
fn mail_from_another_thread_wakes_the_loop_however_it_waits() {
    for spin_us in [0, 50] {
        let mut reactor = reactor(spin_us);
        let mut handler = Recorder::over(&reactor);
        let mailbox = handler.mailbox.clone();
        thread::scope(|scope| {
            scope.spawn(move || {
                for n in 0..2_000 {
                    mailbox.push(vec![n], 1);
                    while mailbox.has_mail() {
                        thread::yield_now();
                    }
                }
            });
            let mut expected = 0..2_000;
            while !expected.is_empty() {
                handler.turns_left = 1;
                reactor.run(&mut handler).unwrap();
                for call in handler.calls.drain(..).filter(|call| call.starts_with("mailbox [")) {
                    let mail = call.trim_start_matches("mailbox [").trim_end_matches(']');
                    for n in mail.split(", ").filter(|n| !n.is_empty()) {
                        assert_eq!(n.parse(), Ok(expected.next().unwrap()));
                    }
                }
            }
        });
    }
}

#[test]
fn an_error_alone_still_reaches_the_reader() {
    let mut reactor = reactor(0);
    let mut handler = Recorder::over(&reactor);
    let ready = Ready { readable: false, writable: false, closed: true };
    handler.ready(CONNECTION, ready, reactor.now());
    assert_eq!(handler.calls, ["readable 5 true"]);
    reactor.turn(&mut handler).unwrap();
}

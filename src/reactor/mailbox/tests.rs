//! Goal: no mail without a wake, no wake without a sleeper, no waiter forgotten.
//! Method: single-threaded cases for the rules, then threads against real polls. A lost wake shows
//! as a poll that returns without an event.

use std::thread;
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use super::{Mailbox, Marks, SHARDS_MAX};
use crate::sync::{Arc, AtomicUsize, Ordering};

const MARKS: Marks = Marks { commands: 4, bytes: 100 };
/// Only reached by a lost wake.
const FOREVER: Duration = Duration::from_secs(60);

fn attached(marks: Marks) -> (Mailbox<usize>, Poll) {
    let poll = Poll::new().unwrap();
    let mailbox = Mailbox::new("test", marks);
    mailbox.attach(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()));
    (mailbox, poll)
}

/// Sleeps as a reactor does; fails if nothing woke it.
fn sleep(mailbox: &Mailbox<usize>, poll: &mut Poll, events: &mut Events) {
    if mailbox.prepare_sleep() {
        poll.poll(events, Some(FOREVER)).unwrap();
        assert!(!events.is_empty(), "lost wake");
        mailbox.awake();
    }
}

#[test]
fn only_a_sleeping_owner_is_woken_and_only_once() {
    let (mailbox, _poll) = attached(MARKS);
    assert!(!mailbox.push(vec![1], 1), "awake");
    assert!(!mailbox.prepare_sleep(), "there is mail");
    assert_eq!(mailbox.take().flatten().collect::<Vec<_>>(), [1]);
    assert!(mailbox.prepare_sleep());
    assert!(mailbox.push(vec![2], 1));
    assert!(!mailbox.push(vec![3], 1), "woken already");
    assert!(!mailbox.nudge(), "woken already");
    mailbox.awake();
    assert_eq!(mailbox.take().flatten().collect::<Vec<_>>(), [2, 3]);
    assert!(mailbox.prepare_sleep());
}

#[test]
fn a_nudge_keeps_an_owner_from_falling_asleep_once() {
    let (mailbox, _poll) = attached(MARKS);
    mailbox.nudge();
    assert!(!mailbox.prepare_sleep());
    assert!(mailbox.prepare_sleep());
    assert!(mailbox.nudge());
}

#[test]
fn an_empty_batch_is_no_mail() {
    let (mailbox, _poll) = attached(MARKS);
    assert!(mailbox.prepare_sleep());
    assert!(!mailbox.push(Vec::new(), 0));
    assert!(!mailbox.has_mail());
}

#[test]
fn depth_counts_until_done_and_waiters_hear_of_room_at_half() {
    let (mailbox, _poll) = attached(MARKS);
    assert!(!mailbox.register_waiter(1), "there is room");
    mailbox.push(vec![0; 5], 10);
    assert!(mailbox.over_high_water());
    for shard in [200, 0, SHARDS_MAX - 1, 64] {
        assert!(mailbox.register_waiter(shard));
    }
    assert_eq!(mailbox.take().flatten().count(), 5);
    assert!(mailbox.over_high_water(), "taken is not done");
    assert_eq!(mailbox.done(2, 4).count(), 0);
    assert!(!mailbox.over_high_water() && !mailbox.has_room());
    assert_eq!(mailbox.done(1, 2).collect::<Vec<_>>(), [0, 64, 200, SHARDS_MAX - 1]);
    assert_eq!(mailbox.done(2, 4).count(), 0, "told once");
    assert_eq!((mailbox.depth_commands(), mailbox.depth_bytes()), (0, 0));
}

#[test]
fn bytes_fill_a_mailbox_as_commands_do() {
    let (mailbox, _poll) = attached(MARKS);
    mailbox.push(vec![0], 101);
    assert!(mailbox.over_high_water() && mailbox.register_waiter(3));
    assert_eq!(mailbox.done(1, 101).collect::<Vec<_>>(), [3]);
}

#[test]
fn no_wake_is_lost_while_the_owner_sleeps_after_every_message() {
    const PRODUCERS: usize = 3;
    const EACH: usize = 5_000;
    let (mailbox, mut poll) = attached(MARKS);
    let mut events = Events::with_capacity(8);
    let handled = [const { AtomicUsize::new(0) }; PRODUCERS];
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (mailbox, handled) = (&mailbox, &handled);
            scope.spawn(move || {
                for n in 0..EACH {
                    mailbox.push(vec![producer], 1);
                    // Waiting for each answer makes the owner run dry and go to sleep.
                    while handled[producer].load(Ordering::Acquire) <= n {
                        thread::yield_now();
                    }
                }
            });
        }
        let mut left = PRODUCERS * EACH;
        while left > 0 {
            sleep(&mailbox, &mut poll, &mut events);
            for producer in mailbox.take().flatten() {
                assert_eq!(mailbox.done(1, 1).count(), 0);
                handled[producer].fetch_add(1, Ordering::Release);
                left -= 1;
            }
        }
    });
}

#[test]
fn no_waiter_is_forgotten_while_depth_crosses_the_mark() {
    const ROUNDS: usize = 20_000;
    let (target, mut target_poll) = attached(Marks { commands: 1, bytes: 100 });
    let (waiter, mut waiter_poll) = attached(MARKS);
    thread::scope(|scope| {
        let (target, waiter) = (&target, &waiter);
        scope.spawn(move || {
            let mut events = Events::with_capacity(8);
            for n in 0..ROUNDS {
                target.push(vec![n, n], 1);
                // As a shard does: paused until there is room, asking again on each turn.
                while target.register_waiter(7) {
                    sleep(waiter, &mut waiter_poll, &mut events);
                }
            }
        });
        let mut events = Events::with_capacity(8);
        let mut left = ROUNDS;
        while left > 0 {
            sleep(target, &mut target_poll, &mut events);
            for batch in target.take() {
                left -= 1;
                for shard in target.done(batch.len(), 1) {
                    assert_eq!(shard, 7);
                    waiter.nudge();
                }
            }
        }
    });
}

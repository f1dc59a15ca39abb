//! What must hold in every order of the threads' steps; `trie.rs` has the routing trie's.
//!
//! A model is small on purpose: loom tries all orders, and their number grows fast.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use pondhawk_loom::Waker;
use pondhawk_loom::directory::{Claim, Directory};
use pondhawk_loom::mailbox::{Mailbox, Marks};
use pondhawk_loom::sync::BatchQueue;
use pondhawk_loom::util::Key;

/// At most this many times a thread is interrupted where it need not be; faults that need more
/// are rare, and the models stay short.
const PREEMPTIONS: usize = 3;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

/// A command whose content loom watches: to read it without having seen it written is a fault.
struct Command(UnsafeCell<i32>);

impl Command {
    fn new(content: i32) -> Self {
        let command = Self(UnsafeCell::new(0));
        // SAFETY: nobody else has the command yet.
        command.0.with_mut(|cell| unsafe { *cell = content });
        command
    }

    fn read(self) -> i32 {
        // SAFETY: whoever took the batch is the command's only owner; loom checks that.
        self.0.with(|cell| unsafe { *cell })
    }
}

#[test]
fn loom_batches_are_neither_lost_nor_torn_and_one_push_sees_the_queue_empty() {
    explore(|| {
        let queue = Arc::new(BatchQueue::new());
        let pushers: Vec<_> = [1, 2]
            .map(|n| {
                let queue = Arc::clone(&queue);
                let batch = move || vec![Command::new(n), Command::new(n * 10)];
                thread::spawn(move || u32::from(queue.push(batch())))
            })
            .into_iter()
            .collect();
        let mut taken: Vec<i32> = queue.take_all().flatten().map(Command::read).collect();
        let mut takes = u32::from(!taken.is_empty());
        let firsts: u32 = pushers.into_iter().map(|pusher| pusher.join().unwrap()).sum();
        let rest: Vec<i32> = queue.take_all().flatten().map(Command::read).collect();
        takes += u32::from(!rest.is_empty());
        taken.extend(rest);
        assert_eq!(firsts, takes);
        for n in [1, 2] {
            let at = taken.iter().position(|have| *have == n).expect("the batch came");
            assert_eq!(taken[at + 1], n * 10, "batches stay whole");
        }
        assert_eq!(taken.len(), 4);
    });
}

fn mailbox() -> (Arc<Mailbox<u32>>, Arc<Waker>) {
    let mailbox = Arc::new(Mailbox::new("model", Marks { commands: 1, bytes: 100 }));
    let waker = Arc::new(Waker::default());
    mailbox.attach(Arc::clone(&waker));
    (mailbox, waker)
}

#[test]
fn loom_an_owner_that_sleeps_with_mail_is_woken() {
    explore(|| {
        let (mailbox, waker) = mailbox();
        let pusher = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.push(vec![7], 1))
        };
        let slept = mailbox.prepare_sleep();
        pusher.join().unwrap();
        // Asleep with mail and nobody to wake it: the one thing that must not be.
        assert!(!slept || waker.take(), "a lost wake");
        mailbox.awake();
        assert_eq!(mailbox.take().flatten().collect::<Vec<_>>(), [7]);
    });
}

#[test]
fn loom_a_shard_that_goes_to_sleep_sees_the_order_to_stop() {
    explore(|| {
        let (mailbox, waker) = mailbox();
        let stop = Arc::new(AtomicUsize::new(0));
        let control = {
            let (mailbox, stop) = (Arc::clone(&mailbox), Arc::clone(&stop));
            thread::spawn(move || {
                stop.store(1, Ordering::Release);
                mailbox.nudge();
            })
        };
        let slept = mailbox.prepare_sleep();
        if !slept {
            // Awake because of the nudge, and so it sees what came before it.
            assert_eq!(stop.load(Ordering::Acquire), 1);
        }
        control.join().unwrap();
        assert!(!slept || waker.take(), "it sleeps on and the broker never ends");
    });
}

#[test]
fn loom_whoever_waits_for_room_is_nudged_or_sees_it() {
    explore(|| {
        let (mailbox, _waker) = mailbox();
        mailbox.push(vec![1, 2], 2);
        let source = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.register_waiter(5))
        };
        let taken = mailbox.take().flatten().count();
        let nudged = mailbox.done(taken, 2).any(|shard| shard == 5);
        let waits = source.join().unwrap();
        assert!(!waits || nudged, "a source that reads no more and is never told to go on");
    });
}

#[test]
fn loom_one_shard_becomes_the_home_of_a_client() {
    explore(|| {
        let directory = Arc::new(Directory::default());
        let rival = {
            let directory = Arc::clone(&directory);
            thread::spawn(move || directory.claim(&"client".into(), 1, u64::MAX))
        };
        let mine = directory.claim(&"client".into(), 0, u64::MAX);
        if mine == Claim::New {
            directory.settle("client", 0, Key { index: 3, generation: 1 });
        }
        let theirs = rival.join().unwrap();
        match (mine, theirs) {
            (Claim::New, Claim::Existing(home)) => assert_eq!(home.shard, 0),
            (Claim::Existing(home), Claim::New) => assert_eq!(home.shard, 1),
            both => panic!("two homes, or none: {both:?}"),
        }
    });
}

#[test]
fn loom_a_session_that_ends_while_it_is_claimed_has_one_home_after() {
    explore(|| {
        let directory = Arc::new(Directory::default());
        assert_eq!(directory.claim(&"client".into(), 0, u64::MAX), Claim::New);
        directory.settle("client", 0, Key { index: 3, generation: 1 });
        let taker = {
            let directory = Arc::clone(&directory);
            thread::spawn(move || directory.claim(&"client".into(), 1, u64::MAX))
        };
        // The home shard ends the Session: a takeover that came before goes there and finds none,
        // one that comes after makes a new home.
        directory.release("client", 0);
        match taker.join().unwrap() {
            Claim::New => assert_eq!(directory.len(), 1),
            Claim::Existing(home) => {
                assert_eq!(home.shard, 0);
                assert!(directory.is_empty());
            }
            Claim::Full => panic!("there is no limit"),
        }
    });
}

#[test]
fn loom_no_more_sessions_than_allowed_and_the_place_of_one_that_ended_is_free() {
    explore(|| {
        let directory = Arc::new(Directory::default());
        let rival = {
            let directory = Arc::clone(&directory);
            thread::spawn(move || {
                let claim = directory.claim(&"other".into(), 1, 1);
                if claim == Claim::New {
                    directory.release("other", 1);
                }
                claim
            })
        };
        let mine = directory.claim(&"client".into(), 0, 1);
        let theirs = rival.join().unwrap();
        assert!([mine, theirs].contains(&Claim::New), "a place was left");
        if mine == Claim::New {
            assert_eq!(directory.len(), 1);
            directory.release("client", 0);
        }
        assert_eq!(directory.claim(&"third".into(), 0, 1), Claim::New);
    });
}

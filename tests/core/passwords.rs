//! A CONNECT whose password is being checked, step by step: the answer comes when the test says.

use std::sync::{Arc, Mutex};

use pondhawk::auth::{
    Busy, Credential, Job, Methods, Policies, Policy, Verifier, parse_acl_file, parse_password_file,
};
use pondhawk::shard::Settings;
use pondhawk::shard::memory::{Memory, Wire};

use crate::client::{
    client3, config, connect3, packet, publish3, publishes3, string, subscribe3, subscribed3,
};

const HASH: &str = "$7$101$ilvhqNogFwBd76x5$cwwsaymwPa3JcSn7V9pu+5WkQLs68ESii0xU79jxiyF04g4mPzX\
                    Ku4W/QSkh9G+poquJtCWcehfgQ6hGSjyrYg==";

const NOTHING: [u8; 0] = [];

/// Keeps the jobs until the test answers.
#[derive(Default)]
struct Held {
    jobs: Mutex<Vec<Job>>,
    full: bool,
}

impl Verifier for Held {
    fn remembers(&self, _: &str, _: &[u8], _: &Credential, _: u64) -> bool {
        false
    }

    fn submit(&self, job: Job) -> Result<(), Busy> {
        if self.full {
            return Err(Busy);
        }
        self.jobs.lock().unwrap().push(job);
        Ok(())
    }
}

impl Held {
    fn waiting(&self) -> usize {
        self.jobs.lock().unwrap().len()
    }

    /// Answers the oldest job, by the password itself.
    fn answer(&self) {
        let job = self.jobs.lock().unwrap().remove(0);
        let right = job.known && job.credential.verify(&job.password);
        job.reply.send(right);
    }
}

fn settings(generation: u64, users: &[&str], acl: Option<&str>) -> Arc<Settings> {
    let text: String = users.iter().map(|user| format!("{user}:{HASH}\n")).collect();
    let (users, _) = parse_password_file(text.as_bytes()).expect("is good");
    let acl = acl.map(|acl| Arc::new(parse_acl_file(acl.as_bytes()).expect("is good").0));
    let policy = Policy { allow_anonymous: true, users: Some(Arc::new(users)), acl };
    let mut settings = Settings::from(config(|_| {}));
    settings.policies = Arc::new(Policies::new(generation, [(0, Arc::new(policy))]));
    Arc::new(settings)
}

fn broker(shards: usize) -> (Memory, Arc<Held>) {
    with(shards, Held::default())
}

fn with(shards: usize, held: Held) -> (Memory, Arc<Held>) {
    let held = Arc::new(held);
    let mut methods = Methods::default();
    methods.verify_with(Arc::clone(&held) as Arc<dyn Verifier>);
    (Memory::with(shards, settings(1, &["bob"], None), methods), held)
}

fn login(id: &str, clean: bool, password: &str) -> Vec<u8> {
    let flags = [0xC0 | if clean { 2 } else { 0 }, 0, 60];
    let names = [string(id), string("bob"), string(password)].concat();
    packet(0x10, &[b"\x00\x04MQTT\x04", &flags, &names])
}

fn received(broker: &mut Memory, wire: Wire) -> Vec<u8> {
    broker.settle();
    broker.receive(wire)
}

#[test]
fn what_came_behind_connect_is_done_after_the_answer_and_in_order() {
    let (mut broker, held) = broker(1);
    let wire = broker.connect(0);
    let first = [login("c", true, "secret"), subscribe3("a", 0), vec![0xC0]].concat();
    broker.send(wire, &first);
    broker.send(wire, &[0]);
    assert_eq!(received(&mut broker, wire), NOTHING);
    held.answer();
    assert_eq!(received(&mut broker, wire), [0x20, 2, 0, 0, 0x90, 3, 0, 9, 0, 0xD0, 0]);
}

#[test]
fn a_wrong_password_is_refused_and_nothing_behind_it_is_done() {
    let (mut broker, held) = broker(1);
    let mut watcher = client3(&mut broker, 0, "watcher");
    subscribed3(&mut broker, watcher, "#", 0);
    let wire = broker.connect(0);
    broker.send(wire, &[login("c", true, "wrong"), publish3("a", 0, true, 0, b"x")].concat());
    held.answer();
    assert_eq!(received(&mut broker, wire), [0x20, 2, 0, 5]);
    assert!(!broker.is_open(wire));
    assert_eq!(received(&mut broker, watcher), NOTHING);
    watcher = client3(&mut broker, 0, "late");
    broker.send(watcher, &subscribe3("#", 0));
    assert_eq!(received(&mut broker, watcher), [0x90, 3, 0, 9, 0], "nothing was retained");
}

#[test]
fn a_connection_that_is_gone_before_its_answer_leaves_nothing() {
    let (mut broker, held) = broker(1);
    let gone = broker.connect(0);
    broker.send(gone, &login("c", false, "secret"));
    broker.cut(gone);
    broker.settle();
    // Another one takes the place in the slab before the answer comes.
    let other = broker.connect(0);
    broker.send(other, &login("other", true, "wrong"));
    held.answer();
    assert_eq!(received(&mut broker, other), NOTHING, "the answer was another's");
    held.answer();
    assert_eq!(received(&mut broker, other), [0x20, 2, 0, 5]);
    assert_eq!(broker.shards()[0].sessions(), 0);
}

#[test]
fn a_session_is_touched_only_after_the_answer_even_on_another_shard() {
    let (mut broker, held) = broker(2);
    let first = broker.connect(0);
    broker.send(first, &login("c", false, "secret"));
    held.answer();
    assert_eq!(received(&mut broker, first), [0x20, 2, 0, 0]);
    let thief = broker.connect(1);
    broker.send(thief, &login("c", false, "wrong"));
    let second = broker.connect(1);
    broker.send(second, &[login("c", false, "secret"), vec![0xC0, 0]].concat());
    broker.settle();
    assert!(broker.is_open(first));
    held.answer();
    assert_eq!(received(&mut broker, thief), [0x20, 2, 0, 5]);
    assert!(broker.is_open(first));
    held.answer();
    assert_eq!(received(&mut broker, second), [0x20, 2, 1, 0, 0xD0, 0], "session present");
    assert_eq!(broker.shard_of(second), 0);
    assert!(!broker.is_open(first));
    assert_eq!(held.waiting(), 0, "the move does not ask again");
}

#[test]
fn an_answer_under_old_policies_is_asked_for_again() {
    let (mut broker, held) = broker(1);
    let wire = broker.connect(0);
    broker.send(wire, &login("c", true, "secret"));
    broker.apply(0, settings(2, &["ann"], None));
    held.answer();
    assert_eq!(received(&mut broker, wire), NOTHING);
    held.answer();
    assert_eq!(received(&mut broker, wire), [0x20, 2, 0, 5], "bob is no user any more");
}

#[test]
fn a_shard_that_has_other_policies_asks_again_when_a_connection_moves_there() {
    let (mut broker, held) = broker(2);
    let first = broker.connect(0);
    broker.send(first, &login("c", false, "secret"));
    held.answer();
    broker.settle();
    let second = broker.connect(1);
    broker.send(second, &login("c", false, "secret"));
    broker.apply(0, settings(2, &["bob"], None));
    held.answer();
    assert_eq!(
        received(&mut broker, second),
        NOTHING,
        "admitted on shard 1, asked again on shard 0"
    );
    assert!(broker.is_open(first));
    held.answer();
    assert_eq!(received(&mut broker, second), [0x20, 2, 1, 0]);
    assert!(!broker.is_open(first));
}

#[test]
fn the_time_limit_of_connect_holds_while_a_password_waits() {
    let (mut broker, held) = broker(1);
    let wire = broker.connect(0);
    broker.send(wire, &login("c", true, "secret"));
    broker.advance(9_900);
    assert_eq!(received(&mut broker, wire), NOTHING);
    assert!(broker.is_open(wire));
    broker.advance(1_000);
    assert_eq!(received(&mut broker, wire), [0x20, 2, 0, 3]);
    assert!(!broker.is_open(wire));
    held.answer();
    broker.settle();
    assert_eq!(broker.shards()[0].sessions(), 0);
}

#[test]
fn a_full_queue_is_told_at_once() {
    let (mut broker, _) = with(1, Held { full: true, ..Held::default() });
    let wire = broker.connect(0);
    broker.send(wire, &login("c", true, "secret"));
    assert_eq!(received(&mut broker, wire), [0x20, 2, 0, 3]);
    assert_eq!(broker.shards()[0].metrics().passwords_refused_busy.get(), 1);
}

#[test]
fn a_deleted_users_session_is_nobodys_and_what_it_held_is_lost() {
    let (mut broker, held) = broker(1);
    let bob = broker.connect(0);
    broker.send(bob, &login("c", false, "secret"));
    held.answer();
    broker.settle();
    broker.send(bob, &subscribe3("a", 1));
    broker.settle();
    broker.cut(bob);
    let publisher = client3(&mut broker, 0, "p");
    broker.send(publisher, &publish3("a", 1, false, 7, b"for bob"));
    let nameless = connect3("c", false);
    let early = broker.connect(0);
    broker.send(early, &nameless);
    assert_eq!(received(&mut broker, early), [0x20, 2, 0, 2], "it is bob's");
    broker.apply(0, settings(2, &["ann"], None));
    let late = broker.connect(0);
    broker.send(late, &nameless);
    assert_eq!(received(&mut broker, late), [0x20, 2, 0, 0], "a new session");
    broker.send(publisher, &publish3("a", 1, false, 8, b"for bob"));
    assert_eq!(received(&mut broker, late), NOTHING);
}

#[test]
fn policies_count_on_each_shard_from_its_own_turn_on() {
    let (mut broker, _) = broker(2);
    let restricted = settings(2, &["bob"], Some("topic write a\ntopic read b\n"));
    let subscriber = client3(&mut broker, 1, "s");
    subscribed3(&mut broker, subscriber, "#", 0);
    let publisher = client3(&mut broker, 0, "p");
    let publish = |broker: &mut Memory| {
        for topic in ["a", "b"] {
            broker.send(publisher, &publish3(topic, 0, false, 0, b"x"));
        }
        let topics = publishes3(&received(broker, subscriber));
        topics.into_iter().map(|(topic, _)| topic).collect::<Vec<_>>()
    };
    assert_eq!(publish(&mut broker), ["a", "b"]);
    broker.apply(1, Arc::clone(&restricted));
    assert_eq!(publish(&mut broker), ["b"], "shard 1 delivers what may be read");
    broker.apply(0, restricted);
    assert_eq!(publish(&mut broker), [] as [&str; 0], "shard 0 takes what may be written");
    let counted = |shard: usize| {
        use pondhawk::metrics::DropReason::NotAuthorised;
        broker.shards()[shard].metrics().snapshot().dropped(NotAuthorised)
    };
    assert_eq!((counted(0), counted(1)), (1, 2));
}

/// Goal: a CONNECT that waited for its password and then goes to the shard that has its session
/// is one packet in the counters.
#[test]
fn a_connect_that_moves_after_the_check_is_counted_once() {
    let (mut broker, held) = broker(2);
    for shard in 0..2 {
        let wire = broker.connect(shard);
        broker.send(wire, &login("mover", false, "secret"));
        broker.settle();
        held.answer();
        broker.settle();
        assert_eq!(broker.receive(wire)[0], 0x20);
        assert_eq!(broker.shard_of(wire), 0, "where its session is");
        broker.send(wire, &[0xC0, 0]);
        broker.settle();
    }
    let received = broker.shards().iter().map(|shard| shard.metrics().messages_received.get());
    assert_eq!(received.sum::<u64>(), 4, "twice CONNECT and PINGREQ");
}

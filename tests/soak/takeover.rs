//! Two clients want the same Client Identifier and come back whenever they have lost it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;

use crate::crowd;
use crate::ledger::Holding;
use crate::support::Version::V5;
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::bytes::{Connect, prop};
use crate::support::client::{Bystanders, Client};
use crate::support::let_pass;

const TOPIC: &str = "fight/messages";

/// Connects as the one both want to be, from an address of the caller's.
fn claim(broker: &Broker, number: usize) -> Option<Client> {
    let mut client = Client::over(Box::new(crowd::begin(broker, number)), V5);
    let connect = Connect::new(V5, "fight").clean(false).keep_alive(0);
    client.send(connect.with(prop::session_expiry(3600)).bytes());
    // The other one may have it before the answer is read, which is then cut short.
    let connack = client.try_packet()?.connack(V5);
    assert_eq!(connack.code, 0);
    assert!(connack.session_present, "the session was lost in the fight");
    Some(client)
}

/// Takes messages until the other one takes over. Gives the numbers that came.
fn hold(client: &mut Client) -> Vec<u32> {
    let mut got = Vec::new();
    while let Some(packet) = client.try_packet() {
        if packet.first == 0xE0 {
            assert_eq!(packet.disconnect().0, 0x8E, "not Session taken over");
            break;
        }
        let delivery = packet.delivery(V5);
        got.push(delivery.text().parse().expect("a number"));
        client.acknowledge(&delivery);
    }
    got
}

/// What the two share.
#[derive(Default)]
struct Ring {
    /// Takeovers begun.
    fights: AtomicUsize,
    /// The number of the next message.
    next: AtomicU32,
    /// How many of the two have had enough.
    ended: AtomicUsize,
}

/// One of the two; publishes a message each time it comes, and says which it has seen.
fn fighter(broker: &Broker, rounds: usize, ring: &Ring) -> Vec<u32> {
    let mut publisher = Client::connect(broker, V5, "");
    let mut got = Vec::new();
    loop {
        let number = ring.fights.fetch_add(1, Ordering::Relaxed);
        if number >= rounds {
            break;
        }
        let held = claim(broker, number);
        let message = ring.next.fetch_add(1, Ordering::Relaxed);
        publisher.publish(TOPIC, message.to_string(), 1);
        if let Some(mut client) = held {
            got.extend(hold(&mut client));
            client.cut();
        }
    }
    // The other one waits until it is taken over, and may come after this one's last time.
    ring.ended.fetch_add(1, Ordering::Relaxed);
    while ring.ended.load(Ordering::Relaxed) < 2 {
        drop(claim(broker, rounds));
    }
    got
}

fn fight(broker: &Broker, rounds: usize) {
    let mut others = Bystanders::new(broker);
    others.exchange();
    let before = Holding::before(broker);
    let stays = Connect::new(V5, "fight").clean(false).with(prop::session_expiry(3600));
    let mut first = Client::with(broker, &stays);
    assert_eq!(first.subscribe(TOPIC, 1), 1);
    let ring = Ring::default();
    let mut seen: HashSet<u32> = HashSet::new();
    thread::scope(|scope| {
        let two = [0, 1].map(|_| scope.spawn(|| fighter(broker, rounds, &ring)));
        seen.extend(hold(&mut first));
        // Others go on meanwhile, within their Keep Alive.
        while !two.iter().all(thread::ScopedJoinHandle::is_finished) {
            others.exchange();
            let_pass(50);
        }
        for one in two {
            seen.extend(one.join().expect("one failed"));
        }
    });
    let peak = Holding::now(broker);
    let mut last = claim(broker, rounds).expect("nobody fights any more");
    let mut fence = Client::connect(broker, V5, "");
    let rest = last.receive_until_fence(&mut fence);
    seen.extend(rest.iter().map(|text| text.parse::<u32>().expect("a number")));
    let published = ring.next.load(Ordering::Relaxed);
    let lost: Vec<u32> = (0..published).filter(|number| !seen.contains(number)).collect();
    assert!(lost.is_empty(), "lost in the fight: {lost:?}");
    println!("{rounds} takeovers, {published} messages, none lost");
    fence.leave();
    crowd::end(vec![(0, last)]);
    before.is_back(broker, "takeover fight", peak);
    others.exchange();
}

fn options() -> Options {
    Options::default().set("max_queued_messages", 0)
}

#[test]
fn two_that_fight_for_one_id_lose_no_message() {
    for shards in SHARDS {
        fight(&Broker::start(shards, &options()), 300);
    }
}

#[test]
#[ignore = "long; it is run for its figures"]
fn takeover_fight() {
    for shards in SHARDS {
        fight(&Broker::start(shards, &options()), 50_000);
    }
}

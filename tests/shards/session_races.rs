//! One Session subscribed, unsubscribed, published to, cut and taken over from all sides at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::Version::{self, V5, V311};
use crate::support::broker::{Broker, Options, each_broker};
use crate::support::bytes::{Connect, PINGREQ, Publish, disconnect, subscribe, unsubscribe};
use crate::support::client::{Bystanders, Client};
use crate::support::fresh;

/// Ends the background work when the scenario is over, also when it failed.
struct Until<'a>(&'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One of those who fight for the Session: subscribes, publishes to itself, unsubscribes, and
/// goes in one way or another. Every message it gets must be of the session's own topics.
fn fight(broker: &Broker, id: &str, stem: &str, lane: usize, rounds: usize) {
    for round in 0..rounds {
        let version = [V311, V5][(lane + round) % 2];
        let connect = match (lane + round) % 4 {
            0 => Connect::new(version, id),
            _ => Connect::persistent(version, id),
        };
        let mut client = Client::open(broker, version);
        client.send(connect.bytes());
        let topic = format!("{stem}/{}", round % 3);
        let shared = format!("$share/g/{stem}/+");
        client.send(subscribe(version, 1, &[(&topic, 2), (&shared, 1)]));
        client.send(Publish::new(version, &topic, "own").qos(1, 7).bytes());
        client.send(unsubscribe(version, 2, &[&shared]));
        if round % 2 == 0 {
            client.send(unsubscribe(version, 3, &[&topic]));
        }
        client.send(PINGREQ);
        // Until the answer to the last, or until another has taken the session over.
        while let Some(packet) = client.try_packet() {
            match packet.first {
                0xD0 => break,
                first if first & 0xF0 == 0x30 => {
                    let delivery = packet.delivery(version);
                    assert!(delivery.topic.starts_with(stem), "{delivery:?}");
                    if delivery.qos == 1 {
                        client.acknowledge(&delivery);
                    }
                }
                _ => {}
            }
        }
        match round % 3 {
            0 => client.cut(),
            1 => client.send(disconnect()),
            _ => drop(client),
        }
    }
}

/// Publishes to the topics of the session and to others until told to stop.
fn publish_to_all(broker: &Broker, version: Version, stem: &str, stop: &AtomicBool) {
    let mut client = Client::connect(broker, version, &fresh("a13-p"));
    for round in 0..u64::MAX {
        for topic in 0..3 {
            let retain = round % 8 == 0;
            let topic = format!("{stem}/{topic}");
            let mut publish = Publish::new(version, &topic, "x");
            publish.retain = retain;
            client.send(publish.bytes());
        }
        client.publish(&format!("{stem}/1"), "counted", (round % 3) as u8);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

#[test]
fn a13_one_session_from_all_sides_at_once() {
    let options = Options::default().set("max_queued_messages", 200);
    each_broker(&options, |broker| {
        let (id, stem) = (fresh("a13"), fresh("a13"));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _until = Until(&stop);
            for version in [V311, V5, V311] {
                let (stem, stop) = (&stem, &stop);
                scope.spawn(move || publish_to_all(broker, version, stem, stop));
            }
            let fighters: Vec<_> = (0..4)
                .map(|lane| {
                    let (id, stem) = (&id, &stem);
                    scope.spawn(move || fight(broker, id, stem, lane, 150))
                })
                .collect();
            let mut others = Bystanders::new(broker);
            for fighter in fighters {
                others.exchange();
                fighter.join().expect("a fighter's assertion");
            }
        });
        // What is left is one Session, with no subscription that nobody remembers.
        let mut last = Client::with(broker, &Connect::new(V5, &id));
        let mut publisher = Client::connect(broker, V5, &fresh("a13-q"));
        for topic in 0..3 {
            let topic = format!("{stem}/{topic}");
            assert_eq!(publisher.publish(&topic, "nobody", 1), 0x10, "a stale subscription");
            publisher.publish_retained(&topic, "", 1);
        }
        last.quiet(&mut publisher);
    });
}

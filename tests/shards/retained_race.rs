//! Publishers on different shards replace one Retained Message at the same time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker};
use crate::support::bytes::{PINGREQ, subscribe, unsubscribe};
use crate::support::client::Client;
use crate::support::fresh;

#[test]
fn c14_what_is_retained_is_what_everyone_saw_last() {
    let options = Options::default().set("max_queued_messages", 0);
    each_broker(&options, |broker| {
        for _ in 0..10 {
            let topic = fresh("c14");
            let mut watchers: Vec<Client> = (0..4)
                .map(|_| {
                    let mut client = Client::connect(broker, V311, &fresh("c14-w"));
                    client.subscribe(&topic, 1);
                    client
                })
                .collect();
            let publishers: Vec<Client> =
                (0..3).map(|_| Client::connect(broker, V5, &fresh("c14-p"))).collect();
            thread::scope(|scope| {
                for (lane, mut publisher) in publishers.into_iter().enumerate() {
                    let topic = &topic;
                    scope.spawn(move || {
                        for number in 0..50 {
                            publisher.publish_retained(topic, format!("{lane}:{number}"), 1);
                        }
                    });
                }
            });
            let mut late = Client::connect(broker, V5, &fresh("c14-l"));
            late.subscribe(&topic, 1);
            let kept = late.receive().text().to_owned();
            for watcher in &mut watchers {
                let last = (0..150).map(|_| watcher.receive().text().to_owned()).last().unwrap();
                assert_eq!(last, kept);
            }
        }
    });
}

/// What one subscriber saw of the race: the number of each publisher's last value.
#[derive(Default)]
struct Seen {
    newest: [u32; 3],
    last: String,
}

impl Seen {
    /// Takes in a value; an older one of a publisher after a newer one is the fault looked for.
    fn take(&mut self, value: &str) {
        let (lane, number) = value.split_once(':').expect("lane:number");
        let newest = &mut self.newest[lane.parse::<usize>().expect("a lane")];
        let number = number.parse().expect("a number");
        assert!(*newest <= number, "{value} after {newest} of the same publisher");
        *newest = number;
        self.last = value.to_owned();
    }
}

#[test]
fn c14_who_comes_during_the_race_sees_nothing_old_after_something_newer() {
    const LAST: u32 = 150;
    let options = Options::default().set("max_queued_messages", 0);
    each_broker(&options, |broker| {
        for version in [V311, V5] {
            let topic = fresh("c14");
            let publishers: Vec<Client> =
                (0..3).map(|_| Client::connect(broker, V5, &fresh("c14-p"))).collect();
            let going = AtomicUsize::new(publishers.len());
            let stayed = thread::scope(|scope| {
                for (lane, mut publisher) in publishers.into_iter().enumerate() {
                    let (topic, going) = (&topic, &going);
                    scope.spawn(move || {
                        for number in 1..=LAST {
                            publisher.publish_retained(topic, format!("{lane}:{number}"), 1);
                        }
                        going.fetch_sub(1, Ordering::SeqCst);
                    });
                }
                let comers: Vec<_> = (0..4)
                    .map(|_| {
                        let (topic, going) = (&topic, &going);
                        scope.spawn(move || {
                            loop {
                                let over = going.load(Ordering::SeqCst) == 0;
                                let mut client = Client::connect(broker, version, &fresh("c14-c"));
                                let mut seen = Seen::default();
                                client.send(subscribe(version, 1, &[(topic, 1)]));
                                for _ in 0..if over { 1 } else { 5 } {
                                    client.send(PINGREQ);
                                    while let Some(packet) = client.try_packet() {
                                        match packet.first {
                                            0xD0 => break,
                                            0x90 => continue,
                                            _ => {}
                                        }
                                        let delivery = packet.delivery(version);
                                        client.acknowledge(&delivery);
                                        seen.take(delivery.text());
                                    }
                                }
                                // Those who came last before the end stay.
                                if going.load(Ordering::SeqCst) == 0 {
                                    return (client, seen);
                                }
                            }
                        })
                    })
                    .collect();
                comers.into_iter().map(|one| one.join().expect("no old value")).collect::<Vec<_>>()
            });
            let mut late = Client::connect(broker, V5, &fresh("c14-l"));
            late.subscribe(&topic, 1);
            let kept = late.receive().text().to_owned();
            for (mut client, mut seen) in stayed {
                for value in client.receive_until_fence(&mut late) {
                    seen.take(&value);
                }
                assert_eq!(seen.last, kept);
            }
            late.unsubscribe(&topic);
            late.publish_retained(&topic, "", 1);
        }
    });
}

#[test]
fn retained_and_plain_messages_of_a_topic_keep_their_order() {
    let options = Options::default().set("max_queued_messages", 0);
    each_broker(&options, |broker| {
        // Topics differ in what the broker makes of them, so one would not do.
        for round in 0..20 {
            let topic = fresh("mixed");
            let mut subscribers: Vec<Client> = (0..4)
                .map(|_| {
                    let mut client = Client::connect(broker, V311, &fresh("mixed-s"));
                    client.subscribe(&topic, 1);
                    client
                })
                .collect();
            let mut publisher = Client::connect(broker, V5, &fresh("mixed-p"));
            for number in 0..100_u32 {
                let payload = number.to_string();
                match (number + round) % 3 {
                    0 => publisher.publish_retained(&topic, payload, 1),
                    _ => publisher.publish(&topic, payload, 1),
                };
            }
            for subscriber in &mut subscribers {
                for number in 0..100_u32 {
                    subscriber.receive_this(&topic, number.to_string(), 1);
                }
            }
        }
    });
}

#[test]
fn what_was_acknowledged_before_a_subscription_comes_as_retained_and_once() {
    each_broker(&Options::default(), |broker| {
        for _ in 0..200 {
            let topic = fresh("before");
            let mut watcher = Client::connect(broker, V311, &fresh("before-w"));
            watcher.subscribe(&topic, 1);
            let mut publisher = Client::connect(broker, V5, &fresh("before-p"));
            publisher.publish_retained(&topic, "older", 1);
            publisher.publish_retained(&topic, "newer", 1);
            let mut late = Client::connect(broker, V311, &fresh("before-l"));
            late.subscribe(&topic, 1);
            let delivery = late.receive();
            assert_eq!((delivery.text(), delivery.retain), ("newer", true));
            late.quiet(&mut publisher);
        }
    });
}

#[test]
fn a_replay_that_was_cancelled_leaves_the_next_one_alone() {
    each_broker(&Options::default(), |broker| {
        const COUNT: usize = 40;
        let stem = fresh("cancel");
        let mut publisher = Client::connect(broker, V311, &fresh("cancel-p"));
        for index in 0..COUNT {
            for half in ["old", "new"] {
                publisher.publish_retained(&format!("{stem}/{half}/{index}"), half, 1);
            }
        }
        let (old, new) = (format!("{stem}/old/+"), format!("{stem}/new/+"));
        let mut clients: Vec<Client> =
            (0..8).map(|_| Client::connect(broker, V311, &fresh("cancel-c"))).collect();
        for round in 0..400 {
            let client = &mut clients[round % 8];
            client.send([subscribe(V311, 1, &[(&old, 0)]), unsubscribe(V311, 2, &[&old])].concat());
            assert_eq!(client.answer(0x90).id, 1);
            let after = loop {
                let packet = client.packet();
                if packet.first & 0xF0 != 0x30 {
                    break packet;
                }
                assert_eq!(packet.delivery(V311).text(), "old");
            };
            assert_eq!(after.answer(0xB0, V311).id, 2);
            // The answer of another shard to the first replay may be on its way still.
            assert_eq!(client.subscribe(&new, 0), 0);
            let mut seen = HashSet::new();
            for _ in 0..COUNT {
                let delivery = client.delivery();
                assert_eq!(delivery.text(), "new");
                assert!(seen.insert(delivery.topic.clone()), "twice: {delivery:?}");
            }
            client.unsubscribe(&new);
        }
    });
}

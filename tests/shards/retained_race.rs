//! Publishers on different shards replace one Retained Message at the same time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
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
            let mut all = watchers.iter_mut().map(|watcher| {
                (0..150).map(|_| watcher.receive().text().to_owned()).collect::<Vec<_>>()
            });
            // On whatever shard they are, they saw the changes in one order.
            let first = all.next().expect("a watcher");
            assert_eq!(first.last(), Some(&kept));
            all.for_each(|other| assert_eq!(other, first));
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
    /// Takes in a value; one of a publisher after a newer one, or once more, is the fault looked
    /// for.
    fn take(&mut self, value: &str) {
        let (lane, number) = parse(value);
        let newest = &mut self.newest[lane];
        assert!(*newest < number, "{value} after {newest} of the same publisher");
        *newest = number;
        self.last = value.to_owned();
    }

    /// Takes in and acknowledges what comes during a round trip. Nothing older than `oldest` was
    /// still retained when the client subscribed.
    fn take_all(&mut self, client: &mut Client, oldest: [u32; 3]) {
        client.send(PINGREQ);
        loop {
            let packet = client.packet();
            match packet.first {
                0xD0 => return,
                0x90 => continue,
                _ => {}
            }
            let delivery = packet.delivery(client.version);
            client.acknowledge(&delivery);
            let (lane, number) = parse(delivery.text());
            assert!(!delivery.retain || oldest[lane] <= number, "{delivery:?}, not {oldest:?}");
            self.take(delivery.text());
        }
    }
}

/// Publisher and number of a value.
fn parse(value: &str) -> (usize, u32) {
    let (lane, number) = value.split_once(':').expect("lane:number");
    (lane.parse().expect("a lane"), number.parse().expect("a number"))
}

#[test]
fn c14_who_comes_during_the_race_sees_nothing_old_after_something_newer() {
    const LAST: u32 = 150;
    // One message in flight: while it is not acknowledged the Retained Message has to wait, and
    // others pass it.
    let options = Options::default().set("max_queued_messages", 0).set("max_inflight_messages", 1);
    each_broker(&options, |broker| {
        for version in [V311, V5] {
            let (topic, plug) = (fresh("c14"), fresh("c14-plug"));
            let mut publishers: Vec<Client> =
                (0..3).map(|_| Client::connect(broker, V5, &fresh("c14-p"))).collect();
            publishers[0].publish_retained(&plug, "plug", 1);
            let going = AtomicUsize::new(publishers.len());
            // What of each publisher has been acknowledged, so that nothing older is retained.
            let acknowledged = [const { AtomicU32::new(0) }; 3];
            let stayed = thread::scope(|scope| {
                for (lane, mut publisher) in publishers.into_iter().enumerate() {
                    let (topic, going, acknowledged) = (&topic, &going, &acknowledged[lane]);
                    scope.spawn(move || {
                        for number in 1..=LAST {
                            publisher.publish_retained(topic, format!("{lane}:{number}"), 1);
                            acknowledged.store(number, Ordering::SeqCst);
                        }
                        going.fetch_sub(1, Ordering::SeqCst);
                    });
                }
                let comers: Vec<_> = (0..4)
                    .map(|number| {
                        let (topic, plug) = (&topic, &plug);
                        let (going, acknowledged) = (&going, &acknowledged);
                        scope.spawn(move || {
                            for held in (0..).map(|round| (round + number) % 2 == 0) {
                                let over = going.load(Ordering::SeqCst) == 0;
                                let mut client = Client::connect(broker, version, &fresh("c14-c"));
                                let plug = held.then(|| {
                                    client.subscribe(plug, 1);
                                    client.delivery()
                                });
                                let mut seen = Seen::default();
                                let oldest =
                                    acknowledged.each_ref().map(|one| one.load(Ordering::SeqCst));
                                client.send(subscribe(version, 1, &[(topic, 1)]));
                                seen.take_all(&mut client, oldest);
                                if let Some(plug) = plug {
                                    client.acknowledge(&plug);
                                }
                                for _ in 0..if over { 0 } else { 5 } {
                                    seen.take_all(&mut client, oldest);
                                }
                                // Those who came last before the end stay.
                                if going.load(Ordering::SeqCst) == 0 {
                                    return (client, seen);
                                }
                            }
                            unreachable!("the rounds have no end")
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

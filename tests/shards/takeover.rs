//! Sessions change hands between connections while messages flow.

use std::thread;

use crate::order::publish_numbers;
use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker};
use crate::support::bytes::{Connect, PINGREQ, subscribe};
use crate::support::client::{Bystanders, Client};
use crate::support::{Version, fresh};

fn unlimited() -> Options {
    Options::default().set("max_queued_messages", 0)
}

#[test]
fn takeover_while_publishing_loses_nothing() {
    each_broker(&unlimited(), |broker| {
        for version in [V311, V5] {
            const COUNT: u32 = 3000;
            let (topic, id) = (fresh("over"), fresh("over"));
            let persistent = Connect::persistent(version, &id);
            let mut client = Client::with(broker, &persistent);
            client.subscribe(&topic, 1);
            let mut publisher = Client::connect(broker, version, &fresh("over-p"));
            thread::scope(|scope| {
                scope.spawn(|| publish_numbers(&mut publisher, &topic, 1, COUNT));
                let (mut next, mut seen) = (0, 0);
                while next < COUNT {
                    let delivery = client.receive();
                    let number: u32 = delivery.text().parse().unwrap();
                    assert!(number <= next, "{number} came before {next}");
                    assert!(number == next || delivery.dup, "{number} came again without DUP");
                    next = next.max(number + 1);
                    seen += 1;
                    if seen % 97 == 0 {
                        // The old connection is alive and has unread messages.
                        let (newer, connack) = Client::accepted(broker, &persistent);
                        assert!(connack.session_present);
                        client = newer;
                    }
                }
            });
        }
    });
}

#[test]
fn contending_connections_end_with_one_owner() {
    each_broker(&unlimited(), |broker| {
        let mut others = Bystanders::new(broker);
        let id = fresh("contend");
        thread::scope(|scope| {
            for lane in 0..8 {
                let id = &id;
                scope.spawn(move || {
                    for round in 0..60 {
                        let version = [Version::V311, Version::V5][(lane + round) % 2];
                        let connect = match round % 3 {
                            0 => Connect::new(version, id),
                            _ => Connect::persistent(version, id),
                        };
                        let mut client = Client::with(broker, &connect);
                        // It may be taken over at any moment from here on.
                        client.send(subscribe(version, 1, &[("x/y", 1)]));
                        client.send(PINGREQ);
                        let _ = client.try_packet();
                    }
                });
            }
            for _ in 0..100 {
                others.exchange();
            }
        });
        let mut last = Client::connect(broker, V5, &id);
        last.ping();
        others.exchange();
    });
}

#[test]
fn a_publisher_whose_session_is_taken_over_keeps_the_order_of_what_was_acknowledged() {
    each_broker(&unlimited(), |broker| {
        let (topic, id) = (fresh("pub-over"), fresh("pub-over"));
        let mut subscriber = Client::connect(broker, V311, &fresh("pub-over-s"));
        subscriber.subscribe(&topic, 1);
        let persistent = Connect::persistent(V5, &id);
        let mut number = 0;
        for _ in 0..100 {
            let mut publisher = Client::with(broker, &persistent);
            for _ in 0..5 {
                assert_eq!(publisher.publish(&topic, number.to_string(), 1), 0);
                number += 1;
            }
            publisher.cut();
        }
        for expected in 0..number {
            subscriber.receive_this(&topic, expected.to_string(), 1);
        }
        subscriber.ping();
    });
}

/// Shows 5.0 [MQTT-4.4.0-1], [MQTT-4.6.0-5]; 3.1.1 [MQTT-4.4.0-1], [MQTT-4.6.0-1].
#[test]
fn b9_a_resumed_session_gets_the_old_before_the_new_while_messages_flow() {
    each_broker(&unlimited(), |broker| {
        for version in [V311, V5] {
            for qos in [1, 2] {
                const COUNT: u32 = 2000;
                let (topic, id) = (fresh("b9"), fresh("b9"));
                let persistent = Connect::persistent(version, &id);
                let mut client = Client::with(broker, &persistent);
                client.subscribe(&topic, qos);
                // The session's shard is one of several; the publishers are on others.
                let _spare = Client::connect(broker, V311, &fresh("b9-x"));
                let mut publisher = Client::connect(broker, version, &fresh("b9-p"));
                thread::scope(|scope| {
                    scope.spawn(|| publish_numbers(&mut publisher, &topic, qos, COUNT));
                    let mut next = 0;
                    while next < COUNT {
                        // Unacknowledged, then cut, while the publisher goes on. The answer to
                        // PINGREQ shows that what was acknowledged before is known.
                        client.send(PINGREQ);
                        let mut open = Vec::new();
                        loop {
                            let packet = client.packet();
                            if packet.first == 0xD0 {
                                break;
                            }
                            open.push(packet.delivery(version));
                        }
                        client.cut();
                        client = Client::with(broker, &persistent);
                        for before in &open {
                            let again = client.receive();
                            assert_eq!((again.id, again.dup), (before.id, true));
                            assert_eq!(again.text(), next.to_string());
                            next += 1;
                        }
                        for _ in 0..95.min(COUNT - next) {
                            let delivery = client.receive();
                            assert_eq!(delivery.text(), next.to_string());
                            next += 1;
                        }
                    }
                    client.ping();
                });
            }
        }
    });
}

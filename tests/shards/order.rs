//! Messages of one publisher to one topic at one QoS reach each subscriber in order, each once.

use std::thread;

use crate::support::broker::{Broker, Options, each_broker};
use crate::support::bytes::{Publish, pubrel, subscribe};
use crate::support::client::Client;
use crate::support::{ALL, Version, fresh};

/// More than the server's Receive Maximum at a time would be a fault of the test.
const WINDOW: u16 = 20;

/// Publishes `count` numbered messages, a window at a time.
pub fn publish_numbers(publisher: &mut Client, topic: &str, qos: u8, count: u32) {
    let version = publisher.version;
    let numbers: Vec<u32> = (0..count).collect();
    for chunk in numbers.chunks(WINDOW.into()) {
        let ids = 1..=chunk.len() as u16;
        let packets = chunk.iter().zip(ids.clone()).flat_map(|(number, id)| {
            Publish::new(version, topic, number.to_string()).qos(qos, id).bytes()
        });
        publisher.send(packets.collect::<Vec<u8>>());
        if qos == 0 {
            continue;
        }
        for id in ids.clone() {
            assert_eq!(publisher.answer(if qos == 1 { 0x40 } else { 0x50 }).id, id);
        }
        if qos == 2 {
            publisher.send(ids.clone().flat_map(pubrel).collect::<Vec<u8>>());
            for id in ids {
                assert_eq!(publisher.answer(0x70).id, id);
            }
        }
    }
}

fn all_to_all(broker: &Broker, qos: u8, count: u32) {
    const SIDES: usize = 4;
    let stem = fresh("order");
    let subscribers: Vec<Client> = (0..SIDES)
        .map(|index| {
            let mut client = Client::connect(broker, ALL[index % 3], &fresh("order-s"));
            assert_eq!(client.subscribe(&format!("{stem}/+"), qos), qos);
            client
        })
        .collect();
    let publishers: Vec<Client> = (0..SIDES)
        .map(|index| Client::connect(broker, ALL[(index + 1) % 3], &fresh("order-p")))
        .collect();
    thread::scope(|scope| {
        for mut subscriber in subscribers {
            let stem = &stem;
            scope.spawn(move || {
                let mut next = [0; SIDES];
                for _ in 0..count * SIDES as u32 {
                    let delivery = subscriber.receive();
                    assert_eq!(delivery.qos, qos);
                    let tail = delivery.topic.strip_prefix(&format!("{stem}/")).unwrap();
                    let from: usize = tail.parse().unwrap();
                    assert_eq!(delivery.text(), next[from].to_string(), "of publisher {from}");
                    next[from] += 1;
                }
                subscriber.ping();
            });
        }
        for (index, mut publisher) in publishers.into_iter().enumerate() {
            let topic = format!("{stem}/{index}");
            scope.spawn(move || publish_numbers(&mut publisher, &topic, qos, count));
        }
    });
}

fn unlimited() -> Options {
    Options::default().set("max_queued_messages", 0)
}

/// Shows 5.0 [MQTT-4.6.0-5], [MQTT-4.6.0-6]; 3.1.1 [MQTT-4.6.0-5], [MQTT-4.6.0-6].
#[test]
fn four_publishers_to_four_subscribers_at_qos_0() {
    each_broker(&unlimited(), |broker| all_to_all(broker, 0, 5000));
}

/// Shows 5.0 [MQTT-4.6.0-5], [MQTT-4.6.0-6]; 3.1.1 [MQTT-4.6.0-5], [MQTT-4.6.0-6].
#[test]
fn four_publishers_to_four_subscribers_at_qos_1() {
    each_broker(&unlimited(), |broker| all_to_all(broker, 1, 5000));
}

/// Shows 5.0 [MQTT-4.6.0-5], [MQTT-4.6.0-6]; 3.1.1 [MQTT-4.6.0-5], [MQTT-4.6.0-6].
#[test]
fn four_publishers_to_four_subscribers_at_qos_2() {
    each_broker(&unlimited(), |broker| all_to_all(broker, 2, 3000));
}

#[test]
fn thirty_thousand_messages_between_two_clients() {
    each_broker(&unlimited(), |broker| {
        for qos in 0..=2 {
            // Each round opens two connections more, so the pairs lie differently.
            let topic = fresh("pair");
            let mut subscriber = Client::connect(broker, Version::V5, &fresh("pair-s"));
            subscriber.subscribe(&topic, qos);
            let mut publisher = Client::connect(broker, Version::V311, &fresh("pair-p"));
            thread::scope(|scope| {
                scope.spawn(|| publish_numbers(&mut publisher, &topic, qos, 10_000));
                for number in 0..10_000_u32 {
                    subscriber.receive_this(&topic, number.to_string(), qos);
                }
            });
            let _spare = Client::connect(broker, Version::V311, &fresh("pair-x"));
        }
    });
}

/// Shows 5.0 [MQTT-3.8.4-4]; 3.1.1 [MQTT-3.8.4-3].
#[test]
fn replacing_a_subscription_loses_nothing() {
    each_broker(&unlimited(), |broker| {
        for version in [Version::V311, Version::V5] {
            const COUNT: u32 = 2000;
            let topic = fresh("replace");
            let mut subscriber = Client::connect(broker, version, &fresh("replace-s"));
            subscriber.subscribe(&topic, 1);
            let _spare = Client::connect(broker, version, &fresh("replace-x"));
            let mut publisher = Client::connect(broker, version, &fresh("replace-p"));
            thread::scope(|scope| {
                scope.spawn(|| publish_numbers(&mut publisher, &topic, 1, COUNT));
                let mut next = 0;
                while next < COUNT {
                    let packet = subscriber.packet();
                    if packet.first == 0x90 {
                        continue;
                    }
                    let delivery = packet.delivery(version);
                    assert_eq!(delivery.text(), next.to_string());
                    subscriber.acknowledge(&delivery);
                    next += 1;
                    if next % 7 == 0 {
                        // Another QoS each time, so that it is a change each time.
                        let qos = 1 + (next / 7 % 2) as u8;
                        subscriber.send(subscribe(version, 1, &[(&topic, qos)]));
                    }
                }
            });
        }
    });
}

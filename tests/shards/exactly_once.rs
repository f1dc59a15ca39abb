//! QoS 2 is exactly once, and QoS 1 at least once and in order, however often either side is cut
//! off and comes back on another shard.

use std::collections::HashSet;
use std::thread;

use crate::order::publish_numbers;
use crate::support::Version::{self, V5, V311};
use crate::support::broker::{Broker, Options, each_broker};
use crate::support::bytes::{Connect, Publish, puback, pubcomp, pubrec, pubrel};
use crate::support::client::Client;
use crate::support::fresh;

fn unlimited() -> Options {
    Options::default().set("max_queued_messages", 0)
}

/// A receiver that keeps its side of the session across connections.
#[derive(Default)]
struct Receiver {
    /// Identifiers of QoS 2 messages received and not yet released.
    held: HashSet<u16>,
    numbers: Vec<u32>,
}

impl Receiver {
    /// Handles one packet of `client`.
    fn step(&mut self, client: &mut Client) {
        let packet = client.packet();
        if packet.first == 0x62 {
            let id = packet.answer(0x62, client.version).id;
            self.held.remove(&id);
            client.send(pubcomp(id));
            return;
        }
        let delivery = packet.delivery(client.version);
        let number = delivery.text().parse().expect("a number");
        if delivery.qos == 1 {
            // A repetition is allowed, a message that never came before its follower is not.
            assert!(delivery.dup || self.numbers.last().is_none_or(|last| *last < number));
            if !self.numbers.contains_recent(number) {
                self.numbers.push(number);
            }
            client.send(puback(delivery.id));
        } else {
            if self.held.insert(delivery.id) {
                self.numbers.push(number);
            }
            client.send(pubrec(delivery.id));
        }
    }
}

trait Recent {
    fn contains_recent(&self, number: u32) -> bool;
}

impl Recent for Vec<u32> {
    /// Whether it is among the last few, which is where repetitions come from.
    fn contains_recent(&self, number: u32) -> bool {
        self.iter().rev().take(64).any(|seen| *seen == number)
    }
}

fn subscriber_is_cut(broker: &Broker, version: Version, qos: u8) {
    const COUNT: u32 = 2000;
    let (topic, id) = (fresh("cut-s"), fresh("cut-s"));
    let persistent = Connect::persistent(version, &id);
    let mut client = Client::with(broker, &persistent);
    client.subscribe(&topic, qos);
    let mut publisher = Client::connect(broker, version, &fresh("cut-p"));
    thread::scope(|scope| {
        scope.spawn(|| publish_numbers(&mut publisher, &topic, qos, COUNT));
        let mut receiver = Receiver::default();
        let mut steps = 0;
        while (receiver.numbers.len() as u32) < COUNT {
            receiver.step(&mut client);
            steps += 1;
            if steps % 83 == 0 {
                // Without waiting: the broker may not know of the end when the next one comes.
                client.cut();
                client = Client::with(broker, &persistent);
            }
        }
        assert_eq!(receiver.numbers, (0..COUNT).collect::<Vec<_>>());
        while !receiver.held.is_empty() {
            receiver.step(&mut client);
        }
        client.ping();
    });
}

#[test]
fn a_subscriber_at_qos_1_that_is_cut_again_and_again() {
    each_broker(&unlimited(), |broker| {
        for version in [V311, V5] {
            subscriber_is_cut(broker, version, 1);
        }
    });
}

#[test]
fn a_subscriber_at_qos_2_that_is_cut_again_and_again() {
    each_broker(&unlimited(), |broker| {
        for version in [V311, V5] {
            subscriber_is_cut(broker, version, 2);
        }
    });
}

#[test]
fn a_publisher_at_qos_2_that_is_cut_again_and_again() {
    each_broker(&unlimited(), |broker| {
        for version in [V311, V5] {
            let (topic, id) = (fresh("resend"), fresh("resend"));
            let mut subscriber = Client::connect(broker, version, &fresh("resend-s"));
            subscriber.subscribe(&topic, 2);
            let persistent = Connect::persistent(version, &id);
            let mut client = Client::with(broker, &persistent);
            for number in 0..1000_u32 {
                let packet_id = (number % 10 + 1) as u16;
                let publish = Publish::new(version, &topic, number.to_string()).qos(2, packet_id);
                client.send(publish.bytes());
                if number % 3 == 0 {
                    // Lost before or after PUBREC: send it again.
                    client.cut();
                    client = Client::with(broker, &persistent);
                    client.send(publish.dup().bytes());
                }
                assert_eq!(client.answer(0x50).id, packet_id);
                client.send(pubrel(packet_id));
                if number % 5 == 0 {
                    // Lost before or after PUBCOMP: release it again.
                    client.cut();
                    client = Client::with(broker, &persistent);
                    client.send(pubrel(packet_id));
                }
                assert_eq!(client.answer(0x70).id, packet_id);
                subscriber.receive_this(&topic, number.to_string(), 2);
            }
            subscriber.ping();
        }
    });
}

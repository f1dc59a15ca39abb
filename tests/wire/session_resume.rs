//! Sessions that outlive their connections: Session Present, queued messages, redelivery.

use std::collections::HashSet;

use crate::support::broker::{Options, each, each_broker};
use crate::support::bytes::{Connect, Publish, acknowledge, prop, puback, pubcomp, pubrec, pubrel};
use crate::support::client::Client;
use crate::support::{ALL, Version, fresh, let_pass};
use Version::{V5, V31, V311};

/// Shows 5.0 [MQTT-3.1.2-4], [MQTT-3.1.2-5], [MQTT-3.1.2-6], [MQTT-3.1.2-23], [MQTT-3.1.4-4],
/// [MQTT-3.2.2-2], [MQTT-3.2.2-3]; 3.1.1 [MQTT-3.1.2-4], [MQTT-3.1.2-6], [MQTT-3.1.4-3],
/// [MQTT-3.2.2-1], [MQTT-3.2.2-2], [MQTT-3.2.2-3].
#[test]
fn session_present_tells_what_the_server_kept() {
    each(&[V311, V5], |broker, version| {
        let id = fresh("present");
        let persistent = Connect::persistent(version, &id);
        let present = |connect: &Connect| {
            let (client, connack) = Client::accepted(broker, connect);
            client.leave();
            connack.session_present
        };
        assert!(!present(&persistent), "the first time");
        assert!(present(&persistent), "the second time");
        assert!(!present(&persistent.clone().clean(true)), "[MQTT-3.2.2-2]");
        // In version 5 the clean start began a session that stays; in 3.1.1 it left none.
        assert_eq!(present(&persistent), version == V5);
        assert!(!present(&Connect::new(version, &id)));
        assert!(!present(&persistent), "a session without an expiry ended with its connection");
    });
}

#[test]
fn version_31_has_no_session_present_flag() {
    each(&[V31], |broker, version| {
        let persistent = Connect::persistent(version, &fresh("present"));
        for _ in 0..2 {
            let mut client = Client::open(broker, version);
            client.send(persistent.bytes());
            client.expect([0x20, 0x02, 0x00, 0x00]);
            client.leave();
        }
    });
}

/// Shows 5.0 [MQTT-3.1.2-5], [MQTT-3.1.2-23], [MQTT-4.5.0-1]; 3.1.1 [MQTT-3.1.2-4], [MQTT-3.1.2-5],
/// [MQTT-4.1.0-1], [MQTT-4.5.0-1].
#[test]
fn subscriptions_and_messages_wait_for_the_client() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("wait"), fresh("wait"));
        let persistent = Connect::persistent(version, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 2);
        client.leave();
        let mut publisher = Client::connect(broker, version, &fresh("wait-p"));
        publisher.publish(&topic, "not kept", 0);
        for index in 0..50 {
            publisher.publish(&topic, index.to_string(), 1 + index % 2);
        }
        let mut client = Client::with(broker, &persistent);
        for index in 0..50 {
            let delivery = client.receive_this(&topic, index.to_string(), 1 + index % 2);
            assert!(!delivery.dup, "it was never sent before");
        }
        publisher.publish(&topic, "live", 0);
        client.receive_this(&topic, "live", 0);
    });
}

#[test]
fn qos_0_can_be_queued_too() {
    let options = Options::default().set("queue_qos0_messages", true);
    each_broker(&options, |broker| {
        let (topic, id) = (fresh("zero"), fresh("zero"));
        let persistent = Connect::persistent(V311, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 1);
        client.leave();
        let mut publisher = Client::connect(broker, V311, &fresh("zero-p"));
        publisher.publish(&topic, "kept", 0);
        let mut client = Client::with(broker, &persistent);
        client.receive_this(&topic, "kept", 0);
    });
}

/// Shows 5.0 [MQTT-3.1.2-4], [MQTT-3.1.4-4]; 3.1.1 [MQTT-3.1.2-6], [MQTT-3.1.4-3].
#[test]
fn a_clean_session_forgets_everything() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("forget"), fresh("forget"));
        let mut client = Client::with(broker, &Connect::persistent(version, &id));
        client.subscribe(&topic, 1);
        client.leave();
        let mut publisher = Client::connect(broker, version, &fresh("forget-p"));
        publisher.publish(&topic, "queued", 1);
        let mut client = Client::with(broker, &Connect::new(version, &id));
        publisher.publish(&topic, "live", 1);
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-3.1.2-4].
#[test]
fn b16_clean_start_with_an_expiry_over_an_existing_session() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("b16"), fresh("b16"));
        let persistent = Connect::persistent(V5, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 1);
        client.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("b16-p"));
        publisher.publish(&topic, "old", 1);
        let (mut client, connack) = Client::accepted(broker, &persistent.clone().clean(true));
        assert!(!connack.session_present);
        assert_eq!(publisher.publish(&topic, "unsubscribed", 1), 0x10);
        client.quiet(&mut publisher);
        client.leave();
        let (mut client, connack) = Client::accepted(broker, &persistent);
        assert!(connack.session_present, "the new session is the one that stayed");
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-3.3.1-1], [MQTT-4.3.2-3], [MQTT-4.3.3-3], [MQTT-4.4.0-1]; 3.1.1 [MQTT-2.3.1-4],
/// [MQTT-3.3.1-1], [MQTT-4.3.2-1], [MQTT-4.3.3-1], [MQTT-4.4.0-1], [MQTT-4.6.0-1].
#[test]
fn b5_unacknowledged_messages_come_first_in_order_with_dup() {
    each(&ALL, |broker, version| {
        for qos in [1, 2] {
            let (topic, id) = (fresh("b5"), fresh("b5"));
            let persistent = Connect::persistent(version, &id);
            let mut client = Client::with(broker, &persistent);
            client.subscribe(&topic, qos);
            let mut publisher = Client::connect(broker, version, &fresh("b5-p"));
            for index in 0..10 {
                publisher.publish(&topic, index.to_string(), qos);
            }
            let first: Vec<_> = (0..10).map(|_| client.delivery()).collect();
            client.hang_up();
            for index in 10..15 {
                publisher.publish(&topic, index.to_string(), qos);
            }
            let mut client = Client::with(broker, &persistent);
            for (index, before) in first.iter().enumerate() {
                let again = client.delivery();
                assert_eq!(again.text(), index.to_string());
                assert_eq!((again.id, again.dup), (before.id, true), "[MQTT-4.4.0-1]");
            }
            for index in 10..15 {
                let new = client.delivery();
                assert_eq!((new.text(), new.dup), (index.to_string().as_str(), false));
                assert!(first.iter().all(|before| before.id != new.id), "an identifier in use");
            }
        }
    });
}

/// Shows 5.0 [MQTT-4.4.0-1]; 3.1.1 [MQTT-4.4.0-1].
#[test]
fn what_was_acknowledged_is_not_sent_again() {
    each(&ALL, |broker, version| {
        for qos in [1, 2] {
            let (topic, id) = (fresh("acked"), fresh("acked"));
            let persistent = Connect::persistent(version, &id);
            let mut client = Client::with(broker, &persistent);
            client.subscribe(&topic, qos);
            let mut publisher = Client::connect(broker, version, &fresh("acked-p"));
            for index in 0..6 {
                publisher.publish(&topic, index.to_string(), qos);
            }
            let got: Vec<_> = (0..6).map(|_| client.delivery()).collect();
            for delivery in got.iter().step_by(2) {
                client.acknowledge(delivery);
            }
            client.ping();
            client.cut();
            let mut client = Client::with(broker, &persistent);
            for index in [1, 3, 5] {
                let delivery = client.receive_this(&topic, index.to_string(), qos);
                assert!(delivery.dup);
            }
            client.quiet(&mut publisher);
        }
    });
}

/// Shows 5.0 [MQTT-4.3.3-10], [MQTT-4.3.3-11], [MQTT-4.3.3-12]; 3.1.1 [MQTT-4.3.3-2].
#[test]
fn b2_a_resumed_qos_2_publish_is_delivered_once() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("b2"), fresh("b2"));
        let mut subscriber = Client::connect(broker, version, &fresh("b2-s"));
        subscriber.subscribe(&topic, 2);
        let persistent = Connect::persistent(version, &id);
        let mut publisher = Client::with(broker, &persistent);
        let publish = Publish::new(version, &topic, "once").qos(2, 10);
        publisher.send(publish.bytes());
        assert_eq!(publisher.answer(0x50).id, 10);
        publisher.cut();
        let mut publisher = Client::with(broker, &persistent);
        publisher.send(publish.clone().dup().bytes());
        let answer = publisher.answer(0x50);
        assert_eq!((answer.id, answer.codes.first().unwrap_or(&0)), (10, &0));
        publisher.send(pubrel(10));
        let answer = publisher.answer(0x70);
        assert_eq!((answer.id, answer.codes.first().unwrap_or(&0)), (10, &0));
        subscriber.receive_this(&topic, "once", 2);
        subscriber.quiet(&mut publisher);
        // The identifier is free again: the same packet now is a new message.
        publisher.send(publish.bytes());
        assert_eq!(publisher.answer(0x50).id, 10);
        publisher.send(pubrel(10));
        assert_eq!(publisher.answer(0x70).id, 10);
        subscriber.receive_this(&topic, "once", 2);
    });
}

/// Shows 5.0 [MQTT-4.3.3-11]; 3.1.1 [MQTT-4.3.3-2].
#[test]
fn b2_pubrel_alone_after_a_cut_completes_the_exchange() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("b2"), fresh("b2"));
        let mut subscriber = Client::connect(broker, version, &fresh("b2-s"));
        subscriber.subscribe(&topic, 2);
        let persistent = Connect::persistent(version, &id);
        let mut publisher = Client::with(broker, &persistent);
        publisher.send(Publish::new(version, &topic, "once").qos(2, 3).bytes());
        assert_eq!(publisher.answer(0x50).id, 3);
        publisher.cut();
        let mut publisher = Client::with(broker, &persistent);
        publisher.send(pubrel(3));
        let answer = publisher.answer(0x70);
        assert_eq!((answer.id, answer.codes.first().unwrap_or(&0)), (3, &0));
        subscriber.receive_this(&topic, "once", 2);
        subscriber.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-4.3.3-4], [MQTT-4.3.3-5], [MQTT-4.3.3-6], [MQTT-4.4.0-1]; 3.1.1 [MQTT-4.3.3-1],
/// [MQTT-4.4.0-1].
#[test]
fn b3_after_pubrec_the_broker_resends_pubrel() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("b3"), fresh("b3"));
        let persistent = Connect::persistent(version, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, version, &fresh("b3-p"));
        publisher.publish(&topic, "begun", 2);
        publisher.publish(&topic, "waiting", 2);
        let begun = client.delivery();
        let waiting = client.delivery();
        client.send(pubrec(begun.id));
        client.released(begun.id);
        for _ in 0..2 {
            client.cut();
            client = Client::with(broker, &persistent);
            assert_eq!(client.answer(0x62).id, begun.id);
            let again = client.delivery();
            assert_eq!((again.id, again.dup, again.text()), (waiting.id, true, "waiting"));
        }
        client.send(pubcomp(begun.id));
        client.ping();
        client.cut();
        let mut client = Client::with(broker, &persistent);
        client.receive_this(&topic, "waiting", 2);
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-4.3.3-7].
#[test]
fn b4_a_begun_exchange_does_not_expire() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("b4"), fresh("b4"));
        let persistent = Connect::persistent(V5, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, V5, &fresh("b4-p"));
        let publish = Publish::new(V5, &topic, "short").with(prop::message_expiry(1));
        publisher.publish_with(publish.clone(), 2);
        let begun = client.delivery();
        client.send(pubrec(begun.id));
        client.released(begun.id);
        client.hang_up();
        publisher.publish_with(publish, 2);
        let_pass(2200);
        let mut client = Client::with(broker, &persistent);
        assert_eq!(client.answer(0x62).id, begun.id);
        client.send(pubcomp(begun.id));
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-4.9.0-1].
#[test]
fn b6_the_quota_starts_fresh_with_each_connection() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("b6"), fresh("b6"));
        let with_maximum =
            |maximum| Connect::persistent(V5, &id).with(prop::receive_maximum(maximum));
        let mut client = Client::with(broker, &with_maximum(1));
        client.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, V5, &fresh("b6-p"));
        for index in 0..5 {
            publisher.publish(&topic, index.to_string(), 1);
        }
        assert_eq!(client.delivery().text(), "0");
        client.quiet(&mut publisher);
        client.cut();
        let mut client = Client::with(broker, &with_maximum(4));
        let four: Vec<_> = (0..4).map(|_| client.delivery()).collect();
        client.quiet(&mut publisher);
        for (index, delivery) in four.iter().enumerate() {
            assert_eq!((delivery.text(), delivery.dup), (index.to_string().as_str(), index == 0));
            client.acknowledge(delivery);
        }
        client.receive_this(&topic, "4", 1);
        client.quiet(&mut publisher);
    });
}

#[test]
fn b6_a_smaller_quota_holds_for_what_is_resent() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("b6"), fresh("b6"));
        let persistent = Connect::persistent(V5, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, V5, &fresh("b6-p"));
        for index in 0..6 {
            publisher.publish(&topic, index.to_string(), 1);
            client.delivery();
        }
        client.cut();
        let narrow = persistent.with(prop::receive_maximum(2));
        let mut client = Client::with(broker, &narrow);
        for pair in 0..3 {
            let two = [client.delivery(), client.delivery()];
            client.ping();
            for (index, delivery) in two.iter().enumerate() {
                assert_eq!(delivery.text(), (pair * 2 + index).to_string());
                assert!(delivery.dup);
                client.acknowledge(delivery);
            }
        }
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-2.2.1-4], [MQTT-4.3.2-1], [MQTT-4.3.3-1]; 3.1.1 [MQTT-2.3.1-4], [MQTT-4.3.2-1],
/// [MQTT-4.3.3-1].
#[test]
fn b7_identifiers_in_flight_are_never_given_again() {
    each(&[V311, V5], |broker, version| {
        let (topic, id) = (fresh("b7"), fresh("b7"));
        let persistent = Connect::persistent(version, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, version, &fresh("b7-p"));
        // These are held, one of them half done, while more messages pass than there are numbers.
        for index in 0..4 {
            publisher.publish(&topic, format!("held {index}"), 2);
        }
        let mut held: Vec<_> = (0..4).map(|_| client.delivery()).collect();
        client.cut();
        client = Client::with(broker, &persistent);
        held.iter_mut().for_each(|old| assert_eq!(client.delivery().id, old.id));
        client.send(pubrec(held[0].id));
        client.released(held[0].id);
        let ids: HashSet<u16> = held.iter().map(|delivery| delivery.id).collect();
        assert_eq!(ids.len(), 4);
        const ROUND: u16 = 500;
        let burst: Vec<u8> = (1..=ROUND)
            .flat_map(|id| Publish::new(version, &topic, "x").qos(1, id).bytes())
            .collect();
        for _ in 0..140 {
            publisher.send(&burst);
            for _ in 0..ROUND {
                let delivery = client.delivery();
                assert!(!ids.contains(&delivery.id), "identifier {} is in flight", delivery.id);
                client.send(puback(delivery.id));
            }
            for id in 1..=ROUND {
                assert_eq!(publisher.answer(0x40).id, id);
            }
        }
        client.send(pubcomp(held[0].id));
        for delivery in &held[1..] {
            client.acknowledge(delivery);
        }
        client.ping();
    });
}

/// Shows 5.0 [MQTT-4.3.3-10]; 3.1.1 [MQTT-4.3.3-2].
#[test]
fn b1_a_repeated_qos_2_publish_is_one_message() {
    // Strict, so that a repetition that took a place of its own would end the connection.
    let options = Options::default().set("strict", true);
    crate::support::broker::each_own_broker(&options, |broker| {
        for version in [V311, V5] {
            let topic = fresh("b1");
            let mut subscriber = Client::connect(broker, version, &fresh("b1-s"));
            subscriber.subscribe(&topic, 2);
            let mut publisher = Client::connect(broker, version, &fresh("b1-p"));
            let again = Publish::new(version, &topic, vec![7; 100]).qos(2, 1).dup().bytes();
            publisher.send(Publish::new(version, &topic, vec![7; 100]).qos(2, 1).bytes());
            assert_eq!(publisher.answer(0x50).id, 1);
            let before = broker.memory();
            let burst = again.repeat(500);
            for _ in 0..200 {
                publisher.send(&burst);
                for _ in 0..500 {
                    let answer = publisher.answer(0x50);
                    assert_eq!((answer.id, answer.codes.first().unwrap_or(&0)), (1, &0));
                }
            }
            assert!(broker.memory() < before + (4 << 20), "100 000 copies were kept");
            // One of the twenty places is taken; the others are free.
            for id in 2..=20 {
                publisher.send(Publish::new(version, "b1/other", "x").qos(2, id).bytes());
                assert_eq!(publisher.answer(0x50).id, id);
            }
            // With no place left it is still the message that has one.
            publisher.send(&again);
            assert_eq!(publisher.answer(0x50).id, 1);
            publisher.send(pubrel(1));
            assert_eq!(publisher.answer(0x70).id, 1);
            subscriber.receive_this(&topic, [7; 100], 2);
            subscriber.quiet(&mut publisher);
        }
    });
}

/// Shows 5.0 [MQTT-4.4.0-2].
#[test]
fn a_delivery_the_client_refused_is_not_sent_again() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("refused"), fresh("refused"));
        let persistent = Connect::persistent(V5, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, V5, &fresh("refused-p"));
        for (qos, answer) in [(1, 0x40), (2, 0x50)] {
            publisher.publish(&topic, "unwanted", qos);
            let delivery = client.delivery();
            client.send(acknowledge(answer, delivery.id, 0x80, &[]));
        }
        client.quiet(&mut publisher);
        client.cut();
        let mut client = Client::with(broker, &persistent);
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-4.3.3-13].
#[test]
fn the_exchange_of_an_expired_message_is_completed() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("expired");
        let id = fresh("expired");
        let mut away = Client::with(broker, &Connect::persistent(V5, &id));
        away.subscribe(&topic, 2);
        away.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("expired-p"));
        let short = Publish::new(V5, &topic, "short").with(prop::message_expiry(1));
        publisher.send(short.clone().qos(2, 3).bytes());
        assert_eq!(publisher.answer(0x50).codes, [0]);
        let_pass(2200);
        publisher.send(short.qos(2, 3).dup().bytes());
        assert_eq!(publisher.answer(0x50).codes, [0]);
        publisher.send(pubrel(3));
        assert_eq!(publisher.answer(0x70).codes, [0]);
        let mut back = Client::with(broker, &Connect::persistent(V5, &id));
        back.quiet(&mut publisher);
    });
}

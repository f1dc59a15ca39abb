//! A message reaches its subscribers unchanged, at the lower of the two QoS, between all versions.

use crate::support::broker::{Options, each, each_broker};
use crate::support::bytes::{Publish, acknowledge, packet, prop, pubrec, pubrel, text};
use crate::support::client::Client;
use crate::support::{ALL, V3, Version, each_version, fresh};

/// Shows 3.1.1 [MQTT-2.3.1-5], [MQTT-2.3.1-6], [MQTT-2.3.1-7], [MQTT-3.3.4-1], [MQTT-3.8.4-1],
/// [MQTT-3.8.4-2], [MQTT-3.10.4-4], [MQTT-4.3.1-1], [MQTT-4.3.2-1], [MQTT-4.3.2-2], [MQTT-4.3.3-1],
/// [MQTT-4.3.3-2].
#[test]
fn the_exchanges_of_version_3_by_their_bytes() {
    each(&V3, |broker, version| {
        let mut client = Client::connect(broker, version, &fresh("bytes"));
        let mut other = Client::connect(broker, version, &fresh("bytes"));
        let topic = format!("by/bytes/{version:?}");
        let subscribed = packet(0x82, &[&[0x12, 0x34], &text(&topic), &[2]]);
        client.send(subscribed);
        client.expect([0x90, 0x03, 0x12, 0x34, 0x02]);

        other.send(packet(0x30, &[&text(&topic), b"hello"]));
        client.expect(packet(0x30, &[&text(&topic), b"hello"]));

        other.send(packet(0x32, &[&text(&topic), &[0x00, 0x0A], b"hello"]));
        other.expect([0x40, 0x02, 0x00, 0x0A]);
        let delivery = client.delivery();
        assert_eq!((delivery.qos, delivery.dup, delivery.text()), (1, false, "hello"));
        client.acknowledge(&delivery);

        other.send(packet(0x34, &[&text(&topic), &[0xFF, 0xFF], b"hello"]));
        other.expect([0x50, 0x02, 0xFF, 0xFF]);
        other.send([0x62, 0x02, 0xFF, 0xFF]);
        other.expect([0x70, 0x02, 0xFF, 0xFF]);
        let delivery = client.delivery();
        assert_eq!((delivery.qos, delivery.dup, delivery.text()), (2, false, "hello"));
        let id = delivery.id.to_be_bytes();
        client.send([0x50, 0x02, id[0], id[1]]);
        client.expect([0x62, 0x02, id[0], id[1]]);
        client.send([0x70, 0x02, id[0], id[1]]);

        client.send(packet(0xA2, &[&[0x00, 0x07], &text(&topic)]));
        client.expect([0xB0, 0x02, 0x00, 0x07]);
        other.send(packet(0x30, &[&text(&topic), b"nobody"]));
        client.quiet(&mut other);
    });
}

/// Shows 5.0 [MQTT-3.8.4-8]; 3.1.1 [MQTT-3.8.4-6].
#[test]
fn the_lower_qos_of_the_two_between_all_versions() {
    each_broker(&Options::default(), |broker| {
        each_version(&ALL, |from| {
            let mut publisher = Client::connect(broker, from, &fresh("min-p"));
            each_version(&ALL, |to| {
                for subscribed in 0..=2 {
                    let topic = fresh("min");
                    let mut subscriber = Client::connect(broker, to, &fresh("min-s"));
                    assert_eq!(subscriber.subscribe(&topic, subscribed), subscribed);
                    for published in 0..=2 {
                        let payload = format!("{published} to {subscribed}");
                        assert_eq!(publisher.publish(&topic, &payload, published), 0);
                        let qos = published.min(subscribed);
                        let delivery = subscriber.receive_this(&topic, &payload, qos);
                        assert!(!delivery.dup && !delivery.retain, "{delivery:?}");
                        assert!(delivery.properties.0.is_empty(), "{delivery:?}");
                    }
                }
            });
        });
    });
}

#[test]
fn a_client_receives_what_it_publishes_itself() {
    each(&ALL, |broker, version| {
        let topic = fresh("self");
        let mut client = Client::connect(broker, version, &fresh("self"));
        client.subscribe(&topic, 0);
        client.send(Publish::new(version, &topic, "mine").bytes());
        client.receive_this(&topic, "mine", 0);
    });
}

#[test]
fn payloads_of_every_length_class() {
    each(&ALL, |broker, version| {
        let topic = fresh("length");
        let mut publisher = Client::connect(broker, version, &fresh("length-p"));
        let mut subscriber = Client::connect(broker, version, &fresh("length-s"));
        subscriber.subscribe(&topic, 2);
        let over = 2 + topic.len();
        for around in [0, 127 - over, 128 - over, 16_383 - over, 16_384 - over, 65_535, 70_000] {
            for length in around.saturating_sub(2)..around + 3 {
                for qos in 0..=2 {
                    let payload = vec![(length % 255) as u8; length];
                    publisher.publish(&topic, &payload, qos);
                    let delivery = subscriber.receive();
                    assert_eq!((delivery.qos, delivery.payload.len()), (qos, length));
                    assert!(delivery.payload == payload, "{length} bytes were altered");
                }
            }
        }
    });
}

#[test]
fn payloads_of_eight_megabytes() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("large");
        let payload: Vec<u8> = (0..8_u32 << 20).map(|index| (index * 7 % 253) as u8).collect();
        let mut subscribers: Vec<Client> = ALL
            .into_iter()
            .map(|version| {
                let mut client = Client::connect(broker, version, &fresh("large-s"));
                client.subscribe(&topic, 2);
                client
            })
            .collect();
        for qos in 0..=2 {
            let mut publisher = Client::connect(broker, Version::V5, &fresh("large-p"));
            std::thread::scope(|scope| {
                for subscriber in &mut subscribers {
                    let (topic, payload) = (&topic, &payload);
                    scope.spawn(move || {
                        let delivery = subscriber.receive();
                        assert_eq!((&delivery.topic, delivery.qos), (topic, qos));
                        assert!(delivery.payload == *payload, "altered");
                    });
                }
                assert_eq!(publisher.publish(&topic, &payload, qos), 0);
            });
        }
    });
}

/// Shows 5.0 [MQTT-4.7.3-3]; 3.1.1 [MQTT-4.7.3-3].
#[test]
fn the_longest_topic_name() {
    each(&ALL, |broker, version| {
        let topic = format!("{}/{}", fresh("long"), "x".repeat(65_000));
        let mut client = Client::connect(broker, version, &fresh("long"));
        client.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, version, &fresh("long-p"));
        assert_eq!(publisher.publish(&topic, "far", 1), 0);
        client.receive_this(&topic, "far", 1);
    });
}

/// Shows 5.0 [MQTT-1.5.4-3], [MQTT-4.7.3-4]; 3.1.1 [MQTT-1.5.3-3], [MQTT-4.7.3-4].
#[test]
fn topic_names_that_look_odd_are_carried() {
    each(&ALL, |broker, version| {
        let mut publisher = Client::connect(broker, version, &fresh("odd-p"));
        let mut subscriber = Client::connect(broker, version, &fresh("odd-s"));
        let stem = fresh("odd");
        assert!(subscriber.subscribe(&format!("{stem}/#"), 0) < 0x80);
        for tail in ["/", "//", "a//b", " ", "a b", "$x", "é/ü", "日本", "🙂", "\u{FEFF}x", "/a/"]
        {
            let topic = format!("{stem}/{tail}");
            publisher.publish(&topic, "x", 0);
            subscriber.receive_this(&topic, "x", 0);
        }
    });
}

/// Shows 5.0 [MQTT-3.4.2-1], [MQTT-3.5.2-1].
#[test]
fn nobody_listens() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("nobody");
        let mut five = Client::connect(broker, Version::V5, &fresh("nobody"));
        assert_eq!(five.publish(&topic, "x", 1), 0x10, "No matching subscribers");
        assert_eq!(five.publish(&topic, "x", 2), 0x10, "No matching subscribers");
        let mut subscriber = Client::connect(broker, Version::V311, &fresh("somebody"));
        subscriber.subscribe(&topic, 0);
        assert_eq!(five.publish(&topic, "x", 1), 0);
        assert_eq!(five.publish(&topic, "x", 2), 0);
        subscriber.delivery();
        subscriber.delivery();
        subscriber.unsubscribe(&topic);
        assert_eq!(five.publish(&topic, "x", 1), 0x10);
        each_version(&V3, |version| {
            let mut client = Client::connect(broker, version, &fresh("nobody"));
            client.publish(&topic, "x", 1);
            client.publish(&topic, "x", 2);
        });
    });
}

#[test]
fn many_subscribers_get_one_copy_each() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("fan-out");
        let mut subscribers: Vec<Client> = (0..60)
            .map(|index| {
                let version = ALL[index % 3];
                let mut client = Client::connect(broker, version, &fresh("fan-out"));
                let filter = if index % 2 == 0 { topic.clone() } else { format!("{topic}/#") };
                assert!(client.subscribe(&filter, (index / 3 % 3) as u8) < 3);
                client
            })
            .collect();
        let mut publisher = Client::connect(broker, Version::V5, &fresh("fan-out-p"));
        for qos in 0..=2 {
            publisher.publish(&topic, format!("at {qos}"), qos);
        }
        for (index, subscriber) in subscribers.iter_mut().enumerate() {
            for qos in 0..=2 {
                let expected = qos.min((index / 3 % 3) as u8);
                subscriber.receive_this(&topic, format!("at {qos}"), expected);
            }
            subscriber.ping();
        }
    });
}

#[test]
fn version_5_acknowledgements_in_their_long_form() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("long-ack");
        let why = [prop::reason_string("because")];
        let mut publisher = Client::connect(broker, Version::V5, &fresh("long-ack-p"));
        let mut subscriber = Client::connect(broker, Version::V5, &fresh("long-ack-s"));
        subscriber.subscribe(&topic, 2);
        publisher.publish(&topic, "1", 1);
        let delivery = subscriber.delivery();
        subscriber.send(acknowledge(0x40, delivery.id, 0x80, &why));
        publisher.send(Publish::new(Version::V5, &topic, "2").qos(2, 5).bytes());
        assert_eq!(publisher.answer(0x50).codes, [0]);
        publisher.send(acknowledge(0x62, 5, 0, &why));
        assert_eq!(publisher.answer(0x70).codes, [0]);
        let delivery = subscriber.delivery();
        subscriber.send(acknowledge(0x50, delivery.id, 0, &why));
        assert_eq!(subscriber.answer(0x62).id, delivery.id);
        subscriber.send(acknowledge(0x70, delivery.id, 0, &why));
        // Three bytes: a Reason Code and no property length.
        publisher.publish(&topic, "3", 1);
        let delivery = subscriber.delivery();
        let id = delivery.id.to_be_bytes();
        subscriber.send([0x40, 0x03, id[0], id[1], 0x00]);
        subscriber.ping();
    });
}

/// Shows 5.0 [MQTT-4.4.0-2].
#[test]
fn a_refused_pubrec_ends_the_exchange() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("refused");
        let mut publisher = Client::connect(broker, Version::V5, &fresh("refused-p"));
        let mut subscriber = Client::connect(broker, Version::V5, &fresh("refused-s"));
        subscriber.subscribe(&topic, 2);
        publisher.publish(&topic, "1", 2);
        let delivery = subscriber.delivery();
        subscriber.send(acknowledge(0x50, delivery.id, 0x80, &[]));
        subscriber.ping();
        publisher.publish(&topic, "2", 2);
        subscriber.receive_this(&topic, "2", 2);
    });
}

/// Shows 5.0 [MQTT-3.7.2-1].
#[test]
fn pubrel_of_an_unknown_identifier() {
    each_broker(&Options::default(), |broker| {
        let mut five = Client::connect(broker, Version::V5, &fresh("pubrel"));
        five.send(pubrel(77));
        let answer = five.answer(0x70);
        assert_eq!((answer.id, answer.codes), (77, vec![0x92]));
        each_version(&V3, |version| {
            let mut client = Client::connect(broker, version, &fresh("pubrel"));
            client.send(pubrel(77));
            assert_eq!(client.answer(0x70).id, 77);
        });
    });
}

/// Shows 5.0 [MQTT-3.6.2-1].
#[test]
fn pubrec_of_an_unknown_identifier() {
    each_broker(&Options::default(), |broker| {
        let mut five = Client::connect(broker, Version::V5, &fresh("pubrec"));
        five.send([0x50, 0x02, 0x00, 0x4D]);
        let answer = five.answer(0x62);
        assert_eq!((answer.id, answer.codes), (77, vec![0x92]));
    });
}

/// Shows 5.0 [MQTT-2.2.1-2], [MQTT-2.2.1-5], [MQTT-2.2.1-6], [MQTT-2.2.2-1], [MQTT-3.3.4-1],
/// [MQTT-4.3.1-1], [MQTT-4.3.2-2], [MQTT-4.3.2-4], [MQTT-4.3.3-2], [MQTT-4.3.3-4], [MQTT-4.3.3-8],
/// [MQTT-4.3.3-11].
#[test]
fn the_exchanges_of_version_5_by_their_bytes() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::connect(broker, Version::V5, &fresh("bytes"));
        let mut other = Client::connect(broker, Version::V5, &fresh("bytes"));
        let topic = fresh("by/bytes");
        client.send(packet(0x82, &[&[0x12, 0x34, 0], &text(&topic), &[2]]));
        client.expect([0x90, 0x04, 0x12, 0x34, 0x00, 0x02]);

        // At QoS 0 there is no Packet Identifier, and a Property Length even without properties.
        other.send(packet(0x30, &[&text(&topic), &[0], b"hello"]));
        client.expect(packet(0x30, &[&text(&topic), &[0], b"hello"]));

        other.send(packet(0x32, &[&text(&topic), &[0x00, 0x0A, 0x00], b"hello"]));
        other.expect([0x40, 0x02, 0x00, 0x0A]);
        let first = client.delivery();
        assert_eq!((first.qos, first.dup, first.text()), (1, false, "hello"));
        client.acknowledge(&first);

        other.send(packet(0x34, &[&text(&topic), &[0xFF, 0xFF, 0x00], b"hello"]));
        other.expect([0x50, 0x02, 0xFF, 0xFF]);
        other.send([0x62, 0x02, 0xFF, 0xFF]);
        other.expect([0x70, 0x02, 0xFF, 0xFF]);
        let second = client.delivery();
        assert_eq!((second.qos, second.dup, second.text()), (2, false, "hello"));
        let id = second.id.to_be_bytes();
        client.send([0x50, 0x02, id[0], id[1]]);
        client.expect([0x62, 0x02, id[0], id[1]]);
        client.send([0x70, 0x02, id[0], id[1]]);

        client.send(packet(0xA2, &[&[0x00, 0x07, 0], &text(&topic)]));
        client.expect([0xB0, 0x04, 0x00, 0x07, 0x00, 0x00]);
    });
}

/// Shows 5.0 [MQTT-3.3.1-3]; 3.1.1 [MQTT-3.3.1-3].
#[test]
fn dup_of_the_publisher_is_not_passed_on() {
    each(&ALL, |broker, version| {
        let topic = fresh("dup");
        let mut subscriber = Client::connect(broker, version, &fresh("dup-s"));
        subscriber.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, version, &fresh("dup-p"));
        for qos in [1, 2] {
            publisher.publish_with(Publish::new(version, &topic, "x").dup(), qos);
            assert!(!subscriber.receive_this(&topic, "x", qos).dup);
        }
    });
}

/// Shows 5.0 [MQTT-4.3.2-5]; 3.1.1 [MQTT-4.3.2-2].
#[test]
fn after_puback_the_identifier_means_a_new_message() {
    each(&ALL, |broker, version| {
        let topic = fresh("again");
        let mut subscriber = Client::connect(broker, version, &fresh("again-s"));
        subscriber.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, version, &fresh("again-p"));
        let publish = Publish::new(version, &topic, "x").qos(1, 9);
        for bytes in [publish.bytes(), publish.clone().dup().bytes(), publish.bytes()] {
            publisher.send(bytes);
            assert_eq!(publisher.answer(0x40).id, 9);
            subscriber.receive_this(&topic, "x", 1);
        }
    });
}

/// Shows 5.0 [MQTT-4.3.3-9].
#[test]
fn after_a_refusing_pubrec_the_identifier_means_a_new_message() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("again");
        let mut subscriber = Client::connect(broker, Version::V5, &fresh("again-s"));
        subscriber.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, Version::V5, &fresh("again-p"));
        publisher.send(Publish::new(Version::V5, "$SYS/x", "refused").qos(2, 5).bytes());
        assert_eq!(publisher.answer(0x50).codes, [0x87]);
        publisher.send(Publish::new(Version::V5, &topic, "new").qos(2, 5).bytes());
        assert_eq!(publisher.answer(0x50).codes, [0]);
        publisher.send(pubrel(5));
        assert_eq!(publisher.answer(0x70).codes, [0]);
        subscriber.receive_this(&topic, "new", 2);
    });
}

/// Shows 3.1.1 [MQTT-4.6.0-4].
#[test]
fn pubrel_follows_the_order_of_pubrec() {
    each(&ALL, |broker, version| {
        let topic = fresh("order");
        let mut subscriber = Client::connect(broker, version, &fresh("order-s"));
        subscriber.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, version, &fresh("order-p"));
        for index in 0..6 {
            publisher.publish(&topic, index.to_string(), 2);
        }
        let open: Vec<_> = (0..6).map(|_| subscriber.delivery()).collect();
        let order = [3, 0, 5, 1, 4, 2];
        let pubrecs: Vec<u8> = order.iter().flat_map(|at| pubrec(open[*at].id)).collect();
        subscriber.send(pubrecs);
        for at in order {
            assert_eq!(subscriber.answer(0x62).id, open[at].id);
        }
    });
}

//! Maximum Packet Size in both directions.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker};
use crate::support::bytes::{Connect, Publish, prop};
use crate::support::client::Client;
use crate::support::{V3, each_version, fresh};

const MAXIMUM: usize = 120;

/// A payload with which a PUBLISH to `topic` takes exactly `size` bytes in version 5.
fn payload_for(topic: &str, qos: u8, size: usize) -> Vec<u8> {
    let size_with = |count| Publish::new(V5, topic, vec![b'x'; count]).qos(qos, 1).bytes().len();
    let count = (0..size).rfind(|count| size_with(*count) == size).expect("a size there is");
    vec![b'x'; count]
}

/// Shows 5.0 [MQTT-3.1.2-24], [MQTT-3.1.2-25].
#[test]
fn b10_what_is_too_large_for_a_subscriber_is_dropped() {
    each_broker(&Options::default(), |broker| {
        for aliases in [0, 5] {
            let topic = fresh("b10");
            let connect = Connect::new(V5, &fresh("b10"))
                .with(prop::maximum_packet_size(MAXIMUM as u32))
                .with(prop::topic_alias_maximum(aliases));
            let mut client = Client::with(broker, &connect);
            client.subscribe(&topic, 2);
            let mut large = Client::connect(broker, V5, &fresh("b10-l"));
            large.subscribe(&topic, 2);
            let mut publisher = Client::connect(broker, V5, &fresh("b10-p"));
            for qos in 0..=2 {
                for size in [MAXIMUM - 1, MAXIMUM, MAXIMUM + 1] {
                    let payload = payload_for(&topic, qos, size);
                    assert_eq!(publisher.publish(&topic, &payload, qos), 0);
                    large.receive_this(&topic, &payload, qos);
                    if size > MAXIMUM {
                        client.ping();
                        continue;
                    }
                    let packet = client.packet();
                    assert!(packet.body.len() + 2 <= MAXIMUM, "[MQTT-3.1.2-24]");
                    let delivery = packet.delivery(V5);
                    assert_eq!(delivery.payload, payload);
                    client.acknowledge(&delivery);
                }
            }
        }
    });
}

/// Shows 5.0 [MQTT-3.1.2-25].
#[test]
fn b10_dropped_messages_take_no_place_in_the_window() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("b10");
        let connect = Connect::new(V5, &fresh("b10"))
            .with(prop::maximum_packet_size(MAXIMUM as u32))
            .with(prop::receive_maximum(2));
        let mut client = Client::with(broker, &connect);
        client.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, V5, &fresh("b10-p"));
        for qos in [1, 2] {
            for _ in 0..50 {
                publisher.publish(&topic, payload_for(&topic, qos, MAXIMUM + 1), qos);
            }
            publisher.publish(&topic, "fits", qos);
            publisher.publish(&topic, "fits too", qos);
            client.receive_this(&topic, "fits", qos);
            client.receive_this(&topic, "fits too", qos);
        }
        client.quiet(&mut publisher);
    });
}

#[test]
fn b10_what_is_too_large_is_dropped_from_a_queue_too() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("b10"), fresh("b10"));
        let mut client = Client::with(broker, &Connect::persistent(V5, &id));
        client.subscribe(&topic, 1);
        client.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("b10-p"));
        publisher.publish(&topic, vec![0; 500], 1);
        publisher.publish(&topic, "fits", 1);
        publisher.publish_retained(&format!("{topic}/r"), vec![0; 500], 1);
        let small = Connect::persistent(V5, &id).with(prop::maximum_packet_size(100));
        let mut client = Client::with(broker, &small);
        client.receive_this(&topic, "fits", 1);
        client.subscribe(&format!("{topic}/r"), 1);
        client.quiet(&mut publisher);
        publisher.publish_retained(&format!("{topic}/r"), "", 1);
    });
}

/// Shows 5.0 [MQTT-3.2.2-15].
#[test]
fn b10_what_is_too_large_for_the_server_ends_the_connection() {
    let options = Options::default().set("max_packet_size", 300);
    each_broker(&options, |broker| {
        let topic = fresh("b10");
        let mut watcher = Client::connect(broker, V311, &fresh("b10-w"));
        watcher.subscribe(&topic, 0);
        let (mut client, connack) = Client::accepted(broker, &Connect::new(V5, &fresh("b10")));
        assert_eq!(connack.properties.int(0x27), Some(300));
        for qos in 0..=2 {
            for size in [299, 300] {
                assert_eq!(client.publish(&topic, payload_for(&topic, qos, size), qos), 0);
                assert_eq!(watcher.delivery().topic, topic);
            }
        }
        let over = Publish::new(V5, &topic, payload_for(&topic, 1, 301)).qos(1, 9);
        client.send(over.bytes());
        client.closed_for(0x95);
        each_version(&V3, |version| {
            let mut client = Client::connect(broker, version, &fresh("b10"));
            client.send(Publish::new(version, &topic, vec![0; 400]).qos(1, 9).bytes());
            client.closed();
        });
        let mut publisher = Client::connect(broker, V5, &fresh("b10-q"));
        watcher.quiet(&mut publisher);
    });
}

#[test]
fn b10_the_declared_length_is_enough_to_refuse() {
    let options = Options::default().set("max_packet_size", 300);
    each_broker(&options, |broker| {
        let mut client = Client::connect(broker, V5, &fresh("b10"));
        client.send([0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
        client.closed_for(0x95);
    });
}

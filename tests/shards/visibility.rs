//! A subscription counts for every client from the moment its SUBACK is seen.

use crate::support::broker::{Options, each_broker};
use crate::support::bytes::{Connect, Publish};
use crate::support::client::Client;
use crate::support::{ALL, Version, fresh};

fn crowd(broker: &crate::support::broker::Broker, count: usize) -> Vec<Client> {
    (0..count).map(|index| Client::connect(broker, ALL[index % 3], &fresh("crowd"))).collect()
}

/// Shows 5.0 [MQTT-4.5.0-1]; 3.1.1 [MQTT-4.5.0-1].
#[test]
fn b14_a_publish_after_suback_is_delivered() {
    each_broker(&Options::default(), |broker| {
        let mut subscribers = crowd(broker, 5);
        let mut publishers = crowd(broker, 6);
        for round in 0..3000 {
            let subscriber = &mut subscribers[round % 5];
            let publisher = &mut publishers[round % 6];
            let topic = fresh("b14/x");
            let filter = match round % 3 {
                0 => topic.clone(),
                1 => topic.replace("b14/x", "+/x"),
                _ => format!("{topic}/#"),
            };
            assert_eq!(subscriber.subscribe(&filter, 0), 0);
            publisher.send(Publish::new(publisher.version, &topic, "seen").bytes());
            subscriber.receive_this(&topic, "seen", 0);
        }
    });
}

#[test]
fn b14_again_and_again_on_one_filter() {
    each_broker(&Options::default(), |broker| {
        // The filter gains its first and loses its last subscriber on each shard all the time.
        let topic = fresh("b14/same");
        let mut subscribers = crowd(broker, 7);
        let mut publishers = crowd(broker, 4);
        for round in 0..1500 {
            let subscriber = &mut subscribers[round * 3 % 7];
            let publisher = &mut publishers[round % 4];
            assert_eq!(subscriber.subscribe(&topic, 1), 1);
            publisher.send(Publish::new(publisher.version, &topic, "seen").qos(1, 1).bytes());
            subscriber.receive_this(&topic, "seen", 1);
            assert_eq!(publisher.answer(0x40).codes.first().copied().unwrap_or(0), 0);
            assert_eq!(subscriber.unsubscribe(&topic), 0);
        }
    });
}

#[test]
fn b14_shared_subscriptions_too() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("b14/shared");
        let mut members = crowd(broker, 5);
        let mut publishers = crowd(broker, 4);
        for round in 0..500 {
            let member = &mut members[round % 5];
            let publisher = &mut publishers[round % 4];
            let filter = format!("$share/g/{topic}");
            member.subscribe(&filter, 1);
            publisher.send(Publish::new(publisher.version, &topic, "seen").qos(1, 1).bytes());
            member.receive_this(&topic, "seen", 1);
            publisher.answer(0x40);
            member.unsubscribe(&filter);
        }
    });
}

/// Shows 5.0 [MQTT-3.10.4-2]; 3.1.1 [MQTT-3.10.4-2].
#[test]
fn after_unsuback_nothing_more_is_delivered() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("un");
        let mut subscribers = crowd(broker, 5);
        let mut publishers = crowd(broker, 4);
        for round in 0..500 {
            let subscriber = &mut subscribers[round % 5];
            let publisher = &mut publishers[round % 4];
            subscriber.subscribe(&topic, 0);
            subscriber.unsubscribe(&topic);
            publisher.send(Publish::new(publisher.version, &topic, "late").bytes());
            subscriber.quiet(publisher);
        }
    });
}

#[test]
fn a_subscription_of_a_session_counts_while_its_client_is_away() {
    each_broker(&Options::default(), |broker| {
        let mut publishers = crowd(broker, 4);
        for round in 0..200 {
            let version = [Version::V311, Version::V5][round % 2];
            let (topic, id) = (fresh("away"), fresh("away"));
            let mut client = Client::with(broker, &Connect::persistent(version, &id));
            client.subscribe(&topic, 1);
            if round % 3 == 0 {
                client.leave()
            } else {
                client.cut()
            }
            publishers[round % 4].publish(&topic, "kept", 1);
            let (mut client, connack) =
                Client::accepted(broker, &Connect::persistent(version, &id));
            assert!(connack.session_present);
            client.receive_this(&topic, "kept", 1);
            client.send([0xE0, 0x00]);
        }
    });
}

#[test]
fn a_retained_message_is_there_for_every_shard_once_acknowledged() {
    each_broker(&Options::default(), |broker| {
        let mut publishers = crowd(broker, 5);
        let mut subscribers = crowd(broker, 4);
        for round in 0..500 {
            let topic = fresh("kept");
            let publisher = &mut publishers[round % 5];
            publisher.publish_retained(&topic, "there", 1);
            let subscriber = &mut subscribers[round % 4];
            subscriber.subscribe(&topic, 1);
            let delivery = subscriber.receive_this(&topic, "there", 1);
            assert!(delivery.retain, "published before the subscription: {delivery:?}");
            publisher.publish_retained(&topic, "", 1);
            subscriber.receive_this(&topic, "", 1);
        }
    });
}

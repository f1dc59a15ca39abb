//! Topic Aliases in both directions.

use std::collections::HashMap;

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker};
use crate::support::bytes::{Connect, Publish, prop};
use crate::support::client::Client;
use crate::support::fresh;
use crate::support::parse::Delivery;

/// A receiver's table of aliases: gives the Topic Name a delivery means.
#[derive(Default)]
struct Aliases(HashMap<u32, String>);

impl Aliases {
    fn resolve(&mut self, delivery: &Delivery, maximum: u32) -> String {
        let Some(alias) = delivery.properties.int(0x23) else {
            assert!(!delivery.topic.is_empty(), "neither topic nor alias");
            return delivery.topic.clone();
        };
        assert!((1..=maximum).contains(&alias), "alias {alias} of {maximum} [MQTT-3.1.2-26]");
        if !delivery.topic.is_empty() {
            self.0.insert(alias, delivery.topic.clone());
        }
        self.0.get(&alias).expect("an alias that was set before").clone()
    }
}

/// Shows 5.0 [MQTT-3.3.2-12].
#[test]
fn a_client_sets_uses_and_replaces_aliases() {
    each_broker(&Options::default(), |broker| {
        let (first, second) = (fresh("alias"), fresh("alias"));
        let mut subscriber = Client::connect(broker, V5, &fresh("alias-s"));
        subscriber.subscribe(&first, 0);
        subscriber.subscribe(&second, 0);
        let mut publisher = Client::connect(broker, V5, &fresh("alias-p"));
        let mut send = |topic: &str, alias, payload: &str| {
            publisher.send(Publish::new(V5, topic, payload).with(prop::topic_alias(alias)).bytes());
        };
        send(&first, 1, "sets 1");
        send(&second, 10, "sets 10");
        send("", 1, "uses 1");
        send("", 10, "uses 10");
        send(&second, 1, "replaces 1");
        send("", 1, "uses 1 again");
        for (topic, payload) in [
            (&first, "sets 1"),
            (&second, "sets 10"),
            (&first, "uses 1"),
            (&second, "uses 10"),
            (&second, "replaces 1"),
            (&second, "uses 1 again"),
        ] {
            let delivery = subscriber.receive_this(topic, payload, 0);
            assert_eq!(delivery.properties.int(0x23), None, "the sender's alias is its own");
        }
    });
}

/// Shows 5.0 [MQTT-3.3.2-7].
#[test]
fn aliases_end_with_the_connection() {
    each_broker(&Options::default(), |broker| {
        let id = fresh("alias-end");
        let mut client = Client::with(broker, &Connect::persistent(V5, &id));
        client.send(Publish::new(V5, "alias/end", "x").with(prop::topic_alias(1)).bytes());
        client.leave();
        let mut client = Client::with(broker, &Connect::persistent(V5, &id));
        client.send(Publish::new(V5, "", "x").with(prop::topic_alias(1)).bytes());
        client.closed_for(0x82);
    });
}

/// Shows 5.0 [MQTT-3.2.2-17], [MQTT-3.2.2-18], [MQTT-3.3.2-9], [MQTT-3.3.2-12].
#[test]
fn the_incoming_limit_is_an_option() {
    for (maximum, allowed) in [(0, 0), (1, 1), (1000, 1000)] {
        let options = Options::default().listener("max_topic_alias", maximum);
        each_broker(&options, |broker| {
            let (mut client, connack) =
                Client::accepted(broker, &Connect::new(V5, &fresh("alias-max")));
            assert_eq!(connack.properties.int(0x22).unwrap_or(0), maximum);
            if allowed > 0 {
                let most = Publish::new(V5, "alias/max", "x").with(prop::topic_alias(allowed));
                client.publish_with(most, 1);
            }
            let over = Publish::new(V5, "alias/max", "x").with(prop::topic_alias(allowed + 1));
            client.send(over.bytes());
            client.closed_for(0x94);
        });
    }
}

/// Shows 5.0 [MQTT-3.1.2-26], [MQTT-3.3.2-11].
#[test]
fn the_broker_learns_hot_topics() {
    each_broker(&Options::default(), |broker| {
        let stem = fresh("hot");
        let connect = Connect::new(V5, &fresh("hot-s")).with(prop::topic_alias_maximum(5));
        let mut subscriber = Client::with(broker, &connect);
        subscriber.subscribe(&format!("{stem}/#"), 1);
        let mut publisher = Client::connect(broker, V311, &fresh("hot-p"));
        let topics: Vec<String> =
            (0..300).map(|index| format!("{stem}/{}", [0, 1, index + 10][index % 3])).collect();
        for (index, topic) in topics.iter().enumerate() {
            publisher.send(Publish::new(V311, topic, index.to_string()).bytes());
        }
        let (mut aliases, mut short) = (Aliases::default(), 0);
        for (index, topic) in topics.iter().enumerate() {
            let delivery = subscriber.receive();
            assert_eq!(delivery.text(), index.to_string());
            assert_eq!(&aliases.resolve(&delivery, 5), topic);
            short += u32::from(delivery.topic.is_empty());
        }
        assert!(short > 0, "a topic published a hundred times was never abbreviated");
    });
}

/// Shows 5.0 [MQTT-3.1.2-27].
#[test]
fn a_client_that_offers_no_aliases_gets_none() {
    each_broker(&Options::default(), |broker| {
        for connect in [
            Connect::new(V5, &fresh("cold")),
            Connect::new(V5, &fresh("cold")).with(prop::topic_alias_maximum(0)),
        ] {
            let topic = fresh("cold");
            let mut subscriber = Client::with(broker, &connect);
            subscriber.subscribe(&topic, 0);
            let mut publisher = Client::connect(broker, V5, &fresh("cold-p"));
            for _ in 0..50 {
                publisher.send(Publish::new(V5, &topic, "x").bytes());
            }
            for _ in 0..50 {
                let delivery = subscriber.receive_this(&topic, "x", 0);
                assert_eq!(delivery.properties.int(0x23), None, "[MQTT-3.3.2-11]");
            }
        }
    });
}

/// Shows 5.0 [MQTT-3.3.2-7].
#[test]
fn resent_messages_make_sense_on_the_new_connection() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("resend"), fresh("resend"));
        let connect = Connect::persistent(V5, &id).with(prop::topic_alias_maximum(5));
        let mut subscriber = Client::with(broker, &connect);
        subscriber.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, V5, &fresh("resend-p"));
        for index in 0..10 {
            publisher.publish(&topic, index.to_string(), 1);
        }
        let mut aliases = Aliases::default();
        for _ in 0..10 {
            assert_eq!(aliases.resolve(&subscriber.delivery(), 5), topic);
        }
        subscriber.cut();
        let mut subscriber = Client::with(broker, &connect);
        let mut aliases = Aliases::default();
        for index in 0..10 {
            let delivery = subscriber.delivery();
            assert_eq!(aliases.resolve(&delivery, 5), topic);
            assert_eq!((delivery.text(), delivery.dup), (index.to_string().as_str(), true));
            subscriber.acknowledge(&delivery);
        }
    });
}

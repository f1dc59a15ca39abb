//! The topics below `$SYS`: what they say, who gets them, and that they tell the truth.

use std::collections::HashMap;

use crate::support::Version::V311;
use crate::support::broker::{Broker, Options, SHARDS, each_broker, each_own_broker};
use crate::support::bytes::Connect;
use crate::support::client::Client;
use crate::support::fresh;
use crate::support::parse::Delivery;

const NAMES: [&str; 12] = [
    "version",
    "uptime",
    "clients/total",
    "clients/connected",
    "messages/received",
    "bytes/sent",
    "publish/messages/dropped",
    "retained messages/count",
    "subscriptions/count",
    "heap/current",
    "load/messages/received/1min",
    "load/sockets/15min",
];

fn never() -> Options {
    // The first values are published at the start whatever the interval.
    Options::default().set("sys_interval", 65_535)
}

fn broker_topic(name: &str) -> String {
    format!("$SYS/broker/{name}")
}

/// What a new subscriber is told, once it has heard of every name.
fn values(broker: &Broker, check: impl Fn(&Delivery)) -> HashMap<String, String> {
    let mut client = Client::connect(broker, V311, &fresh("sys"));
    client.subscribe("$SYS/#", 0);
    let mut said = HashMap::new();
    while !NAMES.iter().all(|name| said.contains_key(&broker_topic(name))) {
        let delivery = client.receive();
        check(&delivery);
        said.insert(delivery.topic.clone(), delivery.text().to_owned());
    }
    said
}

/// Reads deliveries until `value` has been said on `topic`.
fn until(client: &mut Client, topic: &str, value: &str) -> Delivery {
    loop {
        let delivery = client.receive();
        if delivery.topic == topic && delivery.text() == value {
            return delivery;
        }
    }
}

#[test]
fn a_subscriber_gets_every_value_at_once() {
    each_broker(&never(), |broker| {
        // Whatever comes while the broker starts; then all of them are there.
        values(broker, |_| {});
        let said = values(broker, |delivery| assert!(delivery.retain, "{delivery:?}"));
        assert!(said["$SYS/broker/version"].starts_with("pondhawk version "), "{said:?}");
        assert_eq!(said["$SYS/broker/uptime"], "0 seconds");
        assert_eq!(said["$SYS/broker/load/sockets/15min"], "0.00");
    });
}

#[test]
fn a_subscriber_of_everything_gets_none_of_them() {
    each_broker(&never(), |broker| {
        let mut client = Client::connect(broker, V311, &fresh("all"));
        let mut other = Client::connect(broker, V311, &fresh("other"));
        for filter in ["#", "+/#", "+/broker/version"] {
            client.subscribe(filter, 0);
            client.quiet(&mut other);
            client.unsubscribe(filter);
        }
    });
}

#[test]
fn with_an_interval_of_zero_there_are_none() {
    each_broker(&Options::default().set("sys_interval", 0), |broker| {
        let mut client = Client::connect(broker, V311, &fresh("sys"));
        let mut other = Client::connect(broker, V311, &fresh("other"));
        client.subscribe("$SYS/#", 0);
        client.quiet(&mut other);
    });
}

#[test]
fn the_values_are_true() {
    each_own_broker(&Options::default().set("sys_interval", 1), |broker| {
        let mut watcher = Client::connect(broker, V311, "watcher");
        let mut publisher = Client::connect(broker, V311, "publisher");
        Client::with(broker, &Connect::persistent(V311, "away")).leave();
        watcher.subscribe("a", 0);
        watcher.subscribe("$share/g/b", 0);
        for _ in 0..5 {
            publisher.publish("a", "0123456789", 1);
            watcher.receive_this("a", "0123456789", 0);
        }
        publisher.publish_retained("kept", "x", 1);
        let expected = [
            ("clients/total", "3"),
            ("clients/maximum", "3"),
            ("clients/connected", "2"),
            ("clients/disconnected", "1"),
            ("publish/messages/received", "6"),
            ("publish/bytes/received", "51"),
            ("shared_subscriptions/count", "1"),
            ("mqtt/connect/received", "3"),
            ("mqtt/connack/sent", "3"),
            ("mqtt/puback/sent", "6"),
            ("mqtt/disconnect/received", "1"),
        ];
        let mut said = HashMap::new();
        watcher.subscribe("$SYS/#", 0);
        let is = |said: &HashMap<String, String>, name: &str, value: &str| {
            said.get(&broker_topic(name)).is_some_and(|text| text == value)
        };
        while !expected.iter().all(|(name, value)| is(&said, name, value)) {
            let delivery = watcher.receive();
            said.insert(delivery.topic.clone(), delivery.text().to_owned());
        }
    });
}

#[test]
fn values_that_change_are_published_to_who_is_subscribed() {
    let options = Options::default().set("sys_interval", 1);
    for shards in SHARDS {
        let broker = Broker::start(shards, &options);
        let mut watcher = Client::connect(&broker, V311, "watcher");
        watcher.subscribe("$SYS/broker/clients/total", 2);
        let _second = Client::connect(&broker, V311, "second");
        let live = until(&mut watcher, "$SYS/broker/clients/total", "2");
        assert_eq!((live.retain, live.qos), (false, 2));
    }
}

#[test]
fn the_log_is_published_and_does_not_feed_on_itself() {
    let options = Options::default()
        .set("log_dest", "[\"stderr\", \"topic\"]")
        .set("log_type", "[\"notice\", \"information\", \"debug\"]")
        .set("sys_interval", 0);
    each_own_broker(&options, |broker| {
        let mut watcher = Client::connect(broker, V311, "watcher");
        watcher.subscribe("$SYS/broker/log/#", 2);
        let mut other = Client::connect(broker, V311, "other");
        // Lines about the start and the watcher itself may still come first.
        let line = loop {
            let line = watcher.receive();
            assert_ne!(line.topic, "$SYS/broker/log/D");
            if line.text().contains(" as other (p2, c1, k") {
                break line;
            }
        };
        assert_eq!(line.topic, "$SYS/broker/log/N");
        assert!(line.text().contains("New client connected from 127.0.0.1:"), "{line:?}");
        assert!(!line.retain);
        // Each delivery is a debug line, and none of those comes as a message.
        watcher.quiet(&mut other);
    });
}

//! Which topics a Topic Filter matches.

use crate::support::broker::{Options, each, each_broker};
use crate::support::client::Client;
use crate::support::{ALL, Version, fresh};

/// Filter, topic, and whether the one matches the other. `T` stands for a name of the test's own.
const MATCHES: &[(&str, &str, bool)] = &[
    ("T/a", "T/a", true),
    ("T/a", "T/A", false),
    ("T/a", "T/a/", false),
    ("T/a", "/T/a", false),
    ("T/a", "T/ab", false),
    ("T/+", "T/a", true),
    ("T/+", "T/", true),
    ("T/+", "T", false),
    ("T/+", "T/a/b", false),
    ("T/+/c", "T/a/c", true),
    ("T/+/c", "T//c", true),
    ("T/+/c", "T/a/b/c", false),
    ("T/+/+", "T/a/b", true),
    ("T/+/+", "T//", true),
    ("+/T", "x/T", true),
    ("+/T", "/T", true),
    ("+/T", "T", false),
    ("+/T/+", "/T/", true),
    ("T/#", "T", true),
    ("T/#", "T/", true),
    ("T/#", "T/a", true),
    ("T/#", "T/a/b/c", true),
    ("T/#", "Tx", false),
    ("T/a/#", "T", false),
    ("T/+/#", "T/a", true),
    ("T/+/#", "T/a/b", true),
    ("T/+/#", "T", false),
    ("+/T/#", "x/T", true),
    ("+/T/#", "x/T/y/z", true),
    ("/T", "/T", true),
    ("/T", "T", false),
    ("/+", "/T", true),
    ("T//a", "T//a", true),
    ("T//a", "T/a", false),
    ("T/é", "T/é", true),
    ("T/é", "T/e\u{301}", false),
    ("$T/a", "$T/a", true),
    ("$T/+", "$T/a", true),
    ("$T/#", "$T/a/b", true),
    ("$T/#", "$T", true),
    ("+/T", "$x/T", false),
    ("+/T/#", "$x/T/y", false),
    ("T/+", "T/$a", true),
    ("T/#", "T/$a/$b", true),
];

/// Shows 5.0 [MQTT-3.3.2-3], [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.2-1], [MQTT-4.7.3-4]; 3.1.1
/// [MQTT-3.3.2-3], [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.2-1], [MQTT-4.7.3-4].
#[test]
fn wildcards_match_levels() {
    each(&ALL, |broker, version| {
        let mut publisher = Client::connect(broker, version, &fresh("match-p"));
        let mut subscriber = Client::connect(broker, version, &fresh("match-s"));
        for (filter, topic, matches) in MATCHES {
            let own = fresh("m");
            let (filter, topic) = (filter.replace('T', &own), topic.replace('T', &own));
            let _scope = crate::support::Scope(format!("{filter} {topic}"));
            assert!(subscriber.subscribe(&filter, 0) < 0x80);
            publisher.send(crate::support::bytes::Publish::new(version, &topic, "x").bytes());
            if *matches {
                subscriber.receive_this(&topic, "x", 0);
            }
            subscriber.quiet(&mut publisher);
            subscriber.unsubscribe(&filter);
        }
    });
}

/// Shows 5.0 [MQTT-4.7.2-1]; 3.1.1 [MQTT-4.7.2-1].
#[test]
fn a_leading_wildcard_does_not_see_dollar_topics() {
    each(&ALL, |broker, version| {
        let name = fresh("hidden");
        let mut all = Client::connect(broker, version, &fresh("hash"));
        let mut one = Client::connect(broker, version, &fresh("plus"));
        let mut direct = Client::connect(broker, version, &fresh("direct"));
        all.subscribe("#", 0);
        one.subscribe(&format!("+/{name}"), 0);
        direct.subscribe(&format!("$x/{name}"), 0);
        let mut publisher = Client::connect(broker, version, &fresh("hidden-p"));
        publisher.publish(&format!("$x/{name}"), "seen by name", 1);
        publisher.publish(&format!("x/{name}"), "seen by all", 1);
        direct.receive_this(&format!("$x/{name}"), "seen by name", 0);
        one.receive_this(&format!("x/{name}"), "seen by all", 0);
        // Other scenarios publish too; none of their topics may begin with a dollar.
        loop {
            let delivery = all.delivery();
            assert!(!delivery.topic.starts_with('$'), "[MQTT-4.7.2-1] {delivery:?}");
            if delivery.topic == format!("x/{name}") {
                break;
            }
        }
    });
}

/// Shows 5.0 [MQTT-3.3.4-2]; 3.1.1 [MQTT-3.3.5-1].
#[test]
fn c12_overlapping_subscriptions_give_one_copy_at_the_highest_qos() {
    each(&ALL, |broker, version| {
        let stem = fresh("overlap");
        let topic = format!("{stem}/a/b");
        let mut client = Client::connect(broker, version, &fresh("overlap"));
        for (filter, qos) in [("#", 0), ("a/#", 1), ("+/b", 2), ("a/b", 1), ("a/+", 0)] {
            client.subscribe(&format!("{stem}/{filter}"), qos);
        }
        let mut publisher = Client::connect(broker, version, &fresh("overlap-p"));
        for qos in 0..=2 {
            publisher.publish(&topic, "once", qos);
            client.receive_this(&topic, "once", qos);
            client.quiet(&mut publisher);
        }
        client.unsubscribe(&format!("{stem}/+/b"));
        publisher.publish(&topic, "lower", 2);
        client.receive_this(&topic, "lower", 1);
        client.quiet(&mut publisher);
    });
}

#[test]
fn c12_overlapping_subscriptions_can_give_a_copy_each() {
    let options = Options::default().set("allow_duplicate_messages", true);
    each_broker(&options, |broker| {
        crate::support::each_version(&ALL, |version| {
            let stem = fresh("copies");
            let topic = format!("{stem}/a");
            let mut client = Client::connect(broker, version, &fresh("copies"));
            for (filter, qos) in [("#", 0), ("+", 1), ("a", 2)] {
                client.subscribe(&format!("{stem}/{filter}"), qos);
            }
            let mut publisher = Client::connect(broker, version, &fresh("copies-p"));
            publisher.publish(&topic, "x", 2);
            let mut got: Vec<u8> = (0..3).map(|_| client.receive().qos).collect();
            got.sort_unstable();
            assert_eq!(got, [0, 1, 2]);
            client.quiet(&mut publisher);
        });
    });
}

#[test]
fn filters_of_many_clients_do_not_mix() {
    each_broker(&Options::default(), |broker| {
        let stem = fresh("apart");
        let mut clients: Vec<Client> = (0..24)
            .map(|index| {
                let mut client = Client::connect(broker, ALL[index % 3], &fresh("apart"));
                client.subscribe(&format!("{stem}/{index}"), 1);
                client.subscribe(&format!("{stem}/+/{index}"), 1);
                client
            })
            .collect();
        let mut publisher = Client::connect(broker, Version::V5, &fresh("apart-p"));
        for (index, client) in clients.iter_mut().enumerate() {
            publisher.publish(&format!("{stem}/{index}"), "direct", 1);
            publisher.publish(&format!("{stem}/x/{index}"), "below", 1);
            client.receive_this(&format!("{stem}/{index}"), "direct", 1);
            client.receive_this(&format!("{stem}/x/{index}"), "below", 1);
        }
        for client in &mut clients {
            client.ping();
        }
    });
}

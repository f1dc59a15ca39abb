//! A listener with a mount point, beside one without: the same broker, two views of its topics.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each_broker, each_own_broker};
use crate::support::bytes::{Connect, Publish, Will, prop};
use crate::support::client::Client;
use crate::support::files::Files;
use crate::support::{ALL, each_version, fresh};

/// One listener only, so what lies outside of the mount point is seen by `$SYS` alone; two
/// Clients behind it see each other as if it were not there.
fn mounted() -> Options {
    Options::default().listener("mount_point", "\"site/a/\"")
}

fn pair(broker: &Broker, version: crate::support::Version) -> (Client, Client) {
    let client = |name: &str| Client::connect(broker, version, &fresh(name));
    (client("one"), client("other"))
}

#[test]
fn behind_a_mount_point_topics_look_as_ever() {
    each_broker(&mounted(), |broker| {
        each_version(&ALL, |version| {
            let (mut one, mut other) = pair(broker, version);
            let topic = fresh("room/light");
            other.subscribe("room/+", 2);
            for qos in 0..=2 {
                one.publish(&topic, "on", qos);
                other.receive_this(&topic, "on", qos);
            }
            one.publish_retained(&topic, "kept", 1);
            other.receive_this(&topic, "kept", 1);
            let mut late = Client::connect(broker, version, &fresh("late"));
            late.subscribe(&topic, 1);
            assert!(late.receive_this(&topic, "kept", 1).retain);
            one.publish_retained(&topic, "", 1);
            other.receive_this(&topic, "", 1);
            assert_eq!(other.unsubscribe("room/+"), 0);
            one.publish(&topic, "unseen", 1);
            other.ping();
        });
    });
}

#[test]
fn wills_groups_aliases_and_large_payloads_go_below_the_mount_point() {
    each_broker(&mounted(), |broker| {
        let (mut one, mut other) = pair(broker, V5);
        let topic = fresh("deep");
        assert_eq!(other.subscribe(&format!("$share/g/{topic}"), 1), 1);
        one.publish(&topic, "shared", 1);
        other.receive_this(&topic, "shared", 1);
        for name in [topic.as_str(), ""] {
            let publish = Publish::new(V5, name, "aliased").with(prop::topic_alias(1));
            assert_eq!(one.publish_with(publish, 1), 0);
            other.receive_this(&topic, "aliased", 1);
        }
        let large = "x".repeat(40_000);
        one.publish(&topic, &large, 1);
        other.receive_this(&topic, &large, 1);
        let response = Publish::new(V5, &topic, "ask").with(prop::response_topic("answers/1"));
        one.publish_with(response, 1);
        let asked = other.receive();
        assert_eq!(asked.properties.text(0x08).as_deref(), Some("answers/1"), "unaltered");
        let will = Will::new(&topic, "will").qos(1);
        Client::with(broker, &Connect::new(V311, &fresh("dies")).will(will)).cut();
        other.receive_this(&topic, "will", 1);
    });
}

#[test]
fn what_lies_outside_of_the_mount_point_is_out_of_reach() {
    each_own_broker(&mounted(), |broker| {
        let (mut one, mut other) = pair(broker, V5);
        for filter in ["#", "$SYS/#", "/#", "+/+/#"] {
            assert_eq!(other.subscribe(filter, 0), 0);
        }
        // `site/a/` alone is no topic of theirs, and `$SYS` is below the mount point.
        one.publish("$SYS/broker/uptime", "theirs", 0);
        other.receive_this("$SYS/broker/uptime", "theirs", 0);
        other.ping();
        let long = "x".repeat(65_530);
        assert_eq!(other.subscribe(&long, 0), 0x8F);
        one.send(Publish::new(V5, &long, "too long").bytes());
        one.closed_for(0x90);
    });
}

#[test]
fn access_rules_speak_of_whole_topics() {
    let files = Files::of(&["ann"]).acl("user ann\ntopic site/a/mine/#\ntopic theirs/#\n");
    each_broker(&files.options().listener("mount_point", "\"site/a/\""), |broker| {
        let connect = || Connect::new(V5, &fresh("ann")).login("ann", "secret");
        let (mut ann, mut reader) =
            (Client::with(broker, &connect()), Client::with(broker, &connect()));
        reader.subscribe("#", 1);
        assert_eq!(ann.publish("mine/x", "1", 1), 0);
        reader.receive_this("mine/x", "1", 1);
        assert_eq!(ann.publish("theirs/x", "1", 1), 0x87);
    });
}

//! What a Client may read and write.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, each_broker, each_own_broker};
use crate::support::bytes::{Connect, Publish, Will};
use crate::support::client::Client;
use crate::support::files::Files;
use crate::support::{ALL, Version, each_version, fresh};

fn login(broker: &Broker, version: Version, name: &str) -> Client {
    Client::with(broker, &Connect::new(version, &fresh(name)).login(name, "secret"))
}

const ACL: &str = "topic read news/#\nuser boss\ntopic #\ntopic $SYS/#\nuser ann\ntopic read in/#\n\
                   topic write out/#\ntopic both\ntopic deny in/secret\n\
                   pattern readwrite home/%u/#\npattern write dev/%c/up\n";

#[test]
fn a_publish_that_is_denied_is_acknowledged_and_goes_nowhere() {
    let files = Files::of(&["ann", "boss"]).acl(ACL);
    each_broker(&files.options(), |broker| {
        each_version(&ALL, |version| {
            let mut boss = login(broker, V5, "boss");
            boss.subscribe("#", 2);
            let mut ann = login(broker, version, "ann");
            let denied = if version == V5 { 0x87 } else { 0 };
            for topic in ["in/a", "in/secret", "other", "home/bob/x", "dev/eve/up", "outer"] {
                assert_eq!(ann.publish(topic, "denied", 0), 0);
                for qos in [1, 2] {
                    assert_eq!(ann.publish(topic, "denied", qos), denied, "{topic}");
                }
                ann.publish_retained(topic, "denied", 1);
            }
            for topic in ["out/a", "both", "home/ann/x"] {
                assert_eq!(ann.publish(topic, "granted", 2), 0, "{topic}");
                boss.receive_this(topic, "granted", 2);
            }
            let mut late = login(broker, V5, "boss");
            late.subscribe("#", 2);
            late.quiet(&mut boss);
        });
    });
}

#[test]
fn a_delivery_that_is_denied_is_left_out_and_subscribing_never_is() {
    let files = Files::of(&["ann", "boss"]).acl(ACL);
    each_broker(&files.options(), |broker| {
        each_version(&ALL, |version| {
            let mut boss = login(broker, V5, "boss");
            for topic in ["in/old", "in/secret", "closed/old"] {
                boss.publish_retained(topic, "retained", 1);
            }
            let mut ann = login(broker, version, "ann");
            assert_eq!(ann.subscribe("closed/#", 1), 1, "as Mosquitto has it");
            ann.ping();
            assert_eq!(ann.subscribe("in/#", 1), 1);
            assert!(ann.receive_this("in/old", "retained", 1).retain);
            ann.subscribe("home/#", 2);
            ann.subscribe("$SYS/#", 0);
            for qos in 0..=2 {
                for topic in ["closed/a", "in/secret", "home/bob/x", "home", "in/a", "home/ann/x"] {
                    boss.publish(topic, "now", qos);
                }
                ann.receive_this("in/a", "now", qos.min(1));
                ann.receive_this("home/ann/x", "now", qos);
            }
            ann.ping();
            for topic in ["in/old", "in/secret", "closed/old"] {
                boss.publish_retained(topic, "", 1);
            }
        });
    });
}

#[test]
fn c17_an_access_control_file_without_rules_denies_everything() {
    let files = Files::of(&["ann"]).acl("# nothing yet\n");
    each_own_broker(&files.options(), |broker| {
        let mut ann = login(broker, V5, "ann");
        assert_eq!(ann.subscribe("#", 1), 1);
        assert_eq!(ann.publish("a", "x", 1), 0x87);
        ann.ping();
    });
}

#[test]
fn c17_rules_hold_on_a_listener_with_settings_of_its_own() {
    let files = Files::of(&["ann"]).acl("user ann\ntopic a\n");
    let path = |name| format!("{:?}", files.path(name));
    let options = crate::support::broker::Options::default()
        .set("per_listener_settings", true)
        .listener("allow_anonymous", false)
        .listener("password_file", path("passwd"))
        .listener("acl_file", path("acl"));
    each_own_broker(&options, |broker| {
        assert_eq!(Client::refused(broker, &Connect::new(V5, "nobody")).code, 0x87);
        let (mut ann, mut reader) = (login(broker, V5, "ann"), login(broker, V5, "ann"));
        reader.subscribe("#", 0);
        assert_eq!(ann.publish("b", "x", 1), 0x87);
        assert_eq!(ann.publish("a", "x", 1), 0);
        reader.receive_this("a", "x", 0);
    });
}

#[test]
fn c18_a_name_with_wildcards_in_it_gets_nothing_from_patterns() {
    let files = Files::of(&["a#", "+", "a/b", "ann", "boss"]).acl(ACL);
    each_broker(&files.options(), |broker| {
        let mut boss = login(broker, V5, "boss");
        for (user, id) in [("a#", "x"), ("+", "x"), ("a/b", "x"), ("ann", "+"), ("ann", "#")] {
            let connect = Connect::new(V5, &fresh(id)).login(user, "secret");
            let mut client = Client::with(broker, &connect);
            client.subscribe("home/#", 1);
            client.subscribe("dev/#", 1);
            for topic in ["home/eve/x", "home/a/b/x", "dev/eve/up", "home/ann/x"] {
                if topic == "home/ann/x" && user == "ann" {
                    assert_eq!(client.publish(topic, "x", 1), 0x87, "its id has a wildcard");
                }
                boss.publish(topic, "x", 1);
            }
            client.ping();
        }
    });
}

#[test]
fn c5_a_will_is_published_only_if_its_client_may_at_that_time() {
    let files = Files::of(&["ann", "boss"]).acl(ACL);
    each_broker(&files.options(), |broker| {
        each_version(&ALL, |version| {
            let mut boss = login(broker, V5, "boss");
            boss.subscribe("#", 1);
            boss.subscribe("$SYS/broker/will/#", 1);
            let with_will = |topic: &str| {
                let mut will = Will::new(topic, "will").qos(1);
                will.retain = true;
                Connect::new(version, &fresh("dies")).login("ann", "secret").will(will)
            };
            for topic in ["in/a", "$SYS/broker/will", "$CONTROL/x", "elsewhere"] {
                Client::with(broker, &with_will(topic)).cut();
            }
            Client::with(broker, &with_will("out/will")).cut();
            boss.receive_this("out/will", "will", 1);
            login(broker, V5, "boss").publish_retained("out/will", "", 1);
            boss.receive_this("out/will", "", 1);
            boss.ping();
        });
    });
}

#[test]
fn c9_nobody_writes_what_only_the_broker_says() {
    let files = Files::of(&["boss"]).acl(ACL);
    each_broker(&files.options(), |broker| {
        let mut boss = login(broker, V5, "boss");
        boss.subscribe("$SYS/broker/connection/#", 1);
        for topic in ["$SYS/broker/clients/total", "$SYS", "$SYS/broker/connection/a/b/state"] {
            assert_eq!(boss.publish_retained(topic, "forged", 1), 0x87, "{topic}");
        }
        assert_eq!(boss.publish("$CONTROL/x/v1", "{}", 1), 0x87);
        // The state of another broker's bridge.
        let mut bridge = login(broker, V5, "boss");
        assert_eq!(bridge.publish("$SYS/broker/connection/other/state", "1", 1), 0);
        boss.receive_this("$SYS/broker/connection/other/state", "1", 1);
    });
}

#[test]
fn a_member_of_a_group_that_may_not_read_takes_nothing_from_the_others() {
    let files =
        Files::of(&["ann", "bob", "boss"]).acl(&format!("{ACL}user bob\ntopic read jobs\n"));
    each_broker(&files.options(), |broker| {
        let mut boss = login(broker, V5, "boss");
        let group = format!("$share/{}/jobs", fresh("group"));
        let mut thieves: Vec<Client> = (0..6).map(|_| login(broker, V5, "ann")).collect();
        for thief in &mut thieves {
            assert_eq!(thief.subscribe(&group, 1), 1);
        }
        let mut bob = login(broker, V311, "bob");
        bob.subscribe(&group, 1);
        for n in 0..20 {
            boss.publish("jobs", n.to_string(), 1);
            bob.receive_this("jobs", n.to_string(), 1);
        }
        thieves.iter_mut().for_each(Client::ping);
    });
}

#[test]
fn a_topic_alias_gives_no_more_rights_than_the_topic() {
    let files = Files::of(&["ann", "boss"]).acl(ACL);
    each_broker(&files.options(), |broker| {
        let mut ann = login(broker, V5, "ann");
        let aliased = |topic: &str| {
            Publish::new(V5, topic, "x").with(crate::support::bytes::prop::topic_alias(1))
        };
        assert_eq!(ann.publish_with(aliased("in/a"), 1), 0x87);
        assert_eq!(ann.publish_with(aliased(""), 1), 0x87);
        assert_eq!(ann.publish_with(aliased("both"), 1), 0x10, "nobody listens");
        assert_eq!(ann.publish_with(aliased(""), 1), 0x10);
    });
}

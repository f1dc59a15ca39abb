//! Shared Subscriptions: each message to one member of the group.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each, each_broker};
use crate::support::bytes::{Connect, acknowledge, prop, subscribe, subscribe_with};
use crate::support::client::Client;
use crate::support::{ALL, fresh};

#[test]
fn each_message_goes_to_one_member() {
    each(&ALL, |broker, version| {
        for qos in 0..=2 {
            let topic = fresh("share");
            let filter = format!("$share/group/{topic}");
            let mut members: Vec<Client> = (0..4)
                .map(|_| {
                    let mut member = Client::connect(broker, version, &fresh("share-m"));
                    assert_eq!(member.subscribe(&filter, qos), qos);
                    member
                })
                .collect();
            let mut plain = Client::connect(broker, version, &fresh("share-all"));
            plain.subscribe(&topic, qos);
            let mut publisher = Client::connect(broker, version, &fresh("share-p"));
            for index in 0..40 {
                publisher.publish(&topic, index.to_string(), qos);
                plain.receive_this(&topic, index.to_string(), qos);
            }
            let mut all = Vec::new();
            for member in &mut members {
                let got = member.receive_until_fence(&mut publisher);
                assert!(got.len() >= 5, "the turns of a member: {got:?}");
                all.extend(got);
            }
            all.sort_by_key(|text| text.parse::<u32>().unwrap());
            assert_eq!(all, (0..40).map(|index| index.to_string()).collect::<Vec<_>>());
        }
    });
}

/// Shows 5.0 [MQTT-4.8.2-3].
#[test]
fn groups_are_independent() {
    each(&[V311, V5], |broker, version| {
        let topic = fresh("groups");
        let mut one = Client::connect(broker, version, &fresh("groups"));
        let mut two = Client::connect(broker, version, &fresh("groups"));
        one.subscribe(&format!("$share/one/{topic}"), 0);
        two.subscribe(&format!("$share/two/{topic}"), 1);
        let mut publisher = Client::connect(broker, version, &fresh("groups-p"));
        for index in 0..5 {
            publisher.publish(&topic, index.to_string(), 1);
        }
        for index in 0..5 {
            one.receive_this(&topic, index.to_string(), 0);
            two.receive_this(&topic, index.to_string(), 1);
        }
    });
}

#[test]
fn a_group_is_its_name_and_its_filter() {
    each(&[V311, V5], |broker, version| {
        let stem = fresh("filter");
        let mut exact = Client::connect(broker, version, &fresh("filter"));
        let mut wild = Client::connect(broker, version, &fresh("filter"));
        exact.subscribe(&format!("$share/g/{stem}/a"), 0);
        wild.subscribe(&format!("$share/g/{stem}/+"), 0);
        let mut publisher = Client::connect(broker, version, &fresh("filter-p"));
        publisher.publish(&format!("{stem}/a"), "x", 0);
        exact.receive_this(&format!("{stem}/a"), "x", 0);
        wild.receive_this(&format!("{stem}/a"), "x", 0);
    });
}

#[test]
fn a_client_may_be_in_a_group_and_subscribe_plainly() {
    each(&[V311, V5], |broker, version| {
        let topic = fresh("both");
        let mut client = Client::connect(broker, version, &fresh("both"));
        client.subscribe(&topic, 0);
        client.subscribe(&format!("$share/g/{topic}"), 1);
        let mut publisher = Client::connect(broker, version, &fresh("both-p"));
        publisher.publish(&topic, "x", 1);
        let mut qos = [client.receive().qos, client.receive().qos];
        qos.sort_unstable();
        assert_eq!(qos, [0, 1], "a shared subscription is apart from the plain ones");
        client.quiet(&mut publisher);
    });
}

#[test]
fn members_come_and_go() {
    each(&ALL, |broker, version| {
        let topic = fresh("come");
        let filter = format!("$share/g/{topic}");
        let mut publisher = Client::connect(broker, version, &fresh("come-p"));
        let mut stays = Client::connect(broker, version, &fresh("come"));
        stays.subscribe(&filter, 1);
        let mut unsubscribes = Client::connect(broker, version, &fresh("come"));
        unsubscribes.subscribe(&filter, 1);
        assert_eq!(unsubscribes.unsubscribe(&filter), 0);
        let mut leaves = Client::connect(broker, version, &fresh("come"));
        leaves.subscribe(&filter, 1);
        leaves.leave();
        for index in 0..6 {
            publisher.publish(&topic, index.to_string(), 1);
            stays.receive_this(&topic, index.to_string(), 1);
        }
        unsubscribes.quiet(&mut publisher);
        stays.unsubscribe(&filter);
        publisher.publish(&topic, "nobody", 1);
        stays.quiet(&mut publisher);
    });
}

#[test]
fn connected_members_come_first() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("first"), fresh("first"));
        let filter = format!("$share/g/{topic}");
        let mut away = Client::with(broker, &Connect::persistent(V5, &id));
        away.subscribe(&filter, 1);
        let mut here = Client::connect(broker, V5, &fresh("first"));
        here.subscribe(&filter, 1);
        away.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("first-p"));
        for index in 0..6 {
            publisher.publish(&topic, index.to_string(), 1);
            here.receive_this(&topic, index.to_string(), 1);
        }
    });
}

#[test]
fn a_group_with_no_member_connected_queues() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("away"), fresh("away"));
        let mut away = Client::with(broker, &Connect::persistent(V5, &id));
        away.subscribe(&format!("$share/g/{topic}"), 1);
        away.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("away-p"));
        publisher.publish(&topic, "kept for it", 1);
        let mut back = Client::with(broker, &Connect::persistent(V5, &id));
        back.receive_this(&topic, "kept for it", 1);
    });
}

#[test]
fn c7_shared_and_plain_subscriptions_do_not_touch_each_other() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("c7");
        let shared = format!("$share/g/{topic}");
        let mut publisher = Client::connect(broker, V5, &fresh("c7-p"));
        for _ in 0..300 {
            let mut client = Client::connect(broker, V5, &fresh("c7"));
            client.subscribe(&shared, 1);
            assert_eq!(client.unsubscribe(&topic), 0x11);
            publisher.publish(&topic, "shared", 1);
            client.receive_this(&topic, "shared", 1);
            assert_eq!(client.unsubscribe(&shared), 0);
            client.subscribe(&topic, 1);
            assert_eq!(client.unsubscribe(&shared), 0x11);
            publisher.publish(&topic, "plain", 1);
            client.receive_this(&topic, "plain", 1);
            client.cut();
        }
        // Nothing dangles: a group of the same name starts afresh.
        let mut client = Client::connect(broker, V5, &fresh("c7"));
        client.subscribe(&shared, 1);
        for index in 0..3 {
            publisher.publish(&topic, index.to_string(), 1);
            client.receive_this(&topic, index.to_string(), 1);
        }
    });
}

/// Shows 5.0 [MQTT-3.8.3-4].
#[test]
fn c8_shared_with_no_local_is_an_error() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::connect(broker, V5, &fresh("c8"));
        client.send(subscribe(V5, 1, &[("$share/g/c8", 0x04)]));
        client.closed_for(0x82);
    });
}

#[test]
fn c8_share_names_with_wildcards_are_refused() {
    each_broker(&Options::default(), |broker| {
        for filter in ["$share/+/c8", "$share/#/c8", "$share/a+b/c8", "$share/a#/c8"] {
            let mut client = Client::connect(broker, V5, &fresh("c8"));
            client.send(subscribe(V5, 1, &[(filter, 0)]));
            assert_eq!(client.answer(0x90).codes, [0x8F], "{filter} [MQTT-4.8.2-2]");
        }
    });
}

#[test]
fn c8_a_shared_subscription_gets_nothing_retained() {
    each(&[V311, V5], |broker, version| {
        let topic = fresh("c8");
        let mut publisher = Client::connect(broker, version, &fresh("c8-p"));
        publisher.publish_retained(&topic, "kept", 1);
        let mut client = Client::connect(broker, version, &fresh("c8"));
        client.subscribe(&format!("$share/g/{topic}"), 1);
        client.quiet(&mut publisher);
        publisher.publish_retained(&topic, "", 1);
    });
}

#[test]
fn shared_subscriptions_have_identifiers() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("ident");
        let mut client = Client::connect(broker, V5, &fresh("ident"));
        let filter = format!("$share/g/{topic}");
        client.send(subscribe_with(V5, 1, &[prop::subscription_id(31)], &[(&filter, 1)]));
        assert_eq!(client.answer(0x90).codes, [1]);
        let mut publisher = Client::connect(broker, V5, &fresh("ident-p"));
        publisher.publish(&topic, "x", 1);
        assert_eq!(client.receive().properties.ints(0x0B), [31]);
    });
}

#[test]
fn c10_what_a_member_left_unacknowledged_goes_to_the_group() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("hand-back");
        let filter = format!("$share/g/{topic}");
        let mut dies = Client::connect(broker, V5, &fresh("hand-back"));
        dies.subscribe(&filter, 1);
        let mut publisher = Client::connect(broker, V5, &fresh("hand-back-p"));
        for index in 0..5 {
            publisher.publish(&topic, index.to_string(), 1);
            dies.delivery();
        }
        let mut lives = Client::connect(broker, V5, &fresh("hand-back"));
        lives.subscribe(&filter, 1);
        dies.cut();
        let mut got: Vec<String> = (0..5).map(|_| lives.receive().text().to_owned()).collect();
        got.sort();
        assert_eq!(got, ["0", "1", "2", "3", "4"]);
    });
}

#[test]
fn c10_the_queue_of_a_member_whose_session_ends_goes_to_the_others() {
    each(&[V311, V5], |broker, version| {
        for qos in [1, 2] {
            let (stem, id) = (fresh("c10"), fresh("c10"));
            let filter = format!("$share/g/{stem}/+");
            let persistent = Connect::persistent(version, &id);
            let mut away = Client::with(broker, &persistent);
            away.subscribe(&filter, qos);
            away.leave();
            let mut publisher = Client::connect(broker, version, &fresh("c10-p"));
            let topic = |index: u32| format!("{stem}/{index}");
            for index in 0..10 {
                // Nobody else is in the group yet, so all of them wait for the one away.
                publisher.publish(&topic(index), index.to_string(), qos);
            }
            let mut here = Client::connect(broker, version, &fresh("c10"));
            here.subscribe(&filter, qos);
            here.quiet(&mut publisher);
            // A clean start ends the Session.
            let mut again = Client::with(broker, &Connect::new(version, &id));
            let mut got: Vec<u32> = (0..10)
                .map(|_| {
                    let delivery = here.receive();
                    let index = delivery.text().parse().expect("a number");
                    assert_eq!((delivery.topic, delivery.qos), (topic(index), qos));
                    index
                })
                .collect();
            got.sort_unstable();
            assert_eq!(got, (0..10).collect::<Vec<u32>>());
            here.quiet(&mut publisher);
            again.ping();
        }
    });
}

#[test]
fn c10_the_queue_of_a_member_whose_session_expires_goes_to_the_others() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("c10"), fresh("c10"));
        let filter = format!("$share/g/{topic}");
        let short = Connect::new(V5, &id).clean(false).with(prop::session_expiry(1));
        let mut away = Client::with(broker, &short);
        away.subscribe(&filter, 2);
        away.leave();
        let mut publisher = Client::connect(broker, V5, &fresh("c10-p"));
        for index in 0..5 {
            publisher.publish(&topic, index.to_string(), 2);
        }
        let mut here = Client::connect(broker, V5, &fresh("c10"));
        here.subscribe(&filter, 2);
        let mut got: Vec<String> = (0..5).map(|_| here.receive().text().to_owned()).collect();
        got.sort();
        assert_eq!(got, ["0", "1", "2", "3", "4"]);
        here.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-4.8.2-4], [MQTT-4.8.2-5].
#[test]
fn c10_a_begun_exchange_at_qos_2_is_nobody_elses() {
    each_broker(&Options::default(), |broker| {
        let (topic, id) = (fresh("c10"), fresh("c10"));
        let filter = format!("$share/g/{topic}");
        let persistent = Connect::persistent(V5, &id);
        let mut begins = Client::with(broker, &persistent);
        begins.subscribe(&filter, 2);
        let mut publisher = Client::connect(broker, V5, &fresh("c10-p"));
        publisher.publish(&topic, "begun", 2);
        let begun = begins.delivery();
        let mut other = Client::connect(broker, V5, &fresh("c10"));
        other.subscribe(&filter, 2);
        begins.cut();
        // While the Session lives, it is this client that gets the message again [MQTT-4.8.2-4].
        let mut begins = Client::with(broker, &persistent);
        let again = begins.delivery();
        assert_eq!((again.id, again.dup, again.text()), (begun.id, true, "begun"));
        other.quiet(&mut publisher);
        begins.cut();
        let _clean = Client::connect(broker, V5, &id);
        other.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-4.8.2-6].
#[test]
fn a_message_that_a_member_refuses_goes_to_nobody_else() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("refuse");
        let filter = format!("$share/g/{topic}");
        let mut refuses = Client::connect(broker, V5, &fresh("refuse"));
        refuses.subscribe(&filter, 2);
        let mut publisher = Client::connect(broker, V5, &fresh("refuse-p"));
        for (qos, answer) in [(1, 0x40), (2, 0x50)] {
            publisher.publish(&topic, "unwanted", qos);
            let delivery = refuses.delivery();
            let mut other = Client::connect(broker, V5, &fresh("refuse"));
            other.subscribe(&filter, 2);
            refuses.send(acknowledge(answer, delivery.id, 0x83, &[]));
            refuses.ping();
            other.quiet(&mut publisher);
            other.leave();
        }
        // Nor when the member that refused it leaves.
        let mut other = Client::connect(broker, V5, &fresh("refuse"));
        other.subscribe(&filter, 2);
        refuses.leave();
        other.quiet(&mut publisher);
    });
}

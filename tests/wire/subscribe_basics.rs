//! SUBSCRIBE and UNSUBSCRIBE: what is granted, what is refused, and what ends the connection.

use crate::support::broker::{Broker, Options, each, each_broker};
use crate::support::bytes::{
    Connect, Publish, packet, prop, subscribe, subscribe_with, text, unsubscribe,
};
use crate::support::client::Client;
use crate::support::{ALL, Scope, Version, fresh};
use Version::{V5, V31, V311};

/// Shows 5.0 [MQTT-2.2.1-6], [MQTT-3.8.4-1], [MQTT-3.8.4-2], [MQTT-3.8.4-5], [MQTT-3.8.4-6],
/// [MQTT-3.8.4-7], [MQTT-3.9.3-1], [MQTT-3.9.3-2]; 3.1.1 [MQTT-2.3.1-7], [MQTT-3.8.4-1],
/// [MQTT-3.8.4-2], [MQTT-3.8.4-4], [MQTT-3.8.4-5], [MQTT-3.9.3-1].
#[test]
fn suback_has_one_code_for_each_filter_in_order() {
    each(&ALL, |broker, version| {
        let mut client = Client::connect(broker, version, &fresh("suback"));
        let filters = [("a/1", 2), ("a/+", 0), ("a/#", 1), ("#", 2), ("a/1", 0)];
        client.send(subscribe(version, 0xABCD, &filters));
        let answer = client.answer(0x90);
        assert_eq!((answer.id, answer.codes), (0xABCD, vec![2, 0, 1, 2, 0]));
    });
}

#[test]
fn suback_of_version_3_by_its_bytes() {
    each(&[V31, V311], |broker, version| {
        let mut client = Client::connect(broker, version, &fresh("suback"));
        client.send(b"\x82\x0E\x00\x01\x00\x03a/b\x01\x00\x03c/d\x02");
        client.expect(b"\x90\x04\x00\x01\x01\x02");
        client.send(b"\xA2\x07\x00\x02\x00\x03a/b");
        client.expect(b"\xB0\x02\x00\x02");
    });
}

/// Shows 5.0 [MQTT-3.8.4-3]; 3.1.1 [MQTT-3.8.4-3].
#[test]
fn a_second_subscription_to_a_filter_replaces_the_first() {
    each(&ALL, |broker, version| {
        let topic = fresh("replace");
        let mut client = Client::connect(broker, version, &fresh("replace"));
        let mut publisher = Client::connect(broker, version, &fresh("replace-p"));
        for qos in [2, 0, 1] {
            client.subscribe(&topic, qos);
            publisher.publish(&topic, "x", 2);
            client.receive_this(&topic, "x", qos);
            client.ping();
        }
        client.unsubscribe(&topic);
        publisher.publish(&topic, "x", 2);
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-2.2.1-6], [MQTT-3.10.4-1], [MQTT-3.10.4-4], [MQTT-3.10.4-5], [MQTT-3.10.4-6],
/// [MQTT-3.11.3-1], [MQTT-3.11.3-2].
#[test]
fn unsuback_says_what_was_subscribed() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::connect(broker, V5, &fresh("unsuback"));
        client.subscribe("un/a", 0);
        client.subscribe("un/+", 1);
        client.send(unsubscribe(V5, 9, &["un/a", "un/never", "un/+", "un/a"]));
        let answer = client.answer(0xB0);
        assert_eq!((answer.id, answer.codes), (9, vec![0, 0x11, 0, 0x11]));
        // A filter is compared as text: a wildcard removes nothing it would match.
        client.subscribe("un/a", 0);
        assert_eq!(client.unsubscribe("un/#"), 0x11);
        assert_eq!(client.unsubscribe("un/a"), 0);
    });
}

/// Shows 5.0 [MQTT-3.10.4-1], [MQTT-3.10.4-2]; 3.1.1 [MQTT-3.10.4-1], [MQTT-3.10.4-2].
#[test]
fn unsubscribing_leaves_the_rest_alone() {
    each(&ALL, |broker, version| {
        let stem = fresh("rest");
        let mut client = Client::connect(broker, version, &fresh("rest"));
        let mut other = Client::connect(broker, version, &fresh("rest"));
        client.subscribe(&format!("{stem}/a"), 0);
        client.subscribe(&format!("{stem}/b"), 0);
        other.subscribe(&format!("{stem}/a"), 0);
        client.unsubscribe(&format!("{stem}/a"));
        let mut publisher = Client::connect(broker, version, &fresh("rest-p"));
        publisher.publish(&format!("{stem}/a"), "x", 1);
        publisher.publish(&format!("{stem}/b"), "y", 1);
        client.receive_this(&format!("{stem}/b"), "y", 0);
        other.receive_this(&format!("{stem}/a"), "x", 0);
    });
}

fn ends(broker: &Broker, version: Version, bytes: &[u8], reasons: &[u8], what: &str) {
    let _scope = Scope(what.into());
    let mut client = Client::connect(broker, version, &fresh("ends"));
    client.send(bytes);
    client.closed_for_any(reasons);
}

/// Shows 5.0 [MQTT-3.8.3-2], [MQTT-3.10.3-2]; 3.1.1 [MQTT-3.8.3-3], [MQTT-3.10.3-2].
#[test]
fn packets_without_a_filter() {
    each(&ALL, |broker, version| {
        ends(broker, version, &subscribe(version, 1, &[]), &[0x81, 0x82], "SUBSCRIBE");
        ends(broker, version, &unsubscribe(version, 1, &[]), &[0x81, 0x82], "UNSUBSCRIBE");
    });
}

/// Shows 5.0 [MQTT-3.8.3-5]; 3.1.1 [MQTT-3.8.3-4].
#[test]
fn options_that_do_not_exist() {
    each(&ALL, |broker, version| {
        let with = |options| subscribe(version, 1, &[("opt/ions", options)]);
        ends(broker, version, &with(3), &[0x81, 0x82], "QoS 3");
        if version == V5 {
            ends(broker, version, &with(0x30), &[0x81, 0x82], "Retain Handling 3");
            ends(broker, version, &with(0x40), &[0x81], "reserved bit 6");
            ends(broker, version, &with(0x80), &[0x81], "reserved bit 7");
        } else if version == V311 {
            ends(broker, version, &with(0x04), &[0x81], "No Local");
            ends(broker, version, &with(0x80), &[0x81], "reserved bit 7");
        }
    });
}

/// Shows 5.0 [MQTT-3.8.3-1], [MQTT-3.10.3-1], [MQTT-4.7.3-2]; 3.1.1 [MQTT-3.8.3-1],
/// [MQTT-3.10.3-1], [MQTT-4.7.3-2].
#[test]
fn filters_that_are_no_text_or_too_long() {
    each(&ALL, |broker, version| {
        let none: &[u8] = if version == V5 { &[0] } else { &[] };
        let wrong: [&[u8]; 3] = [b"a\x00b", b"\xFF", b"\xED\xBF\xBF"];
        for filter in wrong {
            let bytes = packet(0x82, &[&[0, 1], none, &text(filter), &[0]]);
            ends(broker, version, &bytes, &[0x81, 0x82], "SUBSCRIBE");
            let bytes = packet(0xA2, &[&[0, 1], none, &text(filter)]);
            ends(broker, version, &bytes, &[0x81, 0x82], "UNSUBSCRIBE");
        }
        let bytes = packet(0x82, &[&[0, 1], none, &[0x00, 0x20], b"short", &[0]]);
        ends(broker, version, &bytes, &[0x81], "a filter longer than the packet");
        let bytes = packet(0x82, &[&[0, 1], none, &text("no/options")]);
        ends(broker, version, &bytes, &[0x81], "a filter without options");
    });
}

/// Subscribing to these fails on its own account, and other filters of the packet do not.
fn refused(broker: &Broker, version: Version, filter: &str) {
    let _scope = Scope(format!("filter {:?}", &filter[..filter.len().min(40)]));
    let mut client = Client::connect(broker, version, &fresh("refused"));
    let good = fresh("good");
    client.send(subscribe(version, 1, &[(filter, 0), (&good, 1)]));
    let failure = if version == V5 { 0x8F } else { 0x80 };
    assert_eq!(client.answer(0x90).codes, [failure, 1]);
    client.send(Publish::new(version, &good, "x").bytes());
    client.receive_this(&good, "x", 0);
}

/// Shows 5.0 [MQTT-3.9.3-2], [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1]; 3.1.1 [MQTT-3.9.3-2],
/// [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.3-1].
#[test]
fn filters_with_misplaced_wildcards() {
    each(&[V311, V5], |broker, version| {
        for filter in ["", "a/#/b", "#/", "a#", "a/b#", "+a", "a+", "a/b+/c", "a/+b/c", "##", "++"]
        {
            refused(broker, version, filter);
        }
    });
}

/// Shows 5.0 [MQTT-4.8.2-1], [MQTT-4.8.2-2].
#[test]
fn a10_share_without_a_filter_or_a_sound_name() {
    each(&[V311, V5], |broker, version| {
        for filter in
            ["$share", "$share/", "$share/g", "$share/g/", "$share//t", "$share/g+/t", "$share/#/t"]
        {
            refused(broker, version, filter);
        }
    });
}

#[test]
fn a10_subscribing_to_dollar_topics() {
    each(&ALL, |broker, version| {
        for filter in ["$foo", "$", "$CONTROL/x", "$SYS/x", "$shared/g/t", "$share2"] {
            let mut client = Client::connect(broker, version, &fresh("a10"));
            client.send(subscribe(version, 1, &[(filter, 0)]));
            // $CONTROL may be kept from clients; nothing here may end the connection.
            assert_eq!(client.answer(0x90).codes.len(), 1);
            client.ping();
        }
    });
}

#[test]
fn a7_filters_of_too_many_levels() {
    each(&[V311, V5], |broker, version| {
        refused(broker, version, &"/".repeat(65_535));
        refused(broker, version, &"+/".repeat(32_767));
        refused(broker, version, &vec!["l"; 202].join("/"));
        let mut client = Client::connect(broker, version, &fresh("a7"));
        assert_eq!(client.subscribe(&vec!["+"; 200].join("/"), 1), 1);
        assert_eq!(client.unsubscribe(&vec!["+"; 200].join("/")), 0);
    });
}

#[test]
fn a7_unsubscribing_from_a_filter_of_slashes_only() {
    each(&ALL, |broker, version| {
        let mut client = Client::connect(broker, version, &fresh("a7"));
        let mut other = Client::connect(broker, version, &fresh("a7"));
        client.send(unsubscribe(version, 1, &[&"/".repeat(65_535)]));
        if let Some(packet) = client.try_packet() {
            match packet.first {
                0xB0 => assert_eq!(packet.answer(0xB0, version).id, 1),
                _ => assert!([0x8F, 0x90].contains(&packet.disconnect().0)),
            }
        }
        other.ping();
    });
}

#[test]
fn properties_of_other_packets() {
    each_broker(&Options::default(), |broker| {
        for (name, property) in prop::every() {
            let list = [property.clone()];
            if name != "User Property" && name != "Subscription Identifier" {
                let bytes = subscribe_with(V5, 1, &list, &[("p/q", 0)]);
                ends(broker, V5, &bytes, &[0x81, 0x82], &format!("SUBSCRIBE, {name}"));
            }
            if name != "User Property" {
                let length = [property.len() as u8];
                let bytes = packet(0xA2, &[&[0, 1], &length, &property, &text("p/q")]);
                ends(broker, V5, &bytes, &[0x81, 0x82], &format!("UNSUBSCRIBE, {name}"));
            }
        }
    });
}

/// Shows 5.0 [MQTT-3.8.4-5], [MQTT-3.10.4-6]; 3.1.1 [MQTT-3.8.4-4], [MQTT-3.10.4-6].
#[test]
fn a_thousand_filters_in_one_packet() {
    each(&ALL, |broker, version| {
        let stem = fresh("many");
        let names: Vec<String> = (0..1000).map(|index| format!("{stem}/{index}")).collect();
        let filters: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let mut client = Client::connect(broker, version, &fresh("many"));
        client.send(subscribe(version, 1, &filters));
        assert_eq!(client.answer(0x90).codes, vec![1; 1000]);
        let mut publisher = Client::connect(broker, version, &fresh("many-p"));
        publisher.publish(&names[999], "last", 1);
        client.receive_this(&names[999], "last", 1);
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        client.send(unsubscribe(version, 2, &all));
        assert_eq!(client.answer(0xB0).id, 2);
        publisher.publish(&names[999], "none", 1);
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-3.10.4-2], [MQTT-3.10.4-3]; 3.1.1 [MQTT-3.10.4-2], [MQTT-3.10.4-3].
#[test]
fn a_begun_delivery_is_completed_after_unsubscribe() {
    each(&ALL, |broker, version| {
        let (topic, id) = (fresh("begun"), fresh("begun"));
        let persistent = Connect::persistent(version, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, version, &fresh("begun-p"));
        publisher.publish(&topic, "at 1", 1);
        publisher.publish(&topic, "at 2", 2);
        let open = [client.delivery(), client.delivery()];
        client.unsubscribe(&topic);
        publisher.publish(&topic, "too late", 1);
        // Also across connections: what was begun is sent again, and ends as if nothing were.
        client.cut();
        let mut client = Client::with(broker, &persistent);
        for begun in &open {
            let again = client.receive();
            assert_eq!((again.id, again.dup, again.text()), (begun.id, true, begun.text()));
        }
        client.quiet(&mut publisher);
    });
}

/// Shows 5.0 [MQTT-3.10.4-5]; 3.1.1 [MQTT-3.10.4-5].
#[test]
fn unsuback_comes_though_nothing_was_subscribed() {
    each(&ALL, |broker, version| {
        let mut client = Client::connect(broker, version, &fresh("never"));
        client.send(unsubscribe(version, 0x0102, &["never/this", "nor/that"]));
        let answer = client.answer(0xB0);
        let codes = if version == V5 { vec![0x11, 0x11] } else { vec![] };
        assert_eq!((answer.id, answer.codes), (0x0102, codes));
    });
}

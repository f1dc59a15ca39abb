//! Retained Messages to a new subscription, from all shards.

use std::collections::HashMap;

use pondhawk::shard::memory::{Memory, Wire};

use crate::client::{broker, client3, packets, publish3, publishes3, subscribe3, subscribed3};

/// Goal: a wildcard subscription gets every Retained Message of every shard, once.
#[test]
fn every_retained_message_of_every_shard_comes_once() {
    let mut broker = broker(4);
    let publisher = client3(&mut broker, 0, "publisher");
    for n in 0..1_000 {
        broker.send(publisher, &publish3(&format!("r/{n}"), 0, true, 0, b"v"));
    }
    broker.settle();
    let subscriber = client3(&mut broker, 2, "subscriber");
    broker.send(subscriber, &subscribe3("r/#", 0));
    broker.settle();
    let got = publishes3(&broker.receive(subscriber));
    let mut seen = HashMap::new();
    for (topic, _) in &got {
        *seen.entry(topic.clone()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 1_000);
    assert!(seen.values().all(|count| *count == 1));
}

/// Goal: with a small window, replay goes on as acknowledgements come, and none counts against
/// the queue's limit.
#[test]
fn a_replay_at_qos_1_follows_the_window() {
    let mut broker = broker(2);
    let publisher = client3(&mut broker, 0, "publisher");
    for n in 0..3_000u32 {
        let id = (n % 60_000) as u16 + 1;
        broker.send(publisher, &publish3(&format!("r/{n}"), 1, true, id, b"v"));
        broker.settle();
    }
    broker.receive(publisher);
    let subscriber = client3(&mut broker, 1, "subscriber");
    broker.send(subscriber, &subscribe3("r/#", 1));
    let mut total = 0;
    loop {
        broker.settle();
        let bytes = broker.receive(subscriber);
        let ids: Vec<[u8; 2]> = crate::client::packets(&bytes)
            .into_iter()
            .filter(|(first, _)| first >> 4 == 3)
            .map(|(_, body)| {
                let at = 2 + usize::from(body[1]);
                [body[at], body[at + 1]]
            })
            .collect();
        if ids.is_empty() {
            break;
        }
        assert!(ids.len() <= 20, "the window holds");
        total += ids.len();
        for id in ids {
            broker.send(subscriber, &[0x40, 2, id[0], id[1]]);
        }
    }
    assert_eq!(total, 3_000);
}

/// Goal: a live value that overtakes the replay is not followed by the older retained one.
#[test]
fn no_old_value_follows_a_newer_one() {
    for shard in 0..4 {
        let mut broker = broker(4);
        let publisher = client3(&mut broker, shard, "publisher");
        for n in 0..500 {
            broker.send(publisher, &publish3(&format!("r/{n}"), 0, true, 0, b"old"));
        }
        broker.settle();
        let subscriber = client3(&mut broker, 3, "subscriber");
        broker.send(subscriber, &subscribe3("r/#", 0));
        // The replay has begun; nothing of the last shard's store has come yet.
        for n in 0..500 {
            broker.send(publisher, &publish3(&format!("r/{n}"), 0, true, 0, b"new"));
        }
        broker.settle();
        let mut last = HashMap::new();
        for (topic, payload) in publishes3(&broker.receive(subscriber)) {
            let before = last.insert(topic.clone(), payload.clone());
            assert!(
                !(before.as_deref() == Some("new") && payload == "old"),
                "{topic}: old after new"
            );
        }
        assert_eq!(last.len(), 500);
        assert!(last.values().all(|payload| payload == "new"));
    }
}

/// Goal: nothing of a subscription follows its UNSUBACK.
#[test]
fn unsubscribing_ends_the_replay() {
    let mut broker = broker(2);
    let publisher = client3(&mut broker, 0, "publisher");
    for n in 0..500 {
        broker.send(publisher, &publish3(&format!("r/{n}"), 1, true, n + 1, b"v"));
        broker.settle();
    }
    let subscriber = client3(&mut broker, 1, "subscriber");
    broker.send(subscriber, &subscribe3("r/#", 1));
    broker.settle();
    broker.receive(subscriber);
    broker
        .send(subscriber, &crate::client::packet(0xA2, &[&[0, 1], &crate::client::string("r/#")]));
    broker.settle();
    let received = broker.receive(subscriber);
    assert_eq!(received, [0xB0, 2, 0, 1]);
    for id in 1..=20 {
        broker.send(subscriber, &[0x40, 2, 0, id]);
    }
    broker.settle();
    assert_eq!(broker.receive(subscriber), [] as [u8; 0]);
}

/// Goal: a message without RETAIN that comes while Retained Messages are on their way leaves the
/// one of its topic as new as it was [MQTT-3.3.1-9].
#[test]
fn an_ordinary_message_does_not_hide_the_retained_one() {
    let mut broker = broker(2);
    let publisher = client3(&mut broker, 0, "publisher");
    for n in 0..16 {
        broker.send(publisher, &publish3(&format!("r/{n}"), 0, true, 0, b"kept"));
    }
    broker.settle();
    let subscriber = client3(&mut broker, 1, "subscriber");
    let other = client3(&mut broker, 1, "other");
    broker.send(subscriber, &subscribe3("r/+", 0));
    broker.turn(1);
    for n in 0..16 {
        broker.send(other, &publish3(&format!("r/{n}"), 0, false, 0, b"news"));
    }
    broker.settle();
    let got = publishes3(&broker.receive(subscriber));
    for n in 0..16 {
        let of_topic = got.iter().filter(|(topic, _)| *topic == format!("r/{n}"));
        let mut payloads: Vec<&str> = of_topic.map(|(_, payload)| payload.as_str()).collect();
        payloads.sort_unstable();
        assert_eq!(payloads, ["kept", "news"], "r/{n}");
    }
}

/// Goal: a live change spares the Client the older value for the subscriptions it had, not for
/// one that it makes later while the earlier one's Retained Messages are still on their way.
#[test]
fn a_later_subscription_is_sent_what_an_earlier_one_was_spared() {
    let mut broker = broker(1);
    let publisher = client3(&mut broker, 0, "publisher");
    for n in 0..40u16 {
        broker.send(publisher, &publish3(&format!("r/{n}"), 1, true, n + 1, b"old"));
    }
    broker.settle();
    let subscriber = client3(&mut broker, 0, "subscriber");
    // Nothing is acknowledged, so the window closes before the last topic, r/9.
    broker.send(subscriber, &subscribe3("r/+", 1));
    broker.settle();
    broker.send(publisher, &publish3("r/9", 0, true, 0, b"new"));
    broker.send(subscriber, &subscribe3("r/9", 1));
    let mut of_9 = Vec::new();
    loop {
        broker.settle();
        let bytes = broker.receive(subscriber);
        if bytes.is_empty() {
            break;
        }
        of_9.extend(publishes3(&bytes).into_iter().filter(|one| one.0 == "r/9").map(|one| one.1));
        acknowledge(&mut broker, subscriber, &bytes);
    }
    assert_eq!(of_9, ["new", "new"], "once live, once for the second subscription");
}

/// Acknowledges each PUBLISH at QoS 1 among these bytes.
fn acknowledge(broker: &mut Memory, subscriber: Wire, bytes: &[u8]) {
    for (first, body) in packets(bytes) {
        if first >> 4 == 3 && first & 6 != 0 {
            let at = 2 + usize::from(body[1]);
            broker.send(subscriber, &[0x40, 2, body[at], body[at + 1]]);
        }
    }
}

/// Goal: a message that waited in the queue since before the subscription was made, and that a
/// later one of its topic has passed meanwhile, does not count as newer than what is stored.
#[test]
fn an_older_message_from_the_queue_does_not_hide_the_retained_one() {
    let mut broker = broker(1);
    let publisher = client3(&mut broker, 0, "publisher");
    broker.send(publisher, &publish3("first", 1, true, 1, b"kept"));
    let subscriber = client3(&mut broker, 0, "subscriber");
    subscribed3(&mut broker, subscriber, "+/#", 1);
    for n in 0..20 {
        broker.send(publisher, &publish3("filling", 1, false, n + 2, b"f"));
    }
    broker.settle();
    let held = broker.receive(subscriber); // The window is closed now.
    broker.send(publisher, &publish3("t", 1, true, 30, b"old")); // Waits in the queue.
    broker.send(publisher, &publish3("t", 0, true, 0, b"new")); // Does not wait.
    broker.send(subscriber, &subscribe3("first", 1)); // Its replay waits for the window.
    broker.send(subscriber, &subscribe3("t", 0));
    let mut of_t = Vec::new();
    let mut bytes = held;
    while !bytes.is_empty() {
        of_t.extend(publishes3(&bytes).into_iter().filter(|one| one.0 == "t").map(|one| one.1));
        acknowledge(&mut broker, subscriber, &bytes);
        broker.settle();
        bytes = broker.receive(subscriber);
    }
    assert_eq!(of_t, ["new", "old", "new"], "twice live, once for the subscription");
}

//! Retained Messages to a new subscription, from all shards.

use std::collections::HashMap;

use crate::client::{broker, client3, publish3, publishes3, subscribe3};

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

//! Order of one publisher's messages of one topic, and of retained changes, across shards.

use crate::client::{broker, client3, publish3, publishes3, subscribed3};

/// Retained messages take the way of their topic's owner. Goal: messages that follow them on the
/// same topic do not overtake. Method: a publisher on each shard mixes retained and ordinary
/// messages; shards take their turns in an unfavourable order.
#[test]
fn ordinary_messages_do_not_overtake_retained_ones() {
    for publisher_shard in 0..4 {
        let mut broker = broker(4);
        let publisher = client3(&mut broker, publisher_shard, "publisher");
        let subscribers: Vec<_> = (0..4)
            .map(|shard| {
                let wire = client3(&mut broker, shard, &format!("subscriber-{shard}"));
                subscribed3(&mut broker, wire, "t/+", 0);
                wire
            })
            .collect();
        for n in 0..40 {
            let retain = n % 3 == 0;
            let bytes = publish3(&format!("t/{}", n % 2), 0, retain, 0, n.to_string().as_bytes());
            broker.send(publisher, &bytes);
            if n % 5 == 0 {
                broker.turn(publisher_shard);
            }
            if n % 7 == 0 {
                broker.turn((publisher_shard + 1) % 4);
            }
        }
        broker.settle();
        for wire in subscribers {
            let got = publishes3(&broker.receive(wire));
            assert_eq!(got.len(), 40);
            for parity in ["t/0", "t/1"] {
                let numbers: Vec<u32> = got
                    .iter()
                    .filter(|(topic, _)| topic == parity)
                    .map(|(_, payload)| payload.parse().expect("a number"))
                    .collect();
                assert!(numbers.is_sorted(), "{parity}: {numbers:?}");
            }
        }
    }
}

/// Two publishers race retained changes of one topic. Goal: every subscriber's last value is the
/// value that a later subscriber gets.
#[test]
fn c14_the_last_value_seen_is_the_value_retained() {
    for seed in 0..200u16 {
        let mut broker = broker(4);
        let first = client3(&mut broker, seed % 4, "a");
        let second = client3(&mut broker, (seed / 4) % 4, "b");
        let watchers: Vec<_> = (0..4)
            .map(|shard| {
                let wire = client3(&mut broker, shard, &format!("w{shard}"));
                subscribed3(&mut broker, wire, "race", 0);
                wire
            })
            .collect();
        for n in 0..6u16 {
            broker.send(first, &publish3("race", 0, true, 0, format!("a{n}").as_bytes()));
            broker.turn((seed >> (n % 8)) % 4);
            broker.send(second, &publish3("race", 0, true, 0, format!("b{n}").as_bytes()));
            broker.turn((seed >> (n % 5)) % 4);
        }
        broker.settle();
        let late = client3(&mut broker, 0, "late");
        subscribed_late(&mut broker, late);
        let kept = publishes3(&broker.receive(late));
        assert_eq!(kept.len(), 1);
        for wire in watchers {
            let seen = publishes3(&broker.receive(wire));
            assert_eq!(seen.len(), 12);
            assert_eq!(seen.last().map(|one| &one.1), Some(&kept[0].1), "seed {seed}");
        }
    }
}

fn subscribed_late(
    broker: &mut pondhawk::shard::memory::Memory,
    wire: pondhawk::shard::memory::Wire,
) {
    broker.send(wire, &crate::client::subscribe3("race", 0));
    broker.settle();
}

//! Shared subscriptions across shards.

use crate::client::{broker, client3, connect3, publish3, publishes3, subscribed3};

/// Goal: each message goes to exactly one member, and members on all shards get their share.
#[test]
fn members_on_all_shards_share_the_messages() {
    let mut broker = broker(4);
    let members: Vec<_> = (0..8)
        .map(|n| {
            let wire = client3(&mut broker, n % 4, &format!("member-{n}"));
            subscribed3(&mut broker, wire, "$share/g/t/#", 0);
            wire
        })
        .collect();
    let publisher = client3(&mut broker, 0, "publisher");
    for n in 0..800 {
        broker.send(publisher, &publish3(&format!("t/{n}"), 0, false, 0, b"x"));
    }
    broker.settle();
    let counts: Vec<usize> =
        members.iter().map(|wire| publishes3(&broker.receive(*wire)).len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 800);
    assert!(counts.iter().all(|count| (80..=120).contains(count)), "{counts:?}");
}

/// Goal: what a member did not take before its session ended goes to the others, once each.
#[test]
fn c10_a_departed_members_messages_go_to_the_others() {
    let mut broker = broker(3);
    let stays = client3(&mut broker, 0, "stays");
    subscribed3(&mut broker, stays, "$share/g/t", 1);
    let leaves = broker.connect(1);
    broker.send(leaves, &connect3("leaves", true));
    broker.settle();
    subscribed_quietly(&mut broker, leaves);
    let publisher = client3(&mut broker, 2, "publisher");
    for n in 0..30u16 {
        broker.send(publisher, &publish3("t", 1, false, n + 1, n.to_string().as_bytes()));
        broker.settle();
    }
    // Neither acknowledges anything; then one's session ends.
    broker.cut(leaves);
    broker.settle();
    let mut got = acknowledge_all(&mut broker, stays);
    got.sort_unstable();
    assert_eq!(got, (0..30).collect::<Vec<u32>>());
}

fn subscribed_quietly(
    broker: &mut pondhawk::shard::memory::Memory,
    wire: pondhawk::shard::memory::Wire,
) {
    broker.send(wire, &crate::client::subscribe3("$share/g/t", 1));
    broker.settle();
}

fn acknowledge_all(
    broker: &mut pondhawk::shard::memory::Memory,
    wire: pondhawk::shard::memory::Wire,
) -> Vec<u32> {
    let mut got = Vec::new();
    loop {
        let bytes = broker.receive(wire);
        if bytes.is_empty() {
            return got;
        }
        for (_, payload) in publishes3(&bytes) {
            got.push(payload.parse().expect("a number"));
        }
        for (first, body) in crate::client::packets(&bytes) {
            if first >> 4 == 3 {
                broker.send(wire, &[0x40, 2, body[3], body[4]]);
            }
        }
        broker.settle();
    }
}

//! A subscriber to `#` that reads slowly is sent every Retained Message, and they cost a page.

use crate::ledger::Holding;
use crate::support::Version::V311;
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::bytes::{Connect, Publish, subscribe};
use crate::support::client::{Bystanders, Client};

/// Messages that the publisher has unacknowledged.
const WINDOW: u32 = 10;

/// Bytes of each message.
const SIZE: usize = 100;

/// What the broker may take for one that does not read: the socket's buffer is the kernel's, the
/// rest is a page of messages for each shard and the output buffer.
const COST: u64 = 4 << 20;

/// Sets, or with an empty payload removes, the Retained Message of each topic.
fn store(publisher: &mut Client, count: u32, size: usize) {
    let numbers: Vec<u32> = (0..count).collect();
    for chunk in numbers.chunks(WINDOW as usize) {
        let mut bytes = Vec::new();
        for (at, number) in chunk.iter().enumerate() {
            let payload = vec![b'.'; size];
            let publish = Publish::new(V311, &format!("kept/{number}"), payload).retain();
            bytes.extend(publish.qos(1, 1 + at as u16).bytes());
        }
        publisher.send(bytes);
        for _ in chunk {
            publisher.answer(0x40);
        }
    }
}

fn scenario(broker: &Broker, count: u32) {
    let mut others = Bystanders::new(broker);
    others.exchange();
    let mut publisher = Client::connect(broker, V311, "keeper");
    let start = Holding::now(broker);
    store(&mut publisher, count, SIZE);
    let peak = Holding::now(broker);
    store(&mut publisher, count, 0);
    start.is_back(broker, &format!("{count} Retained Messages removed"), peak);
    store(&mut publisher, count, SIZE);
    let stored = Holding::now(broker);
    let mut slow = Client::open_narrow(broker, V311, 4096);
    slow.send(Connect::new(V311, "slow").bytes());
    assert_eq!(slow.connack().code, 0);
    slow.send(subscribe(V311, 1, &[("#", 1)]));
    while slow.packet().first != 0x90 {}
    let mut most = stored.memory;
    let mut seen = vec![false; count as usize];
    let mut left = count;
    while left > 0 {
        let delivery = slow.receive();
        let Some(number) = delivery.topic.strip_prefix("kept/") else {
            continue;
        };
        assert!(delivery.retain, "{delivery:?}");
        let number: usize = number.parse().expect("a number");
        assert!(!std::mem::replace(&mut seen[number], true), "{number} came twice");
        left -= 1;
        // Others go on, and their messages reach the slow one in between.
        if left.is_multiple_of(500) {
            others.exchange();
            most = most.max(broker.memory());
        }
    }
    assert!(most < stored.memory + COST, "{stored:?}, {most} while they were sent");
    slow.leave();
    let peak = Holding { memory: most, ..stored };
    stored.is_back(broker, &format!("{count} Retained Messages were sent"), peak);
    store(&mut publisher, count, 0);
    start.is_back(broker, &format!("{count} Retained Messages removed again"), peak);
    others.exchange();
}

#[test]
fn a_slow_subscriber_gets_every_retained_message() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &Options::default()), 4000);
    }
}

#[test]
#[ignore = "long; it is run for its figures"]
fn retained_to_a_slow_subscriber() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &Options::default()), 100_000);
    }
}

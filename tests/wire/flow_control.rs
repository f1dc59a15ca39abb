//! Receive Maximum, in-flight windows and queue limits.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each, each_broker, each_own_broker};
use crate::support::bytes::{Connect, Publish, prop, puback, pubcomp, pubrec, pubrel};
use crate::support::client::Client;
use crate::support::{ALL, each_version, fresh};

/// Shows 5.0 [MQTT-3.3.4-9], [MQTT-4.4.0-1], [MQTT-4.9.0-1], [MQTT-4.9.0-2].
#[test]
fn the_broker_keeps_to_the_receive_maximum() {
    each_broker(&Options::default(), |broker| {
        for qos in [1, 2] {
            let topic = fresh("window");
            let connect = Connect::new(V5, &fresh("window")).with(prop::receive_maximum(3));
            let mut client = Client::with(broker, &connect);
            client.subscribe(&topic, qos);
            let mut publisher = Client::connect(broker, V5, &fresh("window-p"));
            for index in 0..10 {
                publisher.publish(&topic, index.to_string(), qos);
            }
            let mut open: Vec<_> = (0..3).map(|_| client.delivery()).collect();
            client.quiet(&mut publisher);
            for next in 3..10 {
                let oldest = open.remove(0);
                if qos == 1 {
                    client.send(puback(oldest.id));
                } else {
                    client.send(pubrec(oldest.id));
                    client.released(oldest.id);
                    // A place is free only when the whole exchange is over.
                    client.ping();
                    client.send(pubcomp(oldest.id));
                }
                let delivery = client.delivery();
                assert_eq!(delivery.text(), next.to_string());
                open.push(delivery);
                client.ping();
            }
        }
    });
}

/// Shows 5.0 [MQTT-3.3.4-10], [MQTT-4.9.0-3].
#[test]
fn the_window_does_not_hold_qos_0_back() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("zero");
        let connect = Connect::new(V5, &fresh("zero")).with(prop::receive_maximum(1));
        let mut client = Client::with(broker, &connect);
        client.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, V5, &fresh("zero-p"));
        publisher.publish(&topic, "first", 1);
        publisher.publish(&topic, "second", 1);
        let first = client.delivery();
        publisher.publish(&topic, "at once", 0);
        client.receive_this(&topic, "at once", 0);
        client.acknowledge(&first);
        client.receive_this(&topic, "second", 1);
    });
}

#[test]
fn without_a_receive_maximum_the_servers_window_counts() {
    each(&ALL, |broker, version| {
        let topic = fresh("twenty");
        let mut client = Client::connect(broker, version, &fresh("twenty"));
        client.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, version, &fresh("twenty-p"));
        for index in 0..30 {
            publisher.publish(&topic, index.to_string(), 1);
        }
        let open: Vec<_> = (0..20).map(|_| client.delivery()).collect();
        client.quiet(&mut publisher);
        for delivery in &open {
            client.acknowledge(delivery);
        }
        for index in 20..30 {
            client.receive_this(&topic, index.to_string(), 1);
        }
    });
}

#[test]
fn the_servers_window_is_an_option() {
    let options = Options::default().set("max_inflight_messages", 1);
    each_broker(&options, |broker| {
        each_version(&ALL, |version| {
            let topic = fresh("one");
            let (mut client, connack) =
                Client::accepted(broker, &Connect::new(version, &fresh("one")));
            if version == V5 {
                assert_eq!(connack.properties.int(0x21), Some(1));
            }
            client.subscribe(&topic, 2);
            let mut publisher = Client::connect(broker, version, &fresh("one-p"));
            for index in 0..5 {
                publisher.publish(&topic, index.to_string(), 1 + index % 2);
            }
            for index in 0..5 {
                let delivery = client.delivery();
                assert_eq!((delivery.text(), delivery.qos), (&*index.to_string(), 1 + index % 2));
                client.ping();
                client.acknowledge(&delivery);
            }
        });
    });
}

/// Shows 5.0 [MQTT-4.6.0-6]; 3.1.1 [MQTT-4.6.0-6].
#[test]
fn the_window_in_bytes_is_an_option_and_nothing_passes_what_waits_for_it() {
    let options = Options::default().set("max_inflight_bytes", 2000);
    each_broker(&options, |broker| {
        each_version(&ALL, |version| {
            let topic = fresh("bytes");
            let mut client = Client::connect(broker, version, &fresh("bytes"));
            client.subscribe(&topic, 1);
            let mut publisher = Client::connect(broker, version, &fresh("bytes-p"));
            let long = |letter: &str| letter.repeat(1500);
            publisher.publish(&topic, long("a"), 1);
            let first = client.delivery();
            publisher.publish(&topic, long("b"), 1);
            // There is room for this one, but it is the newer.
            publisher.publish(&topic, "c", 1);
            client.quiet(&mut publisher);
            client.acknowledge(&first);
            client.receive_this(&topic, long("b"), 1);
            client.receive_this(&topic, "c", 1);
        });
    });
}

/// Shows 5.0 [MQTT-3.3.4-10], [MQTT-4.9.0-3]; 3.1.1 [MQTT-4.6.0-3].
#[test]
fn b8_bursts_of_qos_2_never_stall() {
    let options = Options::default().set("max_inflight_messages", 10).set("max_queued_messages", 0);
    each_broker(&options, |broker| {
        each_version(&[V311, V5], |version| {
            let topic = fresh("b8");
            let mut subscriber = Client::connect(broker, version, &fresh("b8-s"));
            subscriber.subscribe(&topic, 2);
            let mut publisher = Client::connect(broker, version, &fresh("b8-p"));
            for chunk in 0..100_u16 {
                let ids = chunk * 10 + 1..=chunk * 10 + 10;
                for id in ids.clone() {
                    publisher
                        .send(Publish::new(version, &topic, id.to_string()).qos(2, id).bytes());
                }
                for id in ids.clone() {
                    assert_eq!(publisher.answer(0x50).id, id);
                    publisher.send(pubrel(id));
                }
                for id in ids {
                    assert_eq!(publisher.answer(0x70).id, id);
                }
            }
            // A window at a time, step by step: its last PUBCOMP alone lets the next messages come.
            for chunk in 0..100_u16 {
                let ids: Vec<u16> = (chunk * 10 + 1..=chunk * 10 + 10)
                    .map(|number| {
                        let delivery = subscriber.delivery();
                        assert_eq!(delivery.text(), number.to_string());
                        delivery.id
                    })
                    .collect();
                subscriber.send(ids.iter().flat_map(|id| pubrec(*id)).collect::<Vec<u8>>());
                ids.iter().for_each(|id| assert_eq!(subscriber.answer(0x62).id, *id));
                subscriber.send(ids.iter().flat_map(|id| pubcomp(*id)).collect::<Vec<u8>>());
            }
        });
    });
}

fn overrun(client: &mut Client, count: u16) {
    for id in 1..=count {
        client.send(Publish::new(V5, "over/run", "x").qos(2, id).bytes());
        if id < count {
            assert_eq!(client.answer(0x50).id, id);
        }
    }
}

/// The end of an exchange that is known.
fn release(client: &mut Client, id: u16) {
    client.send(pubrel(id));
    let answer = client.answer(0x70);
    assert_eq!((answer.id, answer.codes), (id, vec![0]));
}

#[test]
fn b13_exceeding_the_receive_maximum_is_forgiven_by_default() {
    each_own_broker(&Options::default(), |broker| {
        let mut seen = Client::connect(broker, V5, &fresh("lenient-s"));
        seen.subscribe("over/run", 0);
        let ids: Vec<String> = (0..2).map(|_| fresh("lenient")).collect();
        for id in &ids {
            let mut client = Client::connect(broker, V5, id);
            overrun(&mut client, 40);
            assert_eq!(client.answer(0x50).id, 40);
            (1..=40).for_each(|id| release(&mut client, id));
            for _ in 0..40 {
                seen.receive_this("over/run", "x", 0);
            }
        }
        // Forgiven, not ignored: a warning for each connection, not for each message.
        const WARNING: &str = "has exceeded its receive-maximum quota";
        let warnings = broker.wait_log_lines(WARNING, ids.len());
        for (line, id) in warnings.iter().zip(&ids) {
            assert!(line.contains(&format!("Client {id} ")), "{line}");
        }
        let lines = broker.log_lines();
        assert_eq!(lines.iter().filter(|line| line.contains(WARNING)).count(), ids.len());
    });
}

/// Shows 5.0 [MQTT-3.3.4-7].
#[test]
fn b13_exceeding_the_receive_maximum_is_an_error_when_strict() {
    let options = Options::default().set("strict", true);
    each_broker(&options, |broker| {
        let mut client = Client::connect(broker, V5, &fresh("strict"));
        overrun(&mut client, 21);
        client.closed_for(0x93);
        // Twenty at a time are within the limit, any number of times: each PUBCOMP makes room.
        let mut client = Client::connect(broker, V5, &fresh("strict"));
        overrun(&mut client, 20);
        assert_eq!(client.answer(0x50).id, 20);
        for id in 21..=100 {
            release(&mut client, id - 20);
            client.send(Publish::new(V5, "over/run", "x").qos(2, id).bytes());
            assert_eq!(client.answer(0x50).id, id);
        }
        client.send(Publish::new(V5, "over/run", "x").qos(2, 101).bytes());
        client.closed_for(0x93);
    });
}

#[test]
fn the_receive_maximum_is_that_of_the_connection() {
    let options = Options::default().set("strict", true);
    each_broker(&options, |broker| {
        let persistent = Connect::persistent(V5, &fresh("again"));
        let mut client = Client::with(broker, &persistent);
        overrun(&mut client, 20);
        assert_eq!(client.answer(0x50).id, 20);
        client.cut();
        // Twenty exchanges are open, and twenty more may be begun.
        let mut client = Client::with(broker, &persistent);
        for id in 21..=40 {
            client.send(Publish::new(V5, "over/run", "x").qos(2, id).bytes());
            assert_eq!(client.answer(0x50).id, id);
        }
        // One that comes again is one more, since it comes on this connection,
        client.send(Publish::new(V5, "over/run", "x").qos(2, 1).dup().bytes());
        client.closed_for(0x93);
        // and takes a place, once.
        let mut client = Client::with(broker, &persistent);
        for id in [1, 1, 2].into_iter().chain(41..=58) {
            client.send(Publish::new(V5, "over/run", "x").qos(2, id).bytes());
            assert_eq!(client.answer(0x50).id, id);
        }
        client.send(Publish::new(V5, "over/run", "x").qos(2, 59).bytes());
        client.closed_for(0x93);
    });
}

#[test]
fn a_full_queue_drops_the_newest() {
    let options = Options::default().set("max_queued_messages", 10);
    each_broker(&options, |broker| {
        let (topic, id) = (fresh("full"), fresh("full"));
        let persistent = Connect::persistent(V311, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 1);
        client.leave();
        let mut publisher = Client::connect(broker, V311, &fresh("full-p"));
        for index in 0..100 {
            publisher.publish(&topic, index.to_string(), 1);
        }
        let mut client = Client::with(broker, &persistent);
        let got = client.receive_until_fence(&mut publisher);
        let kept: Vec<String> = (0..got.len()).map(|index| index.to_string()).collect();
        assert!((10..=30).contains(&got.len()), "{got:?}");
        assert_eq!(got, kept);
    });
}

/// A client that comes back after `payloads` were published at `qos` while it was away; their
/// publisher and their topic.
fn back_after(broker: &Broker, qos: u8, payloads: &[String]) -> (Client, Client, String) {
    let (topic, id) = (fresh("b12"), fresh("b12"));
    let persistent = Connect::persistent(V311, &id);
    let mut client = Client::with(broker, &persistent);
    client.subscribe(&topic, qos);
    client.leave();
    let mut publisher = Client::connect(broker, V311, &fresh("b12-p"));
    for payload in payloads {
        publisher.publish(&topic, payload, qos);
    }
    (Client::with(broker, &persistent), publisher, topic)
}

fn numbers(count: u32) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

#[test]
fn b12_zero_means_no_limit_whatever_the_other_limits_are() {
    for (messages, bytes) in [(0, 0), (0, 1_000_000), (1000, 0)] {
        for inflight in [0, 1, 20] {
            let options = Options::default()
                .set("max_queued_messages", messages)
                .set("max_queued_bytes", bytes)
                .set("max_inflight_messages", inflight)
                .set("queue_qos0_messages", true);
            each_broker(&options, |broker| {
                let all = numbers(500);
                for qos in 0..=2 {
                    let (mut client, mut publisher, topic) = back_after(broker, qos, &all);
                    for payload in &all {
                        client.receive_this(&topic, payload, qos);
                    }
                    client.quiet(&mut publisher);
                }
            });
        }
    }
}

#[test]
fn b12_a_limit_of_one_is_no_missing_limit() {
    let options = Options::default()
        .set("max_queued_messages", 1)
        .set("max_queued_bytes", 0)
        .set("max_inflight_messages", 1);
    each_broker(&options, |broker| {
        for qos in 1..=2 {
            let (mut client, mut publisher, _) = back_after(broker, qos, &numbers(10));
            let got = client.receive_until_fence(&mut publisher);
            // The window's place may or may not count for a Client that is away.
            assert!(got == ["0"] || got == ["0", "1"], "{got:?}");
        }
    });
}

#[test]
fn b12_the_byte_limit_holds_when_the_number_is_without_limit() {
    let options = Options::default().set("max_queued_messages", 0).set("max_queued_bytes", 20_000);
    each_broker(&options, |broker| {
        let payloads: Vec<String> = (0..100).map(|number| format!("{number:1000}")).collect();
        let (mut client, mut publisher, _) = back_after(broker, 1, &payloads);
        let got = client.receive_until_fence(&mut publisher).len();
        assert!((10..=45).contains(&got), "{got} messages of 1000 bytes");
    });
}

#[test]
fn b12_zero_queued_messages_means_no_limit() {
    let options = Options::default().set("max_queued_messages", 0);
    each_broker(&options, |broker| {
        let (topic, id) = (fresh("b12"), fresh("b12"));
        let persistent = Connect::persistent(V311, &id);
        let mut client = Client::with(broker, &persistent);
        client.subscribe(&topic, 2);
        client.leave();
        let mut publisher = Client::connect(broker, V311, &fresh("b12-p"));
        for chunk in 0..10_u16 {
            let ids = chunk * 500 + 1..=chunk * 500 + 500;
            let burst: Vec<u8> = ids
                .clone()
                .flat_map(|id| Publish::new(V311, &topic, id.to_string()).qos(1, id).bytes())
                .collect();
            publisher.send(burst);
            for id in ids {
                assert_eq!(publisher.answer(0x40).id, id);
            }
        }
        let mut client = Client::with(broker, &persistent);
        for index in 1..=5000 {
            client.receive_this(&topic, index.to_string(), 1);
        }
    });
}

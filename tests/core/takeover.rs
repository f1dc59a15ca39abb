//! One ClientId, several shards.

use crate::client::{broker, client3, connect3, connect5, packet, publish3, publishes3, string};

/// Goal: a session is found wherever its Client connects; its queue comes along.
#[test]
fn a_session_is_found_from_every_shard() {
    let mut broker = broker(4);
    let first = broker.connect(1);
    broker.send(first, &connect3("roamer", false));
    broker.settle();
    assert_eq!(broker.receive(first), [0x20, 2, 0, 0]);
    broker.send(first, &crate::client::subscribe3("t", 1));
    broker.cut(first);
    broker.settle();
    let publisher = client3(&mut broker, 2, "publisher");
    for n in 0..10u16 {
        broker.send(publisher, &publish3("t", 1, false, n + 1, n.to_string().as_bytes()));
    }
    broker.settle();
    for shard in 0..4 {
        let wire = broker.connect(shard);
        broker.send(wire, &connect3("roamer", false));
        broker.settle();
        assert_eq!(broker.shard_of(wire), 1, "the session's home");
        let received = broker.receive(wire);
        assert_eq!(&received[..4], [0x20, 2, 1, 0], "session present");
        let numbers: Vec<String> = publishes3(&received).into_iter().map(|one| one.1).collect();
        assert_eq!(numbers, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
        broker.cut(wire);
        broker.settle();
    }
}

/// Goal: the old connection hears 0x8E, exactly one connection remains, from any pair of shards.
#[test]
fn takeover_between_shards_leaves_one_connection() {
    for old_shard in 0..3 {
        for new_shard in 0..3 {
            let mut broker = broker(3);
            let old = broker.connect(old_shard);
            broker.send(old, &connect5("same", true, &[]));
            broker.settle();
            broker.receive(old);
            let new = broker.connect(new_shard);
            broker.send(new, &connect5("same", true, &[]));
            broker.settle();
            let goodbye = broker.receive(old);
            assert_eq!((goodbye[0], goodbye[2]), (0xE0, 0x8E));
            assert!(!broker.is_open(old));
            assert!(broker.is_open(new));
            assert_eq!(broker.receive(new)[0], 0x20);
            assert_eq!(broker.shared().directory.len(), 1);
        }
    }
}

/// Goal: input that follows the CONNECT in the same segment moves with the connection.
#[test]
fn what_follows_the_connect_moves_along() {
    let mut broker = broker(2);
    let first = broker.connect(0);
    broker.send(first, &connect3("mover", false));
    broker.settle();
    let watcher = client3(&mut broker, 0, "watcher");
    crate::client::subscribed3(&mut broker, watcher, "t", 0);
    let second = broker.connect(1);
    let mut bytes = connect3("mover", false);
    bytes.extend(publish3("t", 0, false, 0, b"right behind"));
    bytes.extend(&publish3("t", 0, false, 0, b"in two parts")[..5]);
    broker.send(second, &bytes);
    broker.settle();
    broker.send(second, &publish3("t", 0, false, 0, b"in two parts")[5..]);
    broker.settle();
    let got: Vec<String> =
        publishes3(&broker.receive(watcher)).into_iter().map(|one| one.1).collect();
    assert_eq!(got, ["right behind", "in two parts"]);
}

/// Goal: sessions that end leave nothing in the directory, and a hundred takeovers leave one.
#[test]
fn ended_sessions_leave_the_directory() {
    let mut broker = broker(4);
    for n in 0..100u16 {
        let wire = broker.connect(n % 4);
        broker.send(wire, &connect3("fighter", true));
        broker.turn(n % 4);
        broker.turn((n + 1) % 4);
    }
    broker.settle();
    assert_eq!(broker.shared().directory.len(), 1);
    assert_eq!(broker.shards().iter().map(|shard| shard.sessions()).sum::<usize>(), 1);
    assert_eq!(broker.shards().iter().map(|shard| shard.connections()).sum::<usize>(), 1);
}

/// Goal: the Will of a connection that is taken over with a session that ends is published.
#[test]
fn takeover_of_an_ending_session_publishes_its_will() {
    let mut broker = broker(2);
    let watcher = client3(&mut broker, 1, "watcher");
    crate::client::subscribed3(&mut broker, watcher, "will", 0);
    let old = broker.connect(0);
    let flags = [0b110, 0, 0];
    let body = [&string("id")[..], &string("will"), &string("gone")].concat();
    broker.send(old, &packet(0x10, &[b"\x00\x04MQTT\x04", &flags, &body]));
    broker.settle();
    let new = broker.connect(1);
    broker.send(new, &connect3("id", true));
    broker.settle();
    assert_eq!(publishes3(&broker.receive(watcher)), [("will".to_owned(), "gone".to_owned())]);
}

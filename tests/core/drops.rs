//! Each message that is dropped is counted, once, by its reason.

use pondhawk::auth::Methods;
use pondhawk::metrics::DropReason;
use pondhawk::shard::memory::Memory;

use crate::client::{
    broker, client3, config, connect3, connect5, packet, publish3, string, subscribe3, subscribed3,
};

/// A session of version 3.1.1 that stays, subscribed and without connection.
fn away(broker: &mut Memory, filter: &str, qos: u8) {
    let wire = broker.connect(0);
    broker.send(wire, &connect3("away", false));
    broker.settle();
    broker.receive(wire);
    subscribed3(broker, wire, filter, qos);
    broker.cut(wire);
    broker.settle();
}

/// Goal: what expires in a queue and makes room for something newer is counted.
#[test]
fn messages_that_expire_in_a_full_queue_are_counted() {
    let config = config(|config| config.session.queued_messages = 2);
    let mut broker = Memory::new(1, config, Methods::default());
    away(&mut broker, "t", 1);
    let publisher = broker.connect(0);
    broker.send(publisher, &connect5("publisher", true, &[]));
    broker.settle();
    for id in 1..=2u8 {
        let lifetime = [5, 2, 0, 0, 0, 1];
        let body: [&[u8]; 4] = [&string("t"), &[0, id], &lifetime, b"mortal"];
        broker.send(publisher, &packet(0x32, &body));
    }
    broker.settle();
    broker.advance(2_000);
    broker.settle();
    broker.send(publisher, &packet(0x32, &[&string("t"), &[0, 3], &[0], b"new"]));
    broker.settle();
    let counters = broker.shared().snapshot();
    assert_eq!(counters.dropped(DropReason::Expired), 2);
    assert_eq!(counters.dropped_total(), 2);
    assert_eq!(counters.value("queued_messages"), Some(1));
}

/// Goal: with the policy for it, as many old messages make room as are needed, each counted; one
/// that is larger than the whole queue pushes nothing out.
#[test]
fn a_large_message_displaces_as_many_as_it_needs_and_no_more() {
    let config = config(|config| {
        config.session.queued_bytes = 1_000;
        config.session.queue_full = pondhawk::config::QueueFullPolicy::DropOldest;
    });
    let mut broker = Memory::new(1, config, Methods::default());
    away(&mut broker, "t", 1);
    let publisher = client3(&mut broker, 0, "publisher");
    for id in 1..=3 {
        broker.send(publisher, &publish3("t", 1, false, id, &[b'x'; 200]));
    }
    broker.send(publisher, &publish3("t", 1, false, 4, &[b'x'; 2_000]));
    broker.settle();
    assert_eq!(broker.shared().snapshot().dropped(DropReason::QueueBytesFull), 1);
    assert_eq!(broker.shared().snapshot().dropped_total(), 1);
    broker.send(publisher, &publish3("t", 1, false, 5, &[b'x'; 700]));
    broker.settle();
    assert_eq!(broker.shared().snapshot().dropped(DropReason::QueueOldest), 3);
    assert_eq!(broker.shared().snapshot().dropped_total(), 4);
    assert_eq!(broker.shared().snapshot().value("queued_messages"), Some(1));
}

/// Goal: QoS 0 for a group whose member is away is one drop, not two.
#[test]
fn qos_0_for_a_group_without_a_connected_member_is_counted_once() {
    let mut broker = broker(1);
    away(&mut broker, "$share/g/t", 0);
    let publisher = client3(&mut broker, 0, "publisher");
    broker.send(publisher, &publish3("t", 0, false, 0, b"x"));
    broker.settle();
    assert_eq!(broker.shared().snapshot().dropped(DropReason::Qos0Offline), 1);
    assert_eq!(broker.shared().snapshot().dropped_total(), 1);
}

/// Goal: a message that was sent at QoS 1 or 2 and not acknowledged when its session ended counts
/// as lost.
#[test]
fn messages_in_flight_to_a_session_that_ends_are_counted() {
    let mut broker = broker(1);
    let wire = client3(&mut broker, 0, "leaves");
    broker.send(wire, &subscribe3("t", 2));
    broker.settle();
    let publisher = client3(&mut broker, 0, "publisher");
    broker.send(publisher, &publish3("t", 1, false, 1, b"x"));
    broker.send(publisher, &publish3("t", 2, false, 2, b"x"));
    broker.settle();
    broker.cut(wire);
    broker.settle();
    assert_eq!(broker.shared().snapshot().dropped(DropReason::SessionGone), 2);
}

/// Goal: what does not fit into a Client's Maximum Packet Size is counted, by that reason alone.
#[test]
fn b10_what_is_too_large_for_a_client_is_counted() {
    for shards in [1, 4] {
        let mut broker = broker(usize::from(shards));
        let narrow = broker.connect(0);
        broker.send(narrow, &connect5("narrow", true, &[0x27, 0, 0, 0, 60]));
        broker.send(narrow, &packet(0x82, &[&[0, 9], &[0], &string("t"), &[2]]));
        broker.settle();
        let publisher = client3(&mut broker, shards - 1, "publisher");
        for (qos, id) in [(0, 0), (1, 1), (2, 2)] {
            broker.send(publisher, &publish3("t", qos, false, id, &[b'x'; 100]));
        }
        broker.settle();
        assert_eq!(broker.shared().snapshot().dropped(DropReason::Oversize), 3);
        assert_eq!(broker.shared().snapshot().dropped_total(), 3);
    }
}

/// Goal: each message above the Receive Maximum is counted where it is forgiven.
#[test]
fn b13_messages_above_the_receive_maximum_are_counted() {
    let config = config(|config| config.packets.receive_maximum = 3);
    let mut broker = Memory::new(1, config, Methods::default());
    let wire = broker.connect(0);
    broker.send(wire, &connect5("eager", true, &[]));
    for id in 1..=5u8 {
        broker.send(wire, &packet(0x34, &[&string("t"), &[0, id], &[0], b"x"]));
        // Again, which is no further one.
        broker.send(wire, &packet(0x3C, &[&string("t"), &[0, id], &[0], b"x"]));
    }
    broker.settle();
    assert!(broker.is_open(wire));
    assert_eq!(broker.shared().snapshot().value("receive_maximum_exceeded"), Some(2));
}

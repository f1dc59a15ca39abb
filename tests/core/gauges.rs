//! What the gauges say that a shard holds, while it does and afterwards.

use pondhawk::shard::memory::{Memory, Wire};

use crate::client::{
    broker, client3, connect3, packet, publish3, publishes3, subscribe3, subscribed3,
};

/// Messages in flight, and whether bytes are held for them.
fn inflight(broker: &Memory) -> (i64, bool) {
    let counters = broker.shared().snapshot();
    let bytes = counters.value("inflight_bytes").expect("a gauge");
    assert!(bytes >= 0, "{bytes}");
    (counters.value("inflight_messages").expect("a gauge"), bytes > 0)
}

fn answer(broker: &mut Memory, wire: Wire, first: u8, id: u8) {
    broker.send(wire, &packet(first, &[&[0, id]]));
    broker.settle();
}

/// Goal: a message in flight is held, and counted, until its exchange is over; at QoS 2 its bytes
/// are given back at PUBREC.
#[test]
fn messages_in_flight_count_until_their_exchange_is_over() {
    for shards in [1, 4] {
        let mut broker = broker(shards);
        let wire = client3(&mut broker, 0, "subscriber");
        subscribed3(&mut broker, wire, "t", 2);
        let publisher = client3(&mut broker, shards as u16 - 1, "publisher");
        for (qos, id) in [(0, 0), (1, 1), (2, 2), (2, 3)] {
            broker.send(publisher, &publish3("t", qos, false, id, &[b'x'; 100]));
        }
        broker.send(publisher, &packet(0x62, &[&[0, 2]]));
        broker.settle();
        assert_eq!(inflight(&broker), (3, true));
        answer(&mut broker, wire, 0x40, 1);
        answer(&mut broker, wire, 0x40, 1);
        assert_eq!(inflight(&broker), (2, true), "an answer counts once");
        answer(&mut broker, wire, 0x50, 2);
        answer(&mut broker, wire, 0x50, 3);
        assert_eq!(inflight(&broker), (2, false), "what was received is not sent again");
        answer(&mut broker, wire, 0x70, 2);
        answer(&mut broker, wire, 0x70, 3);
        assert_eq!(inflight(&broker), (0, false));
    }
}

/// Goal: a window that is left open counts as long as its session lives, and no longer; what it
/// holds is part of what `memory_limit` is held against.
#[test]
fn a_session_takes_its_messages_in_flight_along() {
    let mut broker = broker(2);
    let first = broker.connect(0);
    broker.send(first, &connect3("stays", false));
    broker.settle();
    broker.receive(first);
    subscribed3(&mut broker, first, "t", 1);
    let publisher = client3(&mut broker, 1, "publisher");
    // More than the window takes: the rest is queued.
    for id in 1..=30 {
        broker.send(publisher, &publish3("t", 1, false, id, b"x"));
    }
    broker.send(publisher, &publish3("kept", 1, true, 31, b"x"));
    broker.settle();
    let queued = |broker: &Memory| broker.shared().snapshot().value("queued_messages");
    assert_eq!((inflight(&broker), queued(&broker)), ((20, true), Some(10)));
    broker.cut(first);
    broker.settle();
    assert_eq!((inflight(&broker), queued(&broker)), ((20, true), Some(10)));
    let again = broker.connect(1);
    broker.send(again, &connect3("stays", false));
    broker.settle();
    assert_eq!((inflight(&broker), queued(&broker)), ((20, true), Some(10)), "sent again");
    // The Retained Message is pulled when the window has room.
    broker.send(again, &subscribe3("kept", 1));
    for id in 1..=30 {
        answer(&mut broker, again, 0x40, id);
    }
    assert_eq!(publishes3(&broker.receive(again)).len(), 31);
    assert_eq!((inflight(&broker), queued(&broker)), ((1, true), Some(0)));
    let clean = broker.connect(0);
    broker.send(clean, &connect3("stays", true));
    broker.settle();
    assert_eq!((inflight(&broker), queued(&broker)), ((0, false), Some(0)));
}

//! What time brings: keep alive, expiry, delays, on a clock that is set by hand.

use crate::client::{
    broker, client3, connect5, packet, packets, publish3, publishes3, string, subscribed3,
};

#[test]
fn a_silent_client_goes_after_one_and_a_half_keep_alives() {
    let mut broker = broker(1);
    let wire = broker.connect(0);
    broker.send(wire, &packet(0x10, &[b"\x00\x04MQTT\x04", &[2, 0, 10], &string("k")]));
    broker.settle();
    for _ in 0..5 {
        broker.advance(14_000);
        broker.settle();
        assert!(broker.is_open(wire));
        broker.send(wire, &[0xC0, 0]);
    }
    broker.advance(14_000);
    broker.settle();
    assert!(broker.is_open(wire));
    broker.advance(2_000);
    broker.settle();
    assert!(!broker.is_open(wire));
}

/// B11: only silence counts, whatever becomes of the wall clock; the ends of the range included.
#[test]
fn b11_a_step_of_the_wall_clock_ends_nobody() {
    for shards in [1, 4] {
        for (keep_alive, most_ms) in [(1u16, Some(1_500)), (65_535, Some(98_302_500)), (0, None)] {
            let mut broker = broker(shards);
            let wire = broker.connect(0);
            let seconds = keep_alive.to_be_bytes();
            let flags = [2, seconds[0], seconds[1]];
            broker.send(wire, &packet(0x10, &[b"\x00\x04MQTT\x04", &flags, &string("k")]));
            broker.settle();
            for step in [86_400, -864_000, i64::MAX, i64::MIN] {
                broker.step_wall_clock(step);
                broker.settle();
                assert!(broker.is_open(wire), "keep alive {keep_alive}, a step of {step} s");
            }
            let Some(most_ms) = most_ms else {
                broker.advance(10 * 365 * 86_400_000);
                broker.settle();
                assert!(broker.is_open(wire), "without a keep alive nobody is too silent");
                continue;
            };
            broker.advance(most_ms - 100);
            broker.settle();
            assert!(broker.is_open(wire), "keep alive {keep_alive}, before its time");
            broker.step_wall_clock(-3_600);
            broker.advance(1_200);
            broker.settle();
            assert!(!broker.is_open(wire), "keep alive {keep_alive}, after its time");
        }
    }
}

#[test]
fn an_unfinished_connect_has_a_deadline_that_bytes_do_not_move() {
    let mut broker = broker(1);
    let wire = broker.connect(0);
    for byte in connect5("slow", true, &[]).iter().take(9) {
        broker.send(wire, &[*byte]);
        broker.advance(1_000);
        broker.settle();
        assert!(broker.is_open(wire));
    }
    broker.advance(2_000);
    broker.settle();
    assert!(!broker.is_open(wire));
}

#[test]
fn sessions_expire_and_leave_nothing() {
    let mut broker = broker(2);
    for n in 0..50 {
        let wire = broker.connect(n % 2);
        broker.send(wire, &connect5(&format!("c{n}"), true, &[0x11, 0, 0, 0, 60]));
        broker.send(wire, &packet(0x82, &[&[0, 1, 0], &string(&format!("f/{n}")), &[1]]));
        broker.settle();
        broker.cut(wire);
    }
    broker.advance(59_000);
    broker.settle();
    assert_eq!(broker.shared().directory.len(), 50);
    assert_eq!(broker.shared().router.filter_count(), 50);
    broker.advance(3_000);
    broker.settle();
    assert_eq!(broker.shared().directory.len(), 0);
    assert_eq!(broker.shared().router.filter_count(), 0);
}

/// C1: the Will is due at the earlier of its delay and the session's end.
#[test]
fn c1_a_will_is_due_at_the_earlier_of_delay_and_expiry() {
    for (expiry, due_ms) in [(Some(5u8), 5_000), (Some(0), 0), (None, 0), (Some(60), 30_000)] {
        let mut broker = broker(2);
        let watcher = client3(&mut broker, 1, "watcher");
        subscribed3(&mut broker, watcher, "will", 0);
        let wire = broker.connect(0);
        let properties: Vec<u8> =
            expiry.map(|s| vec![5, 0x11, 0, 0, 0, s]).unwrap_or_else(|| vec![0]);
        let will = [&[5, 0x18, 0, 0, 0, 30][..], &string("will"), &string("w")].concat();
        let body: &[&[u8]] =
            &[b"\x00\x04MQTT\x05", &[0b110, 0, 0], &properties, &string("id"), &will];
        broker.send(wire, &packet(0x10, body));
        broker.settle();
        broker.cut(wire);
        broker.settle();
        if due_ms > 0 {
            broker.advance(due_ms - 1_000);
            broker.settle();
            assert_eq!(publishes3(&broker.receive(watcher)), []);
            broker.advance(1_200);
        }
        broker.settle();
        assert_eq!(publishes3(&broker.receive(watcher)).len(), 1, "expiry {expiry:?}");
        broker.advance(100_000);
        broker.settle();
        assert_eq!(publishes3(&broker.receive(watcher)), []);
    }
}

/// C16: expired Retained Messages are freed though nobody asks for them.
#[test]
fn c16_expired_retained_messages_are_freed() {
    let mut broker = broker(2);
    let publisher = broker.connect(0);
    broker.send(publisher, &connect5("p", true, &[]));
    for n in 0..5_000 {
        let topic = string(&format!("r/{n}"));
        broker.send(publisher, &packet(0x31, &[&topic, &[5, 0x02, 0, 0, 0, 10], b"v"]));
    }
    broker.settle();
    let kept = |broker: &pondhawk::shard::memory::Memory| {
        broker.shared().metrics.iter().map(|m| m.retained_messages.get()).sum::<i64>()
    };
    assert_eq!(kept(&broker), 5_000);
    for _ in 0..20 {
        broker.advance(1_000);
        broker.settle();
    }
    assert_eq!(kept(&broker), 0);
}

/// Goal: what is left of a Message Expiry Interval is what a waiting message is sent with.
#[test]
fn waiting_shortens_the_message_expiry() {
    let mut broker = broker(1);
    let subscriber = broker.connect(0);
    broker.send(subscriber, &connect5("s", true, &[0x11, 0, 0, 1, 0]));
    broker.send(subscriber, &packet(0x82, &[&[0, 1, 0], &string("t"), &[1]]));
    broker.settle();
    broker.cut(subscriber);
    let publisher = broker.connect(0);
    broker.send(publisher, &connect5("p", true, &[]));
    for (id, seconds) in [(1, 5), (2, 20)] {
        let properties = [5, 0x02, 0, 0, 0, seconds];
        broker.send(publisher, &packet(0x32, &[&string("t"), &[0, id], &properties, b"m"]));
    }
    broker.advance(7_000);
    broker.settle();
    let again = broker.connect(0);
    broker.send(again, &connect5("s", false, &[0x11, 0, 0, 1, 0]));
    broker.settle();
    let received = packets(&broker.receive(again));
    let publishes: Vec<_> = received.iter().filter(|(first, _)| first >> 4 == 3).collect();
    assert_eq!(publishes.len(), 1, "the expired one is gone");
    assert_eq!(publishes[0].1[5..11], [5, 0x02, 0, 0, 0, 13]);
}

/// Goal: a Client that comes and goes leaves no trail of timers or sessions.
#[test]
fn coming_and_going_costs_nothing_lasting() {
    let mut broker = broker(1);
    for _ in 0..1_000 {
        let wire = broker.connect(0);
        broker.send(wire, &connect5("same", false, &[0x11, 0, 1, 0, 0]));
        broker.send(wire, &publish3("t", 0, false, 0, b""));
        broker.settle();
        broker.cut(wire);
        broker.settle();
    }
    assert_eq!(broker.shared().directory.len(), 1);
    assert!(broker.shards()[0].pending_timers() < 1_100, "one for each connection at most");
    broker.advance(11_000);
    broker.settle();
    assert!(broker.shards()[0].pending_timers() <= 1);
}

/// Goal: what is over is over, even if the Client comes back before the shard's timers have run:
/// its session has ended, and a Will that was due has been sent [MQTT-3.1.3-9].
#[test]
fn a_client_that_comes_back_too_late_is_not_early_because_a_timer_is() {
    for (expiry, delay_s, present) in [(10u8, 0u8, 0), (60, 5, 1)] {
        let mut broker = broker(2);
        let watcher = client3(&mut broker, 0, "watcher");
        subscribed3(&mut broker, watcher, "will", 0);
        let first = broker.connect(0);
        let connect = packet(
            0x10,
            &[
                b"\x00\x04MQTT\x05",
                &[if delay_s > 0 { 4 } else { 0 }, 0, 0],
                &[5, 0x11, 0, 0, 0, expiry],
                &string("late"),
                &if delay_s > 0 {
                    [&[5, 0x18, 0, 0, 0, delay_s][..], &string("will"), &string("gone")].concat()
                } else {
                    Vec::new()
                },
            ],
        );
        broker.send(first, &connect);
        broker.settle();
        broker.cut(first);
        broker.settle();
        broker.advance(11_000);
        // It connects elsewhere, so that its CONNECT comes by mail, before the timers.
        let second = broker.connect(1);
        broker.send(second, &connect5("late", false, &[]));
        broker.turn(1);
        broker.turn(0);
        let connack = broker.receive(second);
        assert_eq!((connack[0], connack[2]), (0x20, present), "expiry {expiry} s");
        let wills = publishes3(&broker.receive(watcher)).len();
        assert_eq!(wills, usize::from(delay_s > 0), "delay {delay_s} s");
    }
}

//! Clients that say nothing: before CONNECT, and for longer than their Keep Alive.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_broker, each_own_broker};
use crate::support::bytes::{Connect, PINGREQ, Publish};
use crate::support::client::{Bystanders, Client};
use crate::support::{ALL, each_version, fresh, let_pass};

/// Shows 5.0 [MQTT-3.1.2-22], [MQTT-3.2.2-22]; 3.1.1 [MQTT-3.1.2-24].
#[test]
fn b11_keep_alive_ends_a_silent_connection_at_one_and_a_half() {
    each_broker(&Options::default(), |broker| {
        thread::scope(|scope| {
            for version in ALL {
                scope.spawn(move || {
                    let connect = Connect::new(version, &fresh("silent")).keep_alive(1);
                    let mut client = Client::open(broker, version);
                    let begun = Instant::now();
                    client.send(connect.bytes());
                    assert_eq!(client.connack().code, 0);
                    client.closed_for(0x8D);
                    assert!(begun.elapsed() >= Duration::from_millis(1450), "[MQTT-3.1.2-22]");
                });
            }
        });
    });
}

#[test]
fn b11_keep_alive_is_satisfied_by_any_packet_and_not_by_deliveries() {
    each_broker(&Options::default(), |broker| {
        let topic = fresh("alive");
        let connect = |stem| Connect::new(V311, &fresh(stem)).keep_alive(1);
        let mut pings = Client::with(broker, &connect("pings"));
        let mut publishes = Client::with(broker, &connect("publishes"));
        let mut free = Client::with(broker, &Connect::new(V5, &fresh("free")).keep_alive(0));
        let mut listens = Client::with(broker, &connect("listens"));
        listens.subscribe(&topic, 0);
        for _ in 0..6 {
            let_pass(600);
            pings.ping();
            publishes.send(Publish::new(V311, &topic, "x").bytes());
        }
        publishes.ping();
        free.ping();
        while let Some(packet) = listens.try_packet() {
            assert_eq!(packet.delivery(V311).topic, topic);
        }
    });
}

#[test]
fn half_a_packet_does_not_keep_a_connection_alive() {
    each_broker(&Options::default(), |broker| {
        let mut client = Client::with(broker, &Connect::new(V5, &fresh("half")).keep_alive(1));
        client.send([0x30, 0x7F, 0x00, 0x03, b'a']);
        client.closed_for(0x8D);
    });
}

#[test]
fn b11_a_clamped_keep_alive_is_the_one_that_counts() {
    let options = Options::default().set("max_keepalive", 1);
    each_broker(&options, |broker| {
        let connect = Connect::new(V5, &fresh("clamped")).keep_alive(600);
        let (mut client, connack) = Client::accepted(broker, &connect);
        assert_eq!(connack.properties.int(0x13), Some(1));
        client.closed_for(0x8D);
        // Equal to the limit: only the silent one is cut.
        let mut quick = Client::with(broker, &Connect::new(V5, &fresh("b11")).keep_alive(1));
        for _ in 0..4 {
            let_pass(600);
            quick.send(PINGREQ);
            quick.expect([0xD0, 0x00]);
        }
    });
}

#[test]
fn a2_connect_must_come_in_time() {
    let options = Options::default().set("connect_timeout", 1);
    each_broker(&options, |broker| {
        let mut others = Bystanders::new(broker);
        thread::scope(|scope| {
            scope.spawn(|| {
                let begun = Instant::now();
                Client::open(broker, V311).closed();
                assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
            });
            scope.spawn(|| {
                // Partial bytes do not start the time anew.
                let mut slow = Client::open(broker, V5);
                let begun = Instant::now();
                for byte in Connect::new(V5, &fresh("slow")).bytes() {
                    slow.send([byte]);
                    let_pass(200);
                    if begun.elapsed() > Duration::from_secs(3) {
                        break;
                    }
                }
                if let Some(packet) = slow.try_packet() {
                    assert_ne!(packet.connack(V5).code, 0);
                    slow.closed();
                }
            });
        });
        // Those that did connect are not under that clock.
        others.exchange();
    });
}

#[test]
fn a_connection_that_ended_before_connect_is_forgotten() {
    // Fewer descriptors than connections that end: what is not forgotten uses them up.
    each_own_broker(&Options::default().descriptors(200), |broker| {
        let mut others = Bystanders::new(broker);
        each_version(&ALL, |version| {
            for _ in 0..200 {
                Client::open(broker, version).cut();
                Client::open(broker, version).hang_up();
            }
        });
        others.exchange();
        let connect = |_| Client::connect(broker, V5, &fresh("after"));
        (0..100).map(connect).collect::<Vec<_>>().iter_mut().for_each(Client::ping);
    });
}

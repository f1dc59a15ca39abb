//! Clients that come and go: each visit subscribes, publishes, keeps something, and ends in one of
//! the ways in which a client can end.

use std::sync::atomic::Ordering;

use crate::soak::Counts;
use crate::support::broker::Broker;
use crate::support::bytes::{Connect, Publish, Will, prop, subscribe, unsubscribe};
use crate::support::client::Client;
use crate::support::parse::Packet;
use crate::support::{ALL, Version, let_pass};

/// Time between two visits of one guest, so that a soak leaves the machine some of its processors.
const PAUSE_MS: u64 = 5;

/// How many Client Identifiers, and how many topics, a guest has in turn.
const NAMES: usize = 100;
const TOPICS: usize = 50;

/// Where the Wills of all go.
const GONE: &str = "guests/gone";

/// Visits until told to stop.
pub fn come_and_go(broker: &Broker, guest: usize, counts: &Counts) {
    for round in 0_usize.. {
        if !counts.go_on() {
            return;
        }
        visit(broker, guest, round, counts);
        let_pass(PAUSE_MS);
    }
}

/// How the guest connects: with a Will now and then, and with a session that outlives it.
fn introduce(guest: usize, round: usize, version: Version) -> Connect {
    let connect = Connect::new(version, &format!("guest-{guest}-{}", round % NAMES));
    let connect = match round % 4 {
        3 => connect.will(Will::new(GONE, "x").qos(1)),
        _ => connect,
    };
    match round % 5 {
        0 if version == Version::V5 => connect.clean(false).with(prop::session_expiry(1)),
        _ => connect,
    }
}

fn visit(broker: &Broker, guest: usize, round: usize, counts: &Counts) {
    let version = ALL[(guest + round) % 3];
    let topic = format!("guests/{guest}/{}", round % TOPICS);
    let connect = introduce(guest, round, version);
    let mut client = Client::with(broker, &connect);
    counts.connections.fetch_add(1, Ordering::Relaxed);
    let filters = [topic.clone(), GONE.into(), format!("$share/all/{topic}")];
    let filter = &filters[round % 3];
    client.send(subscribe(version, 1, &[(filter, (round % 3) as u8)]));
    assert!(await_packet(&mut client, 0x90).answer(0x90, version).codes[0] < 0x80);
    let payload = vec![b'g'; round * 37 % 3000];
    let retained = Publish::new(version, &format!("kept/{guest}/{}", round % TOPICS), payload);
    client.send(retained.retain().bytes());
    client.send(Publish::new(version, &topic, "here").bytes());
    counts.messages.fetch_add(2, Ordering::Relaxed);
    match round % 6 {
        0 => client.leave(),
        1 => client.hang_up(),
        2 => client.cut(),
        3 => {
            let second = Client::with(broker, &connect);
            client.drain();
            counts.connections.fetch_add(1, Ordering::Relaxed);
            counts.takeovers.fetch_add(1, Ordering::Relaxed);
            second.leave();
        }
        4 => {
            // The exchange is left where it is: PUBREL never comes.
            client.send(Publish::new(version, &topic, "half").qos(2, 9).bytes());
            await_packet(&mut client, 0x50);
            client.cut();
        }
        _ => {
            client.send(unsubscribe(version, 2, &[filter]));
            await_packet(&mut client, 0xB0);
            client.leave();
        }
    }
}

/// The packet with this first byte; messages, which may come before it, are not looked at.
fn await_packet(client: &mut Client, first: u8) -> Packet {
    loop {
        let packet = client.packet();
        if packet.first == first {
            return packet;
        }
        assert_eq!(packet.first & 0xF0, 0x30, "neither {first:#04x} nor a message: {packet:?}");
    }
}

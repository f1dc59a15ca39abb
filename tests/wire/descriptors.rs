//! File descriptors or places used up: those who are connected go on, the others are turned away,
//! and there is room again as soon as one leaves.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each_broker, each_own_broker};
use crate::support::bytes::Connect;
use crate::support::client::{Bystanders, Client};
use crate::support::{ALL, each_version, fresh};

/// Enough for the broker's own and about a hundred clients.
const LIMIT: u32 = 160;

/// Shows 3.1.1 [MQTT-4.8.0-2].
#[test]
fn a15_without_free_descriptors_the_connected_ones_go_on() {
    each_own_broker(&Options::default().descriptors(LIMIT), |broker| {
        let mut others = Bystanders::new(broker);
        let mut held = Vec::new();
        // Connect past the limit: each attempt is either served or closed, none hangs.
        let mut turned_away = 0;
        while turned_away < 12 {
            let mut client = Client::open(broker, V311);
            client.send(Connect::new(V311, &fresh("a15")).bytes());
            match client.try_packet() {
                Some(packet) => {
                    assert_eq!(packet.connack(V311).code, 0);
                    held.push(client);
                    assert!(held.len() < LIMIT as usize, "more clients than descriptors");
                }
                None => turned_away += 1,
            }
        }
        assert!(held.len() > 50, "only {} clients for {LIMIT} descriptors", held.len());
        broker.wait_log("descriptor");
        // It does not spin while nothing can be accepted.
        let before = broker.processor_ticks();
        for _ in 0..20 {
            others.exchange();
            crate::support::let_pass(50);
        }
        let used = broker.processor_ticks() - before;
        assert!(used <= 50, "{used} ticks of processor time in the second of rest");
        for client in &mut held {
            client.ping();
        }
        // Room for those who come later.
        let count = held.len();
        for client in held.drain(..) {
            client.leave();
        }
        for _ in 0..count {
            held.push(Client::connect(broker, V5, &fresh("a15")));
        }
        others.exchange();
    });
}

/// Connects again and again until somebody who left is known to have left.
fn connect_when_there_is_room(broker: &Broker) -> Client {
    loop {
        let mut client = Client::open(broker, V311);
        client.send(Connect::new(V311, &fresh("room")).bytes());
        if let Some(packet) = client.try_packet() {
            assert_eq!(packet.connack(V311).code, 0);
            return client;
        }
    }
}

#[test]
fn a_full_listener_turns_newcomers_away() {
    // An option of its own, so that no other scenario takes the places.
    let options =
        Options::default().listener("max_connections", 3).set("auto_id_prefix", "\"full-\"");
    each_broker(&options, |broker| {
        let mut held: Vec<Client> =
            ALL.iter().map(|version| Client::connect(broker, *version, &fresh("full"))).collect();
        each_version(&ALL, |version| {
            let mut client = Client::open(broker, version);
            client.send(Connect::new(version, &fresh("full")).bytes());
            client.closed();
        });
        held.pop().expect("one that leaves").leave();
        held.push(connect_when_there_is_room(broker));
        held.iter_mut().for_each(Client::ping);
    });
}

#[test]
fn a2_an_address_has_few_connections_without_connect() {
    let options = Options::default()
        .set("max_unauthenticated_per_address", 4)
        .set("auto_id_prefix", "\"few-\"");
    each_broker(&options, |broker| {
        let mut waiting: Vec<Client> = (0..4).map(|_| Client::open(broker, V311)).collect();
        // They are accepted in their order, so the fifth finds the places taken.
        Client::open(broker, V311).closed();
        for client in &mut waiting {
            client.send(Connect::new(V311, &fresh("few")).bytes());
            assert_eq!(client.connack().code, 0);
        }
        // Those who are connected no longer count.
        let mut more: Vec<Client> =
            (0..10).map(|_| Client::connect(broker, V5, &fresh("few"))).collect();
        more.iter_mut().for_each(Client::ping);
    });
}

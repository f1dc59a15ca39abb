//! File descriptors used up: those who are connected go on, the others are turned away, and there
//! is room again as soon as one leaves.

use crate::support::Version::{V5, V311};
use crate::support::broker::{Options, each_own_broker};
use crate::support::bytes::Connect;
use crate::support::client::{Bystanders, Client};
use crate::support::fresh;

/// Enough for the broker's own and about a hundred clients.
const LIMIT: u32 = 160;

#[test]
fn a15_without_free_descriptors_the_connected_ones_go_on() {
    each_own_broker(&Options::default().descriptors(LIMIT), |broker| {
        let mut others = Bystanders::new(broker);
        let mut held = Vec::new();
        // Connect past the limit: each attempt is either served or closed, none hangs.
        let mut turned_away = 0;
        while turned_away < 50 {
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

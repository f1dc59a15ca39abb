//! Everybody loses the connection at once and comes back at once, to a session with a message.

use nix::sys::signal::Signal;

use crate::crowd;
use crate::ledger::Holding;
use crate::support::Version::V5;
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::client::{Bystanders, Client};

/// Messages that the publisher has unacknowledged.
const WINDOW: usize = 10;

/// Connects them all, lets them come back `rounds` times, and ends them. Gives what the broker held
/// when they had come back.
fn cycle(broker: &Broker, others: &mut Bystanders, clients: usize, rounds: usize) -> Holding {
    let mut crowd = crowd::connect(broker, clients, false);
    crowd.iter_mut().for_each(|(number, client)| {
        assert_eq!(client.subscribe(&crowd::name(*number), 1), 1);
    });
    for round in 0..rounds {
        // The broker stands still meanwhile, so that it finds all of them gone at once.
        broker.signal(Signal::SIGSTOP);
        crowd.drain(..).for_each(|(_, client)| client.cut());
        broker.signal(Signal::SIGCONT);
        let mut publisher = Client::connect(broker, V5, "crowd-publisher");
        crowd::publish(&mut publisher, clients, &round.to_string(), WINDOW);
        publisher.leave();
        crowd = crowd::connect(broker, clients, true);
        for (number, client) in &mut crowd {
            client.receive_this(&crowd::name(*number), round.to_string(), 1);
        }
        others.exchange();
    }
    crowd.iter_mut().for_each(|(_, client)| client.ping());
    let back = Holding::now(broker);
    crowd::end(crowd);
    others.exchange();
    back
}

/// After each crowd the broker holds what it held before the first, however often they came back.
fn storm(broker: &Broker, clients: usize, rounds: [usize; 2]) {
    let mut others = Bystanders::new(broker);
    others.exchange();
    let before = Holding::before(broker);
    for rounds in rounds {
        let peak = cycle(broker, &mut others, clients, rounds);
        before.is_back(broker, &format!("{clients} clients back {rounds} times and gone"), peak);
    }
}

#[test]
fn a_thousand_come_back_at_once_to_their_messages() {
    for shards in SHARDS {
        storm(&Broker::start(shards, &Options::default()), 1000, [1, 2]);
    }
}

#[test]
#[ignore = "long; it is run for its figures"]
fn reconnect_storm() {
    for shards in SHARDS {
        storm(&Broker::start(shards, &Options::default()), 15_000, [2, 8]);
    }
}

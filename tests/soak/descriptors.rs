//! Descriptors used up, again and again: those who are connected go on, and all come back.

use crate::crowd;
use crate::ledger::Holding;
use crate::support::Version::V311;
use crate::support::broker::{Broker, Options, SHARDS};
use crate::support::bytes::Connect;
use crate::support::client::{Bystanders, Client};

/// Connects until so many attempts were turned away; gives those who got in.
fn fill(broker: &Broker, turned_away: usize) -> Vec<(usize, Client)> {
    let (mut held, mut refused) = (Vec::new(), 0);
    while refused < turned_away {
        let number = held.len();
        let mut client = Client::over(Box::new(crowd::begin(broker, number)), V311);
        client.send(Connect::new(V311, &crowd::name(number)).keep_alive(0).bytes());
        match client.try_packet() {
            Some(packet) => {
                assert_eq!(packet.connack(V311).code, 0);
                held.push((number, client));
            }
            None => refused += 1,
        }
    }
    held
}

fn scenario(broker: &Broker, limit: u32, rounds: usize) {
    let mut others = Bystanders::new(broker);
    others.exchange();
    let before = Holding::before(broker);
    for _ in 0..rounds {
        let mut held = fill(broker, 5);
        assert!(held.len() + 60 > limit as usize, "only {} of {limit} got in", held.len());
        others.exchange();
        held.iter_mut().for_each(|(_, client)| client.ping());
        let peak = Holding::now(broker);
        held.drain(..).for_each(|(_, client)| client.cut());
        others.exchange();
        before.is_back(broker, &format!("{limit} descriptors used up"), peak);
    }
}

#[test]
fn descriptors_that_were_used_up_come_back() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &Options::default().descriptors(300)), 300, 2);
    }
}

#[test]
#[ignore = "long; it is run for its figures"]
fn descriptors_used_up() {
    for shards in SHARDS {
        scenario(&Broker::start(shards, &Options::default().descriptors(15_000)), 15_000, 3);
    }
}

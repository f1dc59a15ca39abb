//! Subscriptions and connections come and go by the thousand while messages flow to others.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::order::publish_numbers;
use crate::support::broker::{Broker, Options, PATIENCE, each_broker};
use crate::support::bytes::{Connect, PINGREQ, Publish, subscribe, unsubscribe};
use crate::support::client::Client;
use crate::support::{ALL, Version, fresh};

fn unlimited() -> Options {
    Options::default().set("max_queued_messages", 0)
}

/// Ends the background work when the scenario is over, also when it failed.
struct Until<'a>(&'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Subscribes and unsubscribes filters that match `topic` until told to stop.
fn churn(broker: &Broker, version: Version, topic: &str, stop: &AtomicBool) {
    let mut client = Client::connect(broker, version, &fresh("churn"));
    let filters =
        [topic.to_owned(), format!("{topic}/#"), "+/#".into(), format!("$share/c/{topic}")];
    for round in 0.. {
        let filter = &filters[round % filters.len()];
        client.send(subscribe(version, 1, &[(filter, 1)]));
        client.send(unsubscribe(version, 2, &[filter]));
        loop {
            let packet = client.packet();
            match packet.first {
                0x90 => assert!(packet.answer(0x90, version).codes[0] < 0x80),
                0xB0 => break,
                _ => client.acknowledge(&packet.delivery(version)),
            }
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

#[test]
fn subscriptions_of_others_do_not_disturb_a_stream() {
    each_broker(&unlimited(), |broker| {
        let topic = fresh("storm/stream");
        let mut subscriber = Client::connect(broker, Version::V5, &fresh("storm-s"));
        subscriber.subscribe(&topic, 1);
        let mut publisher = Client::connect(broker, Version::V311, &fresh("storm-p"));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _until = Until(&stop);
            for lane in 0..4 {
                let (topic, stop) = (&topic, &stop);
                scope.spawn(move || churn(broker, ALL[lane % 3], topic, stop));
            }
            scope.spawn(|| publish_numbers(&mut publisher, &topic, 1, 4000));
            for number in 0..4000_u32 {
                subscriber.receive_this(&topic, number.to_string(), 1);
            }
        });
        subscriber.ping();
    });
}

#[test]
fn connections_that_come_and_go_do_not_disturb_a_stream() {
    each_broker(&unlimited(), |broker| {
        let topic = fresh("storm/conn");
        let mut subscriber = Client::connect(broker, Version::V311, &fresh("conn-s"));
        subscriber.subscribe(&topic, 2);
        let mut publisher = Client::connect(broker, Version::V5, &fresh("conn-p"));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _until = Until(&stop);
            for lane in 0..3 {
                let (topic, stop) = (&topic, &stop);
                scope.spawn(move || {
                    for round in 0.. {
                        let version = ALL[(lane + round) % 3];
                        let mut client = Client::connect(broker, version, &fresh("conn"));
                        client.send(subscribe(version, 1, &[(topic, 2)]));
                        match round % 3 {
                            0 => client.cut(),
                            1 => client.leave(),
                            _ => drop(client),
                        }
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
            }
            scope.spawn(|| publish_numbers(&mut publisher, &topic, 2, 2000));
            for number in 0..2000_u32 {
                subscriber.receive_this(&topic, number.to_string(), 2);
            }
        });
        subscriber.ping();
    });
}

/// Acknowledges what has come by now.
fn take_all(member: &mut Client, seen: &Mutex<HashSet<String>>) {
    member.send(PINGREQ);
    loop {
        let packet = member.packet();
        match packet.first {
            0x90 => {}
            0xD0 => return,
            _ => {
                let delivery = packet.delivery(member.version);
                seen.lock().unwrap().insert(delivery.text().to_owned());
                member.acknowledge(&delivery);
            }
        }
    }
}

#[test]
fn a_group_whose_members_come_and_go_loses_nothing() {
    each_broker(&unlimited(), |broker| {
        const COUNT: u32 = 2000;
        let topic = fresh("storm/share");
        let filter = format!("$share/g/{topic}");
        let mut stays = Client::connect(broker, Version::V5, &fresh("share"));
        stays.subscribe(&filter, 1);
        let mut publisher = Client::connect(broker, Version::V311, &fresh("share-p"));
        let stop = AtomicBool::new(false);
        let seen = Mutex::new(HashSet::new());
        thread::scope(|scope| {
            let _until = Until(&stop);
            for lane in 0..3 {
                let (filter, stop, seen) = (&filter, &stop, &seen);
                scope.spawn(move || {
                    let version = ALL[lane % 3];
                    while !stop.load(Ordering::Relaxed) {
                        let mut member = Client::connect(broker, version, &fresh("member"));
                        member.send(subscribe(version, 1, &[(filter, 1)]));
                        take_all(&mut member, seen);
                        member.cut();
                    }
                });
            }
            scope.spawn(|| publish_numbers(&mut publisher, &topic, 1, COUNT));
            let (mut most, mut since) = (0, Instant::now());
            while most < COUNT as usize {
                take_all(&mut stays, &seen);
                let now = seen.lock().unwrap().len();
                if now > most {
                    (most, since) = (now, Instant::now());
                }
                assert!(since.elapsed() < PATIENCE, "{most} of {COUNT} ever reached a member");
            }
        });
    });
}

#[test]
fn wide_fan_out_across_all_shards() {
    each_broker(&unlimited(), |broker| {
        let topic = fresh("wide");
        let mut subscribers: Vec<Client> = (0..200)
            .map(|index| {
                let mut client = Client::connect(broker, ALL[index % 3], &fresh("wide"));
                client.subscribe(&topic, (index % 3) as u8);
                client
            })
            .collect();
        let mut publisher = Client::connect(broker, Version::V5, &fresh("wide-p"));
        for number in 0..20 {
            publisher.publish(&topic, number.to_string(), 1);
        }
        for (index, subscriber) in subscribers.iter_mut().enumerate() {
            for number in 0..20 {
                subscriber.receive_this(&topic, number.to_string(), (index % 3).min(1) as u8);
            }
        }
    });
}

#[test]
fn one_that_does_not_read_holds_nobody_up() {
    each_broker(&unlimited(), |broker| {
        let topic = fresh("deaf");
        let mut deaf = Client::open_narrow(broker, Version::V311, 4096);
        deaf.send(Connect::new(Version::V311, &fresh("deaf")).bytes());
        assert_eq!(deaf.connack().code, 0);
        deaf.subscribe(&topic, 0);
        let mut subscriber = Client::connect(broker, Version::V311, &fresh("deaf-s"));
        subscriber.subscribe(&topic, 0);
        let mut publisher = Client::connect(broker, Version::V311, &fresh("deaf-p"));
        // Far more than a socket, and than the broker keeps for one that does not read.
        let payload = vec![b'x'; 10_000];
        for _ in 0..2000 {
            publisher.send(Publish::new(Version::V311, &topic, &payload).bytes());
            assert_eq!(subscriber.receive().payload.len(), payload.len());
        }
        // It gets what was kept for it, whole packets in order, and lives.
        deaf.send(PINGREQ);
        loop {
            let packet = deaf.packet();
            if packet.first == 0xD0 {
                break;
            }
            assert_eq!(packet.delivery(Version::V311).payload.len(), payload.len());
        }
    });
}

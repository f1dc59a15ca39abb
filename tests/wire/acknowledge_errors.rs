//! PUBACK, PUBREC, PUBREL, PUBCOMP and DISCONNECT that are not as they may be.

use std::slice::from_ref;

use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options, each, each_broker};
use crate::support::bytes::{Publish, acknowledge, disconnect_with, packet, prop};
use crate::support::client::{Bystanders, Client};
use crate::support::{ALL, Scope, V3, fresh};

const ACKNOWLEDGEMENTS: [u8; 4] = [0x40, 0x50, 0x62, 0x70];

fn ends_for(broker: &Broker, bytes: Vec<u8>, reasons: &[u8]) {
    let mut client = Client::connect(broker, V5, &fresh("ack"));
    client.send(bytes);
    client.closed_for_any(reasons);
}

#[test]
fn properties_of_other_packets() {
    each_broker(&Options::default(), |broker| {
        for (name, property) in prop::every() {
            if name == "Reason String" || name == "User Property" {
                continue;
            }
            for first in ACKNOWLEDGEMENTS {
                let _scope = Scope(format!("{name} in {first:#04x}"));
                let bytes = acknowledge(first, 1, 0, from_ref(&property));
                ends_for(broker, bytes, &[0x81, 0x82]);
            }
        }
    });
}

#[test]
fn reason_string_twice() {
    each_broker(&Options::default(), |broker| {
        let twice = [prop::reason_string("a"), prop::reason_string("b")];
        for first in ACKNOWLEDGEMENTS {
            ends_for(broker, acknowledge(first, 1, 0, &twice), &[0x82]);
        }
        ends_for(broker, disconnect_with(0, &twice), &[0x82]);
    });
}

#[test]
fn bodies_of_the_wrong_length() {
    each(&ALL, |broker, version| {
        for first in ACKNOWLEDGEMENTS {
            let _scope = Scope(format!("{first:#04x}"));
            for body in [&[][..], &[7][..]] {
                let mut client = Client::connect(broker, version, &fresh("ack"));
                client.send(packet(first, &[body]));
                client.closed_for(0x81);
            }
        }
    });
    each(&V3, |broker, version| {
        // Versions without Reason Codes have nothing after the identifier.
        for first in ACKNOWLEDGEMENTS {
            let mut client = Client::connect(broker, version, &fresh("ack"));
            client.send(packet(first, &[&[0, 1, 0]]));
            client.closed();
        }
    });
}

#[test]
fn properties_of_disconnect() {
    each_broker(&Options::default(), |broker| {
        let mut others = Bystanders::new(broker);
        for property in [prop::reason_string("bye"), prop::user("a", "b")] {
            let mut client = Client::connect(broker, V5, &fresh("bye"));
            client.send(disconnect_with(0, &[property]));
            client.closed();
        }
        const OF_DISCONNECT: [&str; 4] =
            ["Session Expiry Interval", "Reason String", "User Property", "Server Reference"];
        for (name, property) in prop::every() {
            if !OF_DISCONNECT.contains(&name) {
                let _scope = Scope(name.into());
                ends_for(broker, disconnect_with(0, &[property]), &[0x81, 0x82]);
            }
        }
        others.exchange();
    });
}

/// Shows 3.1.1 [MQTT-3.14.4-2].
#[test]
fn nothing_is_read_after_disconnect() {
    each(&[V311, V5], |broker, version| {
        let topic = fresh("after");
        let mut watcher = Client::connect(broker, version, &fresh("after-w"));
        watcher.subscribe(&topic, 0);
        let mut client = Client::connect(broker, version, &fresh("after"));
        let publish = Publish::new(version, &topic, "x").bytes();
        client.send([vec![0xE0, 0x00], publish].concat());
        client.closed();
        watcher.quiet(&mut Client::connect(broker, version, &fresh("after-o")));
    });
}

#[test]
fn acknowledgements_nobody_waits_for_harm_nobody() {
    each(&ALL, |broker, version| {
        let mut others = Bystanders::new(broker);
        let topic = fresh("stray");
        for first in ACKNOWLEDGEMENTS {
            let mut subscriber = Client::connect(broker, version, &fresh("stray-s"));
            subscriber.subscribe(&topic, 2);
            let mut publisher = Client::connect(broker, version, &fresh("stray-p"));
            publisher.publish(&topic, "x", 1);
            let delivery = subscriber.delivery();
            // Of the wrong kind for this exchange, or for one that never was.
            subscriber.send(packet(first, &[&delivery.id.to_be_bytes()]));
            subscriber.send(packet(first, &[&[0x77, 0x77]]));
            subscriber.send([0xC0, 0x00]);
            while subscriber.try_packet().is_some_and(|packet| packet.first != 0xD0) {}
            others.exchange();
        }
    });
}

//! SIGTERM: every client is let go properly, and the process ends well.

use nix::sys::signal::Signal;

use crate::support::broker::{Options, each_own_broker};
use crate::support::bytes::Connect;
use crate::support::client::Client;
use crate::support::{ALL, Version::V5, fresh};

fn lets_everyone_go(signal: Signal) {
    each_own_broker(&Options::default(), |broker| {
        let mut clients: Vec<Client> =
            (0..12).map(|index| Client::connect(broker, ALL[index % 3], &fresh("bye"))).collect();
        let mut nobody = Client::open(broker, V5);
        broker.signal(signal);
        for client in &mut clients {
            client.closed_for(0x8B);
        }
        nobody.closed();
        assert_eq!(broker.wait_exit().code(), Some(0));
    });
}

/// Shows 5.0 [MQTT-3.14.0-1], [MQTT-3.14.2-1], [MQTT-3.14.4-2].
#[test]
fn sigterm_says_goodbye_and_exits_with_0() {
    lets_everyone_go(Signal::SIGTERM);
}

#[test]
fn sigint_does_the_same() {
    lets_everyone_go(Signal::SIGINT);
}

#[test]
fn a_server_reference_tells_where_to_go() {
    let options = Options::default().set("server_reference", "\"other.example:1883\"");
    each_own_broker(&options, |broker| {
        let mut client = Client::with(broker, &Connect::new(V5, &fresh("moved")));
        broker.signal(Signal::SIGTERM);
        let (reason, properties) = client.packet().disconnect();
        assert!([0x8B, 0x9C, 0x9D].contains(&reason), "{reason:#04x}");
        assert_eq!(properties.text(0x1C).as_deref(), Some("other.example:1883"));
        client.closed();
        assert_eq!(broker.wait_exit().code(), Some(0));
    });
}

#[test]
fn a_client_that_does_not_read_does_not_hold_the_end_up() {
    let options = Options::default().set("shutdown_timeout", 1);
    each_own_broker(&options, |broker| {
        let mut deaf = Client::open_narrow(broker, V5, 4096);
        deaf.send(Connect::new(V5, &fresh("deaf")).bytes());
        assert_eq!(deaf.connack().code, 0);
        deaf.subscribe("deaf/topic", 1);
        let mut publisher = Client::connect(broker, V5, &fresh("deaf-p"));
        for _ in 0..15 {
            publisher.publish("deaf/topic", vec![0; 1 << 20], 1);
        }
        broker.signal(Signal::SIGTERM);
        assert_eq!(broker.wait_exit().code(), Some(0));
    });
}

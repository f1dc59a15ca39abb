//! Options that take features away: announced in CONNACK, and enforced.

use crate::support::Version::{self, V5, V311};
use crate::support::broker::{Broker, Options, each_broker};
use crate::support::bytes::{Connect, Publish, Will, prop, subscribe, subscribe_with};
use crate::support::client::Client;
use crate::support::{V3, each_version, fresh};

fn announced(broker: &Broker, property: u8) -> Option<u32> {
    let (_client, connack) = Client::accepted(broker, &Connect::new(V5, &fresh("told")));
    connack.properties.int(property)
}

fn publish_refused(broker: &Broker, publish: impl Fn(Version) -> Publish, reason: u8) {
    each_version(&crate::support::ALL, |version| {
        let mut client = Client::connect(broker, version, &fresh("refused"));
        client.send(publish(version).bytes());
        client.closed_for(reason);
    });
}

fn will_refused(broker: &Broker, will: &Will, code: u8) {
    let connect = Connect::new(V5, &fresh("refused")).will(will.clone());
    assert_eq!(Client::refused(broker, &connect).code, code);
    each_version(&V3, |version| {
        let connect = Connect::new(version, &fresh("refused")).will(will.clone());
        let mut client = Client::open(broker, version);
        client.send(connect.bytes());
        if let Some(packet) = client.try_packet() {
            assert_ne!(packet.connack(version).code, 0);
            client.closed();
        }
    });
}

/// A SUBSCRIBE is refused with `reason` in the SUBACK, or ends the connection with it.
fn subscribe_refused(broker: &Broker, bytes: Vec<u8>, reason: u8) {
    let mut client = Client::connect(broker, V5, &fresh("refused"));
    client.send(bytes);
    let packet = client.packet();
    if packet.first == 0x90 {
        assert_eq!(packet.answer(0x90, V5).codes, [reason]);
        client.ping();
    } else {
        assert_eq!(packet.disconnect().0, reason);
        client.closed();
    }
}

fn subscribe_fails_in_version_311(broker: &Broker, filter: &str) {
    let mut client = Client::connect(broker, V311, &fresh("refused"));
    assert_eq!(client.subscribe(filter, 0), 0x80);
    client.ping();
}

/// Shows 5.0 [MQTT-3.2.2-9], [MQTT-3.2.2-10], [MQTT-3.2.2-11], [MQTT-3.2.2-12].
#[test]
fn maximum_qos() {
    for most in [0, 1] {
        let options = Options::default().listener("max_qos", most);
        each_broker(&options, |broker| {
            assert_eq!(announced(broker, 0x24), Some(most.into()));
            for qos in most + 1..=2 {
                let publish = |version| Publish::new(version, "max/qos", "x").qos(qos, 1);
                publish_refused(broker, publish, 0x9B);
                will_refused(broker, &Will::new("max/qos", "x").qos(qos), 0x9B);
            }
            each_version(&crate::support::ALL, |version| {
                let topic = fresh("max-qos");
                let mut client = Client::connect(broker, version, &fresh("max-qos"));
                assert_eq!(client.subscribe(&topic, 2), most, "lowered, not refused");
                let mut publisher = Client::connect(broker, version, &fresh("max-qos"));
                publisher.publish(&topic, "x", most);
                client.receive_this(&topic, "x", most);
            });
        });
    }
}

/// Shows 5.0 [MQTT-3.2.2-13], [MQTT-3.2.2-14].
#[test]
fn retain_available() {
    let options = Options::default().set("retain_available", false);
    each_broker(&options, |broker| {
        assert_eq!(announced(broker, 0x25), Some(0));
        publish_refused(broker, |version| Publish::new(version, "re/tain", "x").retain(), 0x9A);
        will_refused(broker, &Will::new("re/tain", "x").retained(), 0x9A);
        let mut client = Client::connect(broker, V5, &fresh("retain"));
        assert_eq!(client.subscribe("re/tain", 0), 0);
        client.send(Publish::new(V5, "re/tain", "x").bytes());
        assert!(!client.receive_this("re/tain", "x", 0).retain);
    });
}

/// Shows 3.1.1 [MQTT-3.8.3-2].
#[test]
fn wildcard_subscription_available() {
    let options = Options::default().set("wildcard_subscription_available", false);
    each_broker(&options, |broker| {
        assert_eq!(announced(broker, 0x28), Some(0));
        for filter in ["#", "a/+", "a/#", "$share/g/+"] {
            subscribe_refused(broker, subscribe(V5, 1, &[(filter, 0)]), 0xA2);
            subscribe_fails_in_version_311(broker, filter);
        }
        Client::connect(broker, V5, &fresh("plain")).subscribe("a/b", 0);
    });
}

#[test]
fn subscription_identifiers_available() {
    let options = Options::default().set("subscription_identifiers_available", false);
    each_broker(&options, |broker| {
        assert_eq!(announced(broker, 0x29), Some(0));
        let with_id = subscribe_with(V5, 1, &[prop::subscription_id(3)], &[("a/b", 0)]);
        subscribe_refused(broker, with_id, 0xA1);
        assert_eq!(Client::connect(broker, V5, &fresh("plain")).subscribe("a/b", 0), 0);
    });
}

#[test]
fn shared_subscription_available() {
    let options = Options::default().set("shared_subscription_available", false);
    each_broker(&options, |broker| {
        assert_eq!(announced(broker, 0x2A), Some(0));
        subscribe_refused(broker, subscribe(V5, 1, &[("$share/g/a", 0)]), 0x9E);
        subscribe_fails_in_version_311(broker, "$share/g/a");
        assert_eq!(Client::connect(broker, V5, &fresh("plain")).subscribe("a/b", 0), 0);
    });
}

#[test]
fn b11_a_longer_keep_alive_than_allowed_is_clamped_or_refused() {
    let options = Options::default().set("max_keepalive", 10);
    each_broker(&options, |broker| {
        for (asked, told) in
            [(11, Some(10)), (65535, Some(10)), (0, Some(10)), (10, None), (9, None)]
        {
            let connect = Connect::new(V5, &fresh("keep")).keep_alive(asked);
            let (_client, connack) = Client::accepted(broker, &connect);
            assert_eq!(connack.properties.int(0x13), told, "asked for {asked}");
        }
        each_version(&V3, |version| {
            let with = |seconds| Connect::new(version, &fresh("keep")).keep_alive(seconds);
            Client::with(broker, &with(10)).ping();
            for asked in [0, 11, 65535] {
                assert_eq!(Client::refused(broker, &with(asked)).code, 2, "asked for {asked}");
            }
        });
    });
}

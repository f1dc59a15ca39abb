//! No packet to a client is larger than the Maximum Packet Size it named, words and all.

use crate::support::Scope;
use crate::support::Version::V5;
use crate::support::broker::{Broker, Options, each_broker};
use crate::support::bytes::{Connect, Publish, packet, prop, pubrec, pubrel, subscribe, text};
use crate::support::client::Client;
use crate::support::fresh;
use crate::support::parse::Packet;

fn limited(limit: u32) -> Connect {
    Connect::new(V5, &fresh("size")).with(prop::maximum_packet_size(limit))
}

/// Every answer until the connection ends or the one to PINGREQ came; none is over the limit.
fn answers(client: &mut Client, limit: u32) -> Vec<Packet> {
    let mut all = Vec::new();
    while let Some(packet) = client.try_packet() {
        let size = 2 + packet.body.len();
        assert!(size <= limit as usize, "{size} bytes, the limit is {limit}: {packet:?}");
        all.push(packet);
        if all.last().is_some_and(|packet| packet.first == 0xD0) {
            break;
        }
    }
    all
}

/// Shows 5.0 [MQTT-3.1.2-24], [MQTT-3.2.2-19], [MQTT-3.2.2-20].
#[test]
fn a_refusal_is_shortened_to_the_clients_limit() {
    each_broker(&Options::default(), |broker| {
        for limit in 1..60 {
            let _scope = Scope(format!("limit {limit}"));
            let mut client = Client::open(broker, V5);
            client.send(limited(limit).with(prop::auth_method("unknown")).bytes());
            let refusal = answers(&mut client, limit);
            // Two bytes of fixed header, flags, the reason, and no properties.
            assert_eq!(refusal.len(), usize::from(limit >= 5));
            for packet in refusal {
                let connack = packet.connack(V5);
                assert_eq!(connack.code, 0x8C);
                assert!(limit < 50 || connack.properties.text(0x1F).is_some(), "no words");
            }
        }
    });
}

#[test]
fn a_client_that_cannot_take_its_connack_gets_no_session() {
    each_broker(&Options::default(), |broker| {
        let id = fresh("size");
        let persistent = Connect::persistent(V5, &id);
        let mut client = Client::open(broker, V5);
        client.send(persistent.clone().with(prop::maximum_packet_size(6)).bytes());
        client.closed();
        let (_client, connack) = Client::accepted(broker, &persistent);
        assert!(!connack.session_present);
    });
}

/// Connects with this limit, has every answer sent that a broker may want to explain, and gives
/// whether it was connected at all.
fn provoke(broker: &Broker, limit: u32) -> bool {
    let filters: Vec<String> = (0..30).map(|index| format!("size/{index}")).collect();
    let wanted: Vec<(&str, u8)> = filters.iter().map(|filter| (filter.as_str(), 0)).collect();
    let unsubscribe: Vec<u8> = filters.iter().flat_map(text).collect();
    let provocations = [
        Publish::new(V5, "$SYS/x", "x").qos(1, 1).bytes(),
        Publish::new(V5, "$SYS/x", "x").qos(2, 2).bytes(),
        pubrel(77),
        pubrec(78),
        subscribe(V5, 3, &[("$share/broken", 0)]),
        subscribe(V5, 4, &wanted),
        packet(0xA2, &[&[0, 5, 0], &text("size/never")]),
        packet(0xA2, &[&[0, 6, 0], &unsubscribe]),
        Publish::new(V5, "a/+", "x").bytes(),
        packet(0xF0, &[&[0x19, 0x00]]),
    ];
    for bytes in provocations {
        let mut client = Client::open(broker, V5);
        client.send(limited(limit).bytes());
        client.send(&bytes);
        client.send([0xC0, 0x00]);
        let got = answers(&mut client, limit);
        if got.is_empty() {
            return false;
        }
        assert_eq!(got[0].connack(V5).code, 0);
        assert_eq!(got.len(), 3 - usize::from(got[1].first == 0xE0), "{got:?}");
    }
    true
}

/// Shows 5.0 [MQTT-3.4.2-2], [MQTT-3.4.2-3], [MQTT-3.5.2-2], [MQTT-3.5.2-3], [MQTT-3.6.2-2],
/// [MQTT-3.6.2-3], [MQTT-3.7.2-2], [MQTT-3.7.2-3], [MQTT-3.9.2-1], [MQTT-3.9.2-2], [MQTT-3.11.2-1],
/// [MQTT-3.11.2-2], [MQTT-3.14.2-3], [MQTT-3.14.2-4].
#[test]
fn every_answer_keeps_to_the_clients_limit() {
    each_broker(&Options::default(), |broker| {
        let connected = (1..80).filter(|limit| {
            let _scope = Scope(format!("limit {limit}"));
            provoke(broker, *limit)
        });
        let connected: Vec<u32> = connected.collect();
        assert!(connected.len() > 60, "only with these limits: {connected:?}");
    });
}

/// Shows 5.0 [MQTT-3.1.2-24].
#[test]
fn a_suback_that_does_not_fit_ends_the_connection() {
    each_broker(&Options::default(), |broker| {
        for (name, first) in [("SUBSCRIBE", 0x82), ("UNSUBSCRIBE", 0xA2)] {
            let _scope = Scope(name.into());
            let mut client = Client::with(broker, &limited(30));
            let options: &[u8] = if first == 0x82 { &[0] } else { &[] };
            let filters: Vec<u8> =
                (0..40).flat_map(|_| [&text("size/many"), options].concat()).collect();
            client.send(packet(first, &[&[0, 1, 0], &filters]));
            client.closed_for(0x95);
        }
    });
}

//! However the network cuts the stream of bytes, the packets in it are the same.

use crate::support::broker::each;
use crate::support::bytes::{
    Connect, PINGREQ, Publish, disconnect, puback, pubcomp, pubrec, pubrel, subscribe, unsubscribe,
};
use crate::support::client::Client;
use crate::support::{ALL, fresh};

/// Shows 5.0 [MQTT-4.2.0-1]; 3.1.1 [MQTT-7.1.1-1].
#[test]
fn a_conversation_byte_by_byte() {
    each(&ALL, |broker, version| {
        let topic = fresh("dribble");
        let mut peer = Client::connect(broker, version, &fresh("peer"));
        let mut client = Client::open(broker, version);
        client.dribble(Connect::new(version, &fresh("dribbler")).bytes());
        assert_eq!(client.connack().code, 0);
        client.dribble(subscribe(version, 1, &[(&topic, 2)]));
        assert_eq!(client.answer(0x90).id, 1);
        for qos in [0, 1, 2] {
            std::thread::scope(|scope| {
                let publishing = scope.spawn(|| peer.publish(&topic, "in pieces", qos));
                let delivery = client.delivery();
                assert_eq!((delivery.text(), delivery.qos), ("in pieces", qos));
                match qos {
                    1 => client.dribble(puback(delivery.id)),
                    2 => {
                        client.dribble(pubrec(delivery.id));
                        assert_eq!(client.answer(0x62).id, delivery.id);
                        client.dribble(pubcomp(delivery.id));
                    }
                    _ => {}
                }
                assert_eq!(publishing.join().unwrap(), 0);
            });
        }
        client.dribble(unsubscribe(version, 2, &[&topic]));
        assert_eq!(client.answer(0xB0).id, 2);
        client.dribble(Publish::new(version, &topic, "own").qos(2, 3).bytes());
        assert_eq!(client.answer(0x50).id, 3);
        client.dribble(pubrel(3));
        assert_eq!(client.answer(0x70).id, 3);
        client.dribble(PINGREQ);
        client.expect([0xD0, 0x00]);
        client.dribble(disconnect());
        client.closed();
    });
}

#[test]
fn every_packet_split_at_every_byte() {
    each(&ALL, |broker, version| {
        let topic = fresh("split");
        let mut watcher = Client::connect(broker, version, &fresh("watcher"));
        watcher.subscribe(&topic, 0);
        let mut client = Client::connect(broker, version, &fresh("splitter"));
        let mut id = 0;
        for (make, answer) in [
            (0x30, None),
            (0x32, Some(0x40)),
            (0x34, Some(0x50)),
            (0x62, Some(0x70)),
            (0x82, Some(0x90)),
            (0xA2, Some(0xB0)),
        ] {
            let build = |id| match make {
                0x30 => Publish::new(version, &topic, "0").bytes(),
                0x32 => Publish::new(version, &topic, "1").qos(1, id).bytes(),
                0x34 => Publish::new(version, &topic, "2").qos(2, id).bytes(),
                0x62 => pubrel(id),
                0x82 => subscribe(version, id, &[("split/elsewhere", 1), ("split/+/x", 2)]),
                _ => unsubscribe(version, id, &["split/elsewhere", "split/+/x"]),
            };
            for at in 1..build(1).len() {
                id += 1;
                let bytes = build(id);
                client.split(&bytes[..at], &bytes[at..]);
                if let Some(answer) = answer {
                    assert_eq!(client.answer(answer).id, id, "split at {at}");
                }
                if make == 0x34 {
                    client.send(pubrel(id));
                    assert_eq!(client.answer(0x70).id, id);
                }
                if make & 0xF0 == 0x30 {
                    assert_eq!(watcher.delivery().topic, topic, "split at {at}");
                }
            }
        }
    });
}

/// Shows 3.1.1 [MQTT-4.6.0-2], [MQTT-4.6.0-6].
#[test]
fn many_packets_in_one_write() {
    each(&ALL, |broker, version| {
        let topic = fresh("packed");
        let mut subscriber = Client::connect(broker, version, &fresh("packed-s"));
        subscriber.subscribe(&topic, 1);
        let mut client = Client::open(broker, version);
        let mut bytes = Connect::new(version, &fresh("packed-p")).bytes();
        for id in 1..=200 {
            bytes.extend(Publish::new(version, &topic, id.to_string()).qos(1, id).bytes());
        }
        bytes.extend(disconnect());
        client.send(bytes);
        assert_eq!(client.connack().code, 0);
        for id in 1..=200 {
            assert_eq!(client.answer(0x40).id, id);
        }
        client.closed();
        for id in 1..=200 {
            subscriber.receive_this(&topic, id.to_string(), 1);
        }
    });
}

#[test]
fn a_large_payload_in_many_pieces() {
    each(&ALL, |broker, version| {
        let topic = fresh("pieces");
        let mut subscriber = Client::connect(broker, version, &fresh("pieces-s"));
        subscriber.subscribe(&topic, 0);
        let payload: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
        let mut client = Client::connect(broker, version, &fresh("pieces-p"));
        let bytes = Publish::new(version, &topic, &payload).bytes();
        let (mut rest, mut step) = (bytes.as_slice(), 1);
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(step.min(rest.len()));
            client.send(piece);
            (rest, step) = (later, step * 3 % 7919 + 1);
        }
        client.ping();
        assert_eq!(subscriber.delivery().payload, payload);
    });
}

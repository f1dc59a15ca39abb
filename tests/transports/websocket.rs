//! WebSocket: frames, control frames, the upgrade.

use std::io::Write;

use crate::site::{Kind, Site, each_kind, each_site, tcp};
use crate::support::Version::{V5, V311};
use crate::support::bytes::{Connect, PINGREQ, Publish, subscribe};
use crate::support::client::Client;
use crate::support::fresh;
use crate::support::link::{Link, MQTT, WebSocket, frame, http_head, upgrade};

const WEB: [Kind; 2] = [Kind::Web, Kind::SecureWeb];

/// Upgraded, nothing said yet.
fn open(site: &Site, kind: Kind) -> WebSocket {
    let inner: Box<dyn Link> = match kind {
        Kind::Web => Box::new(tcp(site.address(kind))),
        _ => {
            let address = site.address(kind);
            Box::new(crate::site::secure(address, "broker.example", site.tls()).expect("TLS"))
        }
    };
    WebSocket::open(inner, MQTT)
}

fn connected(site: &Site, kind: Kind) -> Client {
    let mut client = Client::over(Box::new(open(site, kind)), V5);
    client.send(Connect::new(V5, &fresh("web")).bytes());
    assert_eq!(client.connack().code, 0);
    client
}

#[test]
fn c29_packets_of_every_size_arrive_around_the_edges_and_at_5_mb() {
    each_kind(&WEB, |site, kind| {
        let mut client = connected(site, kind);
        let topic = fresh("edges");
        client.subscribe(&topic, 1);
        let around = |size: usize| [size - 1, size, size + 1];
        let sizes = around(4096).into_iter().chain(around(126)).chain(around(65_536));
        for size in sizes.chain([5_000_000]) {
            // The whole packet has that size, and so has its frame.
            let empty = Publish::new(V5, &topic, "").qos(1, 1).bytes();
            let more_length = (size > 129) as usize + (size > 16_386) as usize;
            let payload = vec![b'e'; size - empty.len() - more_length];
            let packet = Publish::new(V5, &topic, &payload).qos(1, 1).bytes();
            client.send(packet);
            // The acknowledgement and the message may come in either order.
            for _ in 0..2 {
                let packet = client.packet();
                if packet.first == 0x40 {
                    assert_eq!(packet.answer(0x40, V5).id, 1);
                } else {
                    let delivery = packet.delivery(V5);
                    assert!(delivery.payload == payload, "{size}");
                    client.acknowledge(&delivery);
                }
            }
        }
        client.leave();
    });
}

/// Shows 5.0 [MQTT-6.0.0-2]; 3.1.1 [MQTT-6.0.0-2].
#[test]
fn c29_packets_may_share_frames_span_them_and_come_byte_by_byte() {
    each_kind(&WEB, |site, kind| {
        let topic = fresh("frames");
        let all = [
            Connect::new(V311, &fresh("web")).bytes(),
            subscribe(V311, 1, &[(&topic, 0)]),
            Publish::new(V311, &topic, "one").bytes(),
            Publish::new(V311, &topic, "two").bytes(),
            PINGREQ.to_vec(),
        ]
        .concat();
        let by = |size: usize| -> Vec<u8> {
            all.chunks(size).flat_map(|chunk| frame(0x82, chunk)).collect()
        };
        // A message in three fragments, a ping between them.
        let fragments = [
            frame(0x02, &all[..7]),
            frame(0x89, b"are you there"),
            frame(0x00, &all[7..20]),
            frame(0x80, &all[20..]),
        ]
        .concat();
        for bytes in [by(all.len()), by(1), by(3), fragments] {
            let mut socket = open(site, kind);
            socket.raw(&bytes);
            let mut client = Client::over(Box::new(socket), V311);
            assert_eq!(client.connack().code, 0);
            assert_eq!(client.answer(0x90).codes, [0]);
            client.receive_this(&topic, "one", 0);
            client.receive_this(&topic, "two", 0);
            client.expect([0xD0, 0x00]);
        }
        // Nor does it matter how frames are cut into segments.
        let mut socket = open(site, kind);
        for byte in by(5) {
            socket.raw(&[byte]);
        }
        let mut client = Client::over(Box::new(socket), V311);
        assert_eq!(client.connack().code, 0);
    });
}

#[test]
fn a_ping_is_answered_and_a_close_is_returned() {
    each_kind(&WEB, |site, kind| {
        let mut socket = open(site, kind);
        socket.raw(&frame(0x89, b"beat"));
        assert_eq!(socket.control(), (10, b"beat".to_vec()));
        socket.raw(&frame(0x8A, b"unasked for"));
        socket.raw(&frame(0x89, &[7; 125]));
        assert_eq!(socket.control(), (10, vec![7; 125]));
        socket.raw(&frame(0x88, &[0x03, 0xE9, b'b', b'y', b'e']));
        assert_eq!(socket.control(), (8, vec![0x03, 0xE9]));
    });
}

/// That the broker's own frames are binary, `WebSocket` checks with each.
///
/// Shows 5.0 [MQTT-6.0.0-1]; 3.1.1 [MQTT-6.0.0-1].
#[test]
fn data_in_other_frames_than_binary_ones_ends_the_connection() {
    each_kind(&WEB, |site, kind| {
        let mut client = connected(site, kind);
        client.ping();
        for connect in [Connect::new(V5, &fresh("text")), Connect::new(V311, &fresh("text"))] {
            let connect = connect.bytes();
            let begun = [frame(0x01, &connect[..4]), frame(0x80, &connect[4..])].concat();
            for bytes in [frame(0x81, &connect), begun] {
                let mut socket = open(site, kind);
                socket.raw(&bytes);
                assert_eq!(socket.control(), (8, 1003_u16.to_be_bytes().to_vec()));
                socket.ended();
            }
        }
    });
}

#[test]
fn what_websocket_forbids_ends_the_connection_with_its_status() {
    each_kind(&WEB, |site, kind| {
        for (bytes, status) in [
            (frame(0x81, b"text"), 1003u16),
            (vec![0x82, 0x01, b'a'], 1002),
            (frame(0xC2, b"deflated"), 1002),
            (frame(0x83, b""), 1002),
            (frame(0x80, b"continues nothing"), 1002),
            (frame(0x09, b"a fragment of a ping"), 1002),
        ] {
            let mut socket = open(site, kind);
            socket.raw(&bytes);
            assert_eq!(socket.control(), (8, status.to_be_bytes().to_vec()), "{bytes:02x?}");
        }
    });
}

#[test]
fn the_upgrade_may_come_byte_by_byte() {
    each_site(|site| {
        let mut stream = tcp(site.address(Kind::Web));
        for byte in upgrade(MQTT).bytes() {
            stream.write_all(&[byte]).expect("send");
        }
        let mut client = Client::over(Box::new(WebSocket::opened(Box::new(stream))), V5);
        client.send(Connect::new(V5, &fresh("web")).bytes());
        assert_eq!(client.connack().code, 0);
        client.leave();
    });
}

#[test]
fn what_follows_the_upgrade_at_once_is_not_lost() {
    each_site(|site| {
        let mut stream = tcp(site.address(Kind::Web));
        let connect = Connect::new(V5, &fresh("web")).bytes();
        let bytes = [upgrade(MQTT).into_bytes(), frame(0x82, &connect)].concat();
        stream.write_all(&bytes).expect("send");
        let mut client = Client::over(Box::new(WebSocket::opened(Box::new(stream))), V5);
        assert_eq!(client.connack().code, 0);
    });
}

/// Shows 5.0 [MQTT-6.0.0-4]; 3.1.1 [MQTT-6.0.0-4].
#[test]
fn of_the_subprotocols_that_are_offered_mqtt_is_chosen() {
    each_site(|site| {
        for offer in ["mqtt", "mqttv3.1, mqtt", "chat,mqtt , mqttv3.1"] {
            let mut stream = tcp(site.address(Kind::Web));
            let header = format!("Sec-WebSocket-Protocol: {offer}\r\n");
            stream.write_all(upgrade(&header).as_bytes()).expect("send");
            let head = http_head(&mut stream).0;
            assert!(head.starts_with("HTTP/1.1 101 "), "{offer}: {head}");
            assert!(head.contains("Sec-WebSocket-Protocol: mqtt\r\n"), "{offer}: {head}");
        }
    });
}

#[test]
fn origins_subprotocols_and_large_heads_are_looked_at() {
    each_site(|site| {
        let ask = |address, extra: &str| {
            let mut stream = tcp(address);
            stream.write_all(upgrade(extra).as_bytes()).expect("send");
            http_head(&mut stream).0
        };
        let open = site.address(Kind::Web);
        let head = ask(open, "Sec-WebSocket-Protocol: mqttv3.1\r\n");
        assert!(head.starts_with("HTTP/1.1 101") && head.contains("Protocol: mqttv3.1\r\n"));
        assert!(ask(open, "").starts_with("HTTP/1.1 400"));
        assert!(ask(open, &format!("X: {}\r\n", "y".repeat(5000))).starts_with("HTTP/1.1 431"));
        let picky = site.picky_web();
        let with = |origin: &str| format!("{MQTT}Origin: {origin}\r\n");
        assert!(ask(picky, &with("https://good.example")).starts_with("HTTP/1.1 101"));
        assert!(ask(picky, &with("https://good.example.evil")).starts_with("HTTP/1.1 403"));
        assert!(ask(picky, MQTT).starts_with("HTTP/1.1 403"));
    });
}

#[test]
fn a_trusted_proxys_word_is_the_address_in_the_log() {
    each_site(|site| {
        let extra = format!(
            "{MQTT}Origin: https://good.example\r\nX-Forwarded-For: 10.9.9.9, 192.0.2.55\r\n"
        );
        let socket = WebSocket::open(Box::new(tcp(site.picky_web())), &extra);
        let mut client = Client::over(Box::new(socket), V5);
        let id = fresh("forwarded");
        client.send(Connect::new(V5, &id).bytes());
        assert_eq!(client.connack().code, 0);
        site.broker.wait_log(&format!("New client connected from 192.0.2.55:0 as {id}"));
    });
}

//! What MQTT does on every transport.

use std::thread;

use crate::site::{KINDS, Kind, Site, each_kind, each_site};
use crate::support::Version::{V5, V311};
use crate::support::bytes::{Connect, Publish, disconnect, prop, subscribe};
use crate::support::client::Client;
use crate::support::{fresh, let_pass};

#[test]
fn messages_of_every_qos_and_size_go_over_every_transport() {
    each_kind(&KINDS, |site, kind| {
        let mut subscriber = site.client(kind, V311);
        subscriber.send(Connect::new(V311, &fresh("sub")).bytes());
        assert_eq!(subscriber.connack().code, 0);
        let mut publisher = site.client(kind, V5);
        publisher.send(Connect::new(V5, &fresh("pub")).bytes());
        assert_eq!(publisher.connack().code, 0);
        let topic = fresh("streams");
        assert_eq!(subscriber.subscribe(&topic, 2), 2);
        for (qos, size) in [(0, 1), (1, 100), (2, 4096), (1, 70_000), (0, 300_000)] {
            let payload = vec![b'a' + qos; size];
            assert_eq!(publisher.publish(&topic, &payload, qos), 0);
            subscriber.receive_this(&topic, &payload, qos);
        }
        publisher.ping();
        // The end is said in each layer's own way, or reading it fails.
        publisher.leave();
        subscriber.leave();
    });
}

#[test]
fn a_session_takes_its_connection_along_to_its_shard() {
    let site = Site::shared(4);
    for kind in KINDS {
        // Whichever shard accepts, the session's shard must get the socket, its layers and all
        // that was sent behind CONNECT.
        let ids: Vec<String> = (0..6).map(|_| fresh("mover")).collect();
        let topic = fresh("moving");
        for id in &ids {
            let mut client = site.client(kind, V5);
            let connect = Connect::new(V5, id).with(prop::session_expiry(600));
            client.send(connect.bytes());
            assert_eq!(client.connack().code, 0);
            client.subscribe(&topic, 1);
            client.leave();
        }
        let mut publisher = Client::connect(&site.broker, V311, &fresh("pub"));
        assert_eq!(publisher.publish(&topic, "queued", 1), 0);
        let mut open = Vec::new();
        for id in ids.iter().rev() {
            let mut client = site.client(kind, V5);
            let connect = Connect::new(V5, id).clean(false).with(prop::session_expiry(600));
            let own = fresh("own");
            let all = [
                connect.bytes(),
                subscribe(V5, 9, &[(&own, 0)]),
                Publish::new(V5, &own, "mine").bytes(),
            ];
            client.send(all.concat());
            let connack = client.connack();
            assert!(connack.code == 0 && connack.session_present);
            // The queued message and the answer may come in either order.
            let mut got: Vec<u8> = Vec::new();
            while got.len() < 3 {
                let packet = client.packet();
                if packet.first == 0x90 {
                    assert_eq!(packet.answer(0x90, V5).id, 9);
                    got.push(0);
                    continue;
                }
                let delivery = packet.delivery(V5);
                client.acknowledge(&delivery);
                got.push(delivery.payload[0]);
            }
            got.sort_unstable();
            assert_eq!(got, [0, b'm', b'q']);
            client.ping();
            open.push(client);
        }
        open.into_iter().for_each(Client::leave);
    }
}

#[test]
fn c13_every_retained_message_comes_however_slowly_it_is_read() {
    const COUNT: usize = 5000;
    each_site(|site| {
        let prefix = fresh("retained");
        let mut publisher = Client::connect(&site.broker, V311, &fresh("pub"));
        let payload = [b'x'; 200];
        let packets: Vec<Vec<u8>> = (0..COUNT)
            .map(|n| Publish::new(V311, &format!("{prefix}/{n}"), payload).retain().bytes())
            .collect();
        publisher.send(packets.concat());
        publisher.ping();
        thread::scope(|scope| {
            for kind in [Kind::Tls, Kind::Web, Kind::SecureWeb, Kind::Unix] {
                let filter = format!("{prefix}/#");
                scope.spawn(move || {
                    for qos in [0, 1] {
                        let mut client = site.client(kind, V5);
                        client.send(Connect::new(V5, &fresh("slow")).bytes());
                        assert_eq!(client.connack().code, 0);
                        client.send(subscribe(V5, 1, &[(&filter, qos)]));
                        assert_eq!(client.answer(0x90).codes, [qos]);
                        let mut seen = vec![false; COUNT];
                        for n in 0..COUNT {
                            if n % 1000 == 0 {
                                let_pass(20);
                            }
                            let delivery = client.receive();
                            let name = delivery.topic.rsplit('/').next().unwrap();
                            seen[name.parse::<usize>().unwrap()] = true;
                        }
                        assert!(seen.iter().all(|seen| *seen), "{kind:?}");
                        client.ping();
                        client.leave();
                    }
                });
            }
        });
        // The shared broker does not keep them.
        let gone: Vec<Vec<u8>> = (0..COUNT)
            .map(|n| Publish::new(V311, &format!("{prefix}/{n}"), "").retain().bytes())
            .collect();
        publisher.send(gone.concat());
        publisher.ping();
    });
}

#[test]
fn a_unix_socket_leaves_no_name_behind() {
    let site = Site::start(1);
    let mut client = site.client(Kind::Unix, V311);
    client.send(Connect::new(V311, "unix").bytes());
    assert_eq!(client.connack().code, 0);
    client.send(disconnect());
    client.closed();
    let path = site.path();
    assert!(path.exists());
    site.broker.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(site.broker.wait_exit().success());
    assert!(!path.exists());
}

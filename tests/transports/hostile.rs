//! Peers that do not speak what a listener expects, or do not go on.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConnection;

use crate::pki::Tls;
use crate::site::{Kind, Site, each_site, secure, tcp};
use crate::support::Version::{V5, V311};
use crate::support::broker::{Broker, Options};
use crate::support::bytes::Connect;
use crate::support::client::{Bystanders, Client};
use crate::support::link::{MQTT, WebSocket, frame, upgrade};
use crate::support::{fresh, let_pass};

/// Waits for the broker to close; what it may have said before does not matter here.
fn ends(mut stream: impl Read) {
    let mut chunk = [0; 4096];
    // A reset is an end, too.
    while stream.read(&mut chunk).is_ok_and(|count| count > 0) {}
}

/// The first bytes that a TLS client sends.
fn hello(site: &Site) -> Vec<u8> {
    let config = Tls::new(&site.authority.pem).config();
    let name = "broker.example".try_into().expect("a name");
    let mut connection = ClientConnection::new(config, name).expect("a configuration");
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).expect("a ClientHello");
    bytes
}

#[test]
fn a2_the_time_to_connect_runs_from_accept_on_every_layer() {
    let site = Site::start_with(4, |options| options.set("connect_timeout", 1));
    let begun = Instant::now();
    let hello = hello(&site);
    let connect = Connect::new(V5, &fresh("late")).bytes();
    let half = &connect[..connect.len() / 2];
    // A whole record with the first part of a handshake message.
    let fragment = [&[0x16, 3, 1, 0, 50], &hello[5..55]].concat();
    let mut standing = Bystanders::new(&site.broker);
    let mut alive = site.client(Kind::Tls, V5);
    alive.send(Connect::new(V5, &fresh("alive")).bytes());
    assert_eq!(alive.connack().code, 0);
    thread::scope(|scope| {
        // Nothing at all; a part of a handshake; a handshake and no more; half a CONNECT.
        for kind in [Kind::Tls, Kind::Web, Kind::SecureWeb, Kind::Proxied] {
            let address = site.address(kind);
            scope.spawn(move || ends(tcp(address)));
        }
        let opens = |address: SocketAddr, bytes: &[u8]| {
            let mut stream = tcp(address);
            stream.write_all(bytes).expect("send");
            stream
        };
        let stopped = [
            opens(site.address(Kind::Tls), &hello),
            opens(site.address(Kind::Tls), &hello[..hello.len() / 2]),
            opens(site.address(Kind::Tls), &fragment),
            opens(site.address(Kind::Web), &upgrade(MQTT).as_bytes()[..60]),
            opens(site.address(Kind::Proxied), b"PROXY TCP4 1.2"),
        ];
        for stream in stopped {
            scope.spawn(move || ends(stream));
        }
        let config = Tls::new(&site.authority.pem).config();
        let mut silent = secure(site.address(Kind::Tls), "broker.example", config).expect("TLS");
        silent.write_all(half).expect("send");
        scope.spawn(move || ends(silent));
        let mut web = WebSocket::open(Box::new(tcp(site.address(Kind::Web))), MQTT);
        web.raw(&frame(0x82, half));
        scope.spawn(move || ends(web));
        // Single bytes do not start the time anew.
        for (kind, bytes) in [(Kind::Tls, hello.clone()), (Kind::Web, upgrade(MQTT).into())] {
            let mut stream = tcp(site.address(kind));
            scope.spawn(move || {
                for byte in bytes {
                    if stream.write_all(&[byte]).is_err() {
                        break;
                    }
                    let_pass(100);
                }
                ends(stream);
            });
        }
    });
    assert!(begun.elapsed() >= Duration::from_millis(900));
    // Those that did connect are not under that clock.
    standing.exchange();
    alive.ping();
}

#[test]
fn a2_an_address_has_few_places_on_each_layer_before_connect() {
    let site = Site::start_with(1, |options| options.set("max_unauthenticated_per_address", 3));
    let hello = hello(&site);
    let waiting: Vec<_> = [Kind::Tls, Kind::Web, Kind::Tls]
        .map(|kind| {
            let mut stream = tcp(site.address(kind));
            let first = match kind {
                Kind::Web => upgrade(MQTT).into_bytes(),
                _ => hello.clone(),
            };
            stream.write_all(&first).expect("send");
            // The answer shows that it has its place.
            assert_ne!(stream.read(&mut [0; 4096]).expect("an answer"), 0, "{kind:?}");
            stream
        })
        .into();
    // The socket is accepted by the system and closed by the broker.
    ends(tcp(site.address(Kind::Tls)));
    drop(waiting);
    // Their places are given back as soon as the broker notices.
    let until = Instant::now() + crate::support::broker::PATIENCE;
    loop {
        let config = Tls::new(&site.authority.pem).config();
        match secure(site.address(Kind::Tls), "broker.example", config) {
            Ok(_) => break,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    }
}

#[test]
fn a12_the_wrong_protocol_is_told_in_one_short_line() {
    each_site(|site| {
        let mut standing = Bystanders::new(&site.broker);
        let hello = hello(site);
        let connect = Connect::new(V311, &fresh("lost")).bytes();
        let get = b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n";
        let noise: Vec<u8> = (0..200u32).map(|n| (n * 167 % 251) as u8 | 0x80).collect();
        for (address, bytes) in [
            (site.broker.address, &get[..]),
            (site.broker.address, &hello),
            (site.broker.address, &noise),
            (site.address(Kind::Tls), &connect),
            (site.address(Kind::Tls), &get[..]),
            (site.address(Kind::Tls), &noise),
            (site.address(Kind::Web), &connect),
            (site.address(Kind::Web), &hello),
            (site.address(Kind::SecureWeb), &get[..]),
        ] {
            let mut stream = tcp(address);
            stream.write_all(bytes).expect("send");
            ends(stream);
        }
        standing.exchange();
    });
}

#[test]
fn a12_lines_about_strangers_are_thinned_out() {
    let site = Site::start(1);
    let connect = Connect::new(V311, "lost").bytes();
    for _ in 0..300 {
        let mut stream = tcp(site.address(Kind::Tls));
        stream.write_all(&connect).expect("send");
        ends(stream);
        let mut stream = tcp(site.broker.address);
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("send");
        ends(stream);
    }
    site.broker.wait_log("refused: no TLS on a TLS listener");
    site.broker.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(site.broker.wait_exit().success());
    let lines = site.broker.log_lines();
    let about = lines.iter().filter(|line| {
        line.contains("refused: no TLS") || line.contains("disconnected due to protocol error")
    });
    let count = about.count();
    assert!((2..400).contains(&count), "{count} of 600");
    assert!(lines.iter().all(|line| line.len() < 300));
}

#[test]
fn garbage_inside_an_open_layer_ends_only_that_connection() {
    each_site(|site| {
        let mut standing = Bystanders::new(&site.broker);
        for kind in [Kind::Tls, Kind::Web, Kind::SecureWeb, Kind::Unix] {
            let mut client = site.client(kind, V5);
            client.send(b"\xF0\xFF\xFF\xFF\xFFno MQTT at all");
            client.closed();
            let mut client = site.client(kind, V5);
            client.send(Connect::new(V5, &fresh("then")).bytes());
            assert_eq!(client.connack().code, 0);
            client.send([0x00, 0x00]);
            client.closed_for(0x81);
        }
        // A record that was not made with the keys.
        let config = Tls::new(&site.authority.pem).config();
        let mut stream = secure(site.address(Kind::Tls), "broker.example", config).expect("TLS");
        let forged = [&[0x17, 3, 3, 0, 40][..], &[0xAB; 40]].concat();
        stream.sock.write_all(&forged).expect("send");
        ends(stream);
        let mut client = Client::connect(&site.broker, V5, &fresh("after"));
        client.ping();
        standing.exchange();
    });
}

#[test]
fn half_open_connections_do_not_keep_others_out() {
    let broker = Broker::start(1, &Options::default());
    drop(broker);
    let site = Site::start(4);
    let mut standing = Bystanders::new(&site.broker);
    let hello = hello(&site);
    let mut open = Vec::new();
    for n in 0..400 {
        let (kind, bytes) = match n % 2 {
            0 => (Kind::Tls, hello.clone()),
            _ => (Kind::Web, upgrade(MQTT)[..80].into()),
        };
        let mut stream = tcp(site.address(kind));
        stream.write_all(&bytes).expect("send");
        open.push(stream);
    }
    standing.exchange();
    let mut client = site.client(Kind::SecureWeb, V5);
    client.send(Connect::new(V5, &fresh("in")).bytes());
    assert_eq!(client.connack().code, 0);
}

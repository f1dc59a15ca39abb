//! The PROXY protocol.

use std::io::{Read, Write};

use crate::site::{Kind, Site, each_site, tcp};
use crate::support::Version::V5;
use crate::support::broker::{Broker, Options};
use crate::support::bytes::Connect;
use crate::support::client::{Bystanders, Client};
use crate::support::fresh;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2: command, family, what it says of its length, the rest.
fn binary(command: u8, family: u8, len: u16, rest: &[u8]) -> Vec<u8> {
    [&SIGNATURE[..], &[command, family], &len.to_be_bytes(), rest].concat()
}

const IPV4: [u8; 12] = [192, 0, 2, 77, 127, 0, 0, 1, 0x1F, 0x90, 0x07, 0x5B];

fn connects(site: &Site, header: &[u8], whole: bool) -> String {
    let id = fresh("proxied");
    let bytes = [header, &Connect::new(V5, &id).bytes()].concat();
    let mut stream = tcp(site.address(Kind::Proxied));
    if whole {
        stream.write_all(&bytes).expect("send");
    } else {
        bytes.iter().for_each(|byte| stream.write_all(&[*byte]).expect("send"));
    }
    let mut client = Client::over(Box::new(stream), V5);
    assert_eq!(client.connack().code, 0);
    client.leave();
    id
}

#[test]
fn the_address_told_is_the_one_in_the_log() {
    each_site(|site| {
        let v1 = b"PROXY TCP6 2001:db8::9 ::1 8080 1883\r\n";
        let v2 = binary(0x21, 0x11, 15, &[&IPV4[..], &[4, 0, 0]].concat());
        for whole in [true, false] {
            let id = connects(site, v1, whole);
            site.broker.wait_log(&format!("connected from [2001:db8::9]:8080 as {id}"));
            let id = connects(site, &v2, whole);
            site.broker.wait_log(&format!("connected from 192.0.2.77:8080 as {id}"));
        }
        // The proxy itself, looking after us.
        let id = connects(site, &binary(0x20, 0x00, 0, &[]), true);
        site.broker.wait_log("connected from 127.0.0.1:");
        site.broker.wait_log(&id);
    });
}

#[test]
fn a11_a_lying_header_ends_the_connection_at_once() {
    each_site(|site| {
        let mut standing = Bystanders::new(&site.broker);
        let connect = Connect::new(V5, &fresh("liar")).bytes();
        for header in [
            binary(0x21, 0x11, 0xFFFF, &IPV4),
            binary(0x21, 0x11, 3, &IPV4),
            binary(0x21, 0x51, 12, &IPV4),
            binary(0x2F, 0x11, 12, &IPV4),
            binary(0x21, 0x11, 18, &[&IPV4[..], &[0x20, 0xFF, 0xFF, 1, 1, 1]].concat()),
            b"PROXY TCP4 1.2.3.4\r\n".to_vec(),
            [b"PROXY ".to_vec(), vec![b'9'; 200]].concat(),
            connect.clone(),
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        ] {
            let mut stream = tcp(site.address(Kind::Proxied));
            stream.write_all(&[header, connect.clone()].concat()).expect("send");
            let mut rest = Vec::new();
            // A reset is an end, too.
            let _ = stream.read_to_end(&mut rest);
            assert!(rest.is_empty(), "{rest:02x?}");
        }
        standing.exchange();
        site.broker.wait_log("refused: malformed PROXY header");
    });
}

#[test]
fn limits_are_for_the_client_and_not_for_its_proxy() {
    let options = Options::default()
        .set("max_unauthenticated_per_address", 2)
        .listener("enable_proxy_protocol", "\"1\"");
    for shards in [1, 4] {
        let broker = Broker::start(shards, &options);
        let open = |address: &str| {
            let mut stream = tcp(broker.address);
            let header = format!("PROXY TCP4 {address} 127.0.0.1 8080 1883\r\n");
            stream.write_all(header.as_bytes()).expect("send");
            stream
        };
        // Four behind one proxy, two of each address: all wait for their CONNECT in peace.
        let waiting: Vec<_> = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"].map(open).into();
        // Connections are spread: those before must have been read when the next one comes.
        let mut third = open("192.0.2.3");
        third.write_all(&Connect::new(V5, &fresh("third")).bytes()).expect("send");
        assert_eq!(Client::over(Box::new(third), V5).connack().code, 0);
        for stream in waiting {
            let mut client = Client::over(Box::new(stream), V5);
            client.send(Connect::new(V5, &fresh("waiting")).bytes());
            assert_eq!(client.connack().code, 0);
        }
    }
}

#[test]
fn who_is_not_trusted_is_turned_away() {
    let options = Options::default()
        .listener("enable_proxy_protocol", "\"2\"")
        .listener("proxy_protocol_trusted", "[\"10.0.0.0/8\"]");
    let broker = Broker::start(1, &options);
    let mut stream = tcp(broker.address);
    stream.write_all(&binary(0x21, 0x11, 12, &IPV4)).expect("send");
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    broker.wait_log("PROXY header from an address that is not trusted");
}

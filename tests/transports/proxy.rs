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

/// A value of a header of version 2, or of one inside its TLS value.
fn value(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind][..], &(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// What a proxy tells of the Client's TLS: the flags, whether the certificate was found good (0),
/// the values.
fn behind_tls(flags: u8, verified: u8, values: &[Vec<u8>]) -> Vec<u8> {
    let tls = [&[flags, 0, 0, 0, verified][..], &values.concat()].concat();
    let rest = [&IPV4[..], &value(0x04, &[0; 9]), &value(0x20, &tls)].concat();
    binary(0x21, 0x11, rest.len() as u16, &rest)
}

const TLS: u8 = 1;
const TLS_VERSION: u8 = 0x21;
const COMMON_NAME: u8 = 0x22;

/// A client behind a proxy, as far as the header goes.
fn proxied(broker: &Broker, header: &[u8], whole: bool) -> Client {
    let mut stream = tcp(broker.address);
    if whole {
        stream.write_all(header).expect("send");
    } else {
        header.iter().for_each(|byte| stream.write_all(&[*byte]).expect("send"));
    }
    Client::over(Box::new(stream), V5)
}

#[test]
fn the_name_in_a_certificate_that_the_proxy_has_verified_is_the_user() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let acl = directory.path().join("acl");
    std::fs::write(&acl, "user lamp\ntopic write lamps/on\n").expect("write");
    let options = Options::default()
        .set("allow_anonymous", false)
        .set("acl_file", format!("{:?}", acl.display().to_string()))
        .listener("enable_proxy_protocol", "\"2\"")
        .listener("require_certificate", true)
        .listener("use_identity_as_username", true);
    for shards in [1, 4] {
        let broker = Broker::start(shards, &options);
        // The certificate came in this connection to the proxy (2) or in one it resumes (4).
        for (flags, whole) in [(TLS | 2, true), (TLS | 4, true), (TLS | 2, false)] {
            let names = [value(TLS_VERSION, b"TLSv1.3"), value(COMMON_NAME, b"lamp")];
            let mut client = proxied(&broker, &behind_tls(flags, 0, &names), whole);
            let mut connect = Connect::new(V5, &fresh("lamp"));
            // What it calls itself does not count.
            connect.username = Some("admin".into());
            client.send(connect.bytes());
            assert_eq!(client.connack().code, 0);
            assert_eq!(client.publish("lamps/on", "1", 1), 0x10);
            assert_eq!(client.publish("lamps/off", "1", 1), 0x87);
            client.leave();
        }
        broker.wait_log("New client connected from 192.0.2.77:8080");
        broker.wait_log(", u'lamp')");
        // A certificate without a name is nobody's.
        let mut client = proxied(&broker, &behind_tls(TLS | 2, 0, &[]), true);
        client.send(Connect::new(V5, &fresh("nameless")).bytes());
        assert_eq!(client.connack().code, 0x86);
        client.closed();
        let name = [value(COMMON_NAME, b"lamp")];
        for (header, what) in [
            (binary(0x21, 0x11, 12, &IPV4), "PROXY header without TLS"),
            (behind_tls(2, 0, &name), "PROXY header without TLS"),
            (behind_tls(TLS, 0, &name), "PROXY header without a verified certificate"),
            (behind_tls(TLS | 2, 1, &name), "PROXY header without a verified certificate"),
            (behind_tls(TLS | 2, 0, &[vec![COMMON_NAME, 0, 9, b'l']]), "malformed value"),
            (behind_tls(TLS | 2, 0, &[value(COMMON_NAME, b"\xFF")]), "malformed value"),
        ] {
            let before = broker.log_len();
            let mut client = proxied(&broker, &header, true);
            client.send(Connect::new(V5, &fresh("impostor")).bytes());
            client.closed();
            broker.wait_log(what);
            let said = &broker.log_lines()[before..];
            assert!(!said.iter().any(|line| line.contains("impostor")), "{said:?}");
        }
    }
}

#[test]
fn tls_between_client_and_proxy_can_be_wanted() {
    let options = Options::default()
        .listener("enable_proxy_protocol", "\"2\"")
        .listener("proxy_protocol_v2_require_tls", true);
    for shards in [1, 4] {
        let broker = Broker::start(shards, &options);
        let mut client = proxied(&broker, &behind_tls(TLS, 0, &[]), true);
        client.send(Connect::new(V5, &fresh("secure")).bytes());
        assert_eq!(client.connack().code, 0);
        proxied(&broker, &binary(0x21, 0x11, 12, &IPV4), true).closed();
        broker.wait_log("PROXY header without TLS");
        client.ping();
    }
}

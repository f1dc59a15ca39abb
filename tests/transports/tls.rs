//! TLS: versions, names, sessions, certificates of clients.

use std::io::Write;
use std::sync::Arc;

use rustls::{HandshakeKind, SupportedProtocolVersion};

use crate::pki::{Authority, Dates, Identity, Tls};
use crate::site::{Kind, Site, each_kind, each_site, secure};
use crate::support::Version::{V5, V311};
use crate::support::bytes::Connect;
use crate::support::client::Client;
use crate::support::fresh;
use crate::support::link::{MQTT, upgrade};

/// What a client with this certificate gets to hear: nothing if it is let in.
pub fn refusal(site: &Site, kind: Kind, identity: Option<&Identity>) -> Option<String> {
    refusal_in(site, kind, identity, rustls::DEFAULT_VERSIONS)
}

/// The same in one version of TLS.
fn refusal_in(
    site: &Site,
    kind: Kind,
    identity: Option<&Identity>,
    versions: &'static [&'static SupportedProtocolVersion],
) -> Option<String> {
    let mut tls = Tls { versions, ..Tls::new(&site.authority.pem) };
    tls.shows = identity;
    let mut stream = match secure(site.address(kind), "broker.example", tls.config()) {
        Ok(stream) => stream,
        Err(error) => return Some(error.to_string()),
    };
    let connect = Connect::new(V311, &fresh("mutual")).bytes();
    let first = match kind {
        Kind::SecureWeb => upgrade(MQTT).into_bytes(),
        _ => connect,
    };
    let (connection, socket) = (&mut stream.conn, &mut stream.sock);
    connection.writer().write_all(&first).expect("memory does not fail");
    // In TLS 1.3 the answer to a certificate comes with the first read.
    while connection.wants_write() && connection.write_tls(socket).is_ok() {}
    loop {
        match connection.read_tls(socket) {
            Ok(0) => return Some("the connection ended".into()),
            Ok(_) => {}
            Err(error) => return Some(error.to_string()),
        }
        match connection.process_new_packets() {
            Ok(state) if state.plaintext_bytes_to_read() > 0 => return None,
            Ok(_) => {}
            Err(error) => return Some(error.to_string()),
        }
    }
}

#[test]
fn c21_certificates_of_clients_are_looked_at_alike_on_tcp_and_websocket() {
    let other = Authority::new("Other CA");
    each_kind(&[Kind::Mutual, Kind::SecureWeb], |site, kind| {
        assert_eq!(refusal(site, kind, Some(&site.client)), None);
        let expired = site.authority.client("late", 21, Dates::Past);
        let early = site.authority.client("early", 22, Dates::Future);
        let stranger = other.client("lamp", 7, Dates::Now);
        for (identity, alert) in [
            (None, "CertificateRequired"),
            (Some(&expired), "CertificateExpired"),
            (Some(&early), "CertificateExpired"),
            (Some(&stranger), "UnknownCA"),
            (Some(&site.revoked), "CertificateRevoked"),
        ] {
            let said = refusal(site, kind, identity).expect("it is refused");
            assert!(said.contains(alert), "{said}, not {alert}");
        }
    });
}

#[test]
fn c21_certificates_of_version_1_are_looked_at_as_strictly() {
    static TLS12: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
    static TLS13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    let other = Authority::new("Other CA");
    each_kind(&[Kind::Mutual, Kind::SecureWeb], |site, kind| {
        let mut standing = crate::support::client::Bystanders::new(&site.broker);
        let old = |serial, dates| site.authority.client_of_version1("lamp", serial, dates);
        let good = old(31, Dates::Now);
        // The list names serial numbers, whoever has them.
        let revoked = old(8, Dates::Now);
        let (expired, early) = (old(32, Dates::Past), old(33, Dates::Future));
        let stranger = other.client_of_version1("lamp", 31, Dates::Now);
        let mut stolen = good.clone();
        stolen.key = site.client.key.clone();
        // It may be a client's, and so may what its holder signs look: it is no authority's.
        let below = site.authority.below_of_version1("Middle");
        let forbidden = below.client("lamp", 34, Dates::Now).with_chain(&below);
        for versions in [&TLS12, &TLS13] {
            assert_eq!(refusal_in(site, kind, Some(&good), versions), None);
            for (identity, alert) in [
                (&revoked, "CertificateRevoked"),
                (&expired, "CertificateExpired"),
                (&early, "CertificateExpired"),
                (&stranger, "UnknownCA"),
                (&good.forged(), "DecryptError"),
                (&stolen, "DecryptError"),
                (&forbidden, "CertificateUnknown"),
            ] {
                let said = refusal_in(site, kind, Some(identity), versions).expect("refused");
                assert!(said.contains(alert), "{said}, not {alert}");
            }
        }
        standing.exchange();
        site.broker.wait_log("client certificate refused: Revoked");
        site.broker.wait_log("refused: a certificate of version 1 between it and its CA");
    });
}

#[test]
fn the_name_that_a_client_asks_for_chooses_the_certificate() {
    each_site(|site| {
        let trusting = || Tls::new(&site.authority.pem).config();
        let address = site.address(Kind::Tls);
        for name in ["broker.example", "localhost", "a.other.example"] {
            secure(address, name, trusting()).expect(name);
        }
        // Nobody has a certificate for it: the first is shown, and the client refuses it.
        let error = secure(address, "elsewhere.example", trusting()).expect_err("a wrong name");
        assert!(error.to_string().contains("not valid for name"), "{error}");
    });
}

static VERSIONS: [&[&rustls::SupportedProtocolVersion]; 2] =
    [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

#[test]
fn a_session_is_resumed_in_both_versions() {
    each_site(|site| {
        for versions in VERSIONS {
            for kind in [Kind::Tls, Kind::Mutual] {
                let tls = Tls { versions, ..Tls::new(&site.authority.pem) };
                let config = tls.showing(&site.client).config();
                for wanted in [HandshakeKind::Full, HandshakeKind::Resumed] {
                    let stream = secure(site.address(kind), "broker.example", Arc::clone(&config))
                        .expect("TLS");
                    assert_eq!(stream.conn.handshake_kind(), Some(wanted), "{kind:?}");
                    assert_eq!(stream.conn.protocol_version(), Some(versions[0].version));
                    let mut client = Client::over(Box::new(stream), V5);
                    client.send(Connect::new(V5, &fresh("again")).bytes());
                    assert_eq!(client.connack().code, 0);
                    client.ping();
                    client.leave();
                }
            }
        }
    });
}

#[test]
fn alpn_names_mqtt_and_may_be_left_out() {
    each_site(|site| {
        let ask = |kind, alpn| {
            let tls = Tls { alpn, ..Tls::new(&site.authority.pem) };
            let config = tls.showing(&site.client).config();
            let stream = secure(site.address(kind), "broker.example", config)?;
            Ok::<_, std::io::Error>(stream.conn.alpn_protocol().map(<[u8]>::to_vec))
        };
        assert_eq!(ask(Kind::Tls, &[]).unwrap(), None);
        assert_eq!(ask(Kind::Tls, &["x", "mqtt"]).unwrap(), Some(b"mqtt".to_vec()));
        assert_eq!(ask(Kind::SecureWeb, &["http/1.1"]).unwrap(), Some(b"http/1.1".to_vec()));
        let error = ask(Kind::Tls, &["h2"]).expect_err("no protocol in common");
        assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    });
}

#[test]
fn a_flood_of_handshakes_does_not_hold_up_the_established() {
    each_site(|site| {
        let mut standing = crate::support::client::Bystanders::new(&site.broker);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let config = Tls::new(&site.authority.pem).config();
                        secure(site.address(Kind::Tls), "broker.example", config).expect("TLS");
                    }
                });
            }
            for _ in 0..50 {
                standing.exchange();
            }
        });
    });
}

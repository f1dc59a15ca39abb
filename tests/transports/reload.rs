//! Certificates that change while clients are connected.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::pki::{Authority, Dates, Tls};
use crate::site::{Kind, Site, secure};
use crate::support::Version::V5;
use crate::support::bytes::Connect;
use crate::support::client::Client;
use crate::support::fresh;
use crate::support::link::{MQTT, WebSocket};
use crate::tls::refusal;

/// Connects with a certificate; `None` when it is refused.
fn connect(site: &Site, kind: Kind, shown: &crate::pki::Identity) -> Option<Client> {
    let config = Tls::new(&site.authority.pem).showing(shown).config();
    let stream = secure(site.address(kind), "broker.example", config).ok()?;
    let mut client = match kind {
        Kind::SecureWeb => Client::over(Box::new(WebSocket::open(Box::new(stream), MQTT)), V5),
        _ => Client::over(Box::new(stream), V5),
    };
    client.send(Connect::new(V5, &fresh("mutual")).bytes());
    assert_eq!(client.connack().code, 0);
    Some(client)
}

#[test]
fn a_new_server_certificate_is_for_those_who_come_after_it() {
    for shards in [1, 4] {
        let site = Site::start(shards);
        let mut before = site.client(Kind::Tls, V5);
        before.send(Connect::new(V5, &fresh("before")).bytes());
        assert_eq!(before.connack().code, 0);
        let other = Authority::new("New CA");
        other.server(&["broker.example"]).write(site.directory.path(), "server");
        site.broker.reload();
        let address = site.address(Kind::Tls);
        let new = Tls::new(&other.pem).config();
        // The signal is on its way to the shards: whoever is shown the old one comes again.
        let until = std::time::Instant::now() + crate::support::broker::PATIENCE;
        while secure(address, "broker.example", new.clone()).is_err() {
            assert!(std::time::Instant::now() < until, "the new certificate never came");
        }
        let old = Tls::new(&site.authority.pem).config();
        assert!(secure(address, "broker.example", old).is_err());
        before.ping();
        // A file that is wrong changes nothing.
        fs::write(site.directory.path().join("server.key"), "no key").expect("write");
        site.broker.reload_refused();
        secure(address, "broker.example", new).expect("as before");
        before.ping();
    }
}

#[test]
fn c21_a_revoked_certificate_ends_its_connections_and_no_others() {
    for shards in [1, 4] {
        let site = Site::start(shards);
        let victim = site.authority.client("victim", 30, Dates::Now);
        for kind in [Kind::Mutual, Kind::SecureWeb] {
            fs::write(site.directory.path().join("crl.pem"), site.authority.crl(&[&site.revoked]))
                .expect("write");
            site.broker.reload();
            let mut stays = connect(&site, kind, &site.client).expect("let in");
            let mut goes: Vec<Client> =
                (0..4).map(|_| connect(&site, kind, &victim).expect("let in")).collect();
            let crl = site.authority.crl(&[&site.revoked, &victim]);
            fs::write(site.directory.path().join("crl.pem"), crl).expect("write");
            site.broker.reload();
            for client in &mut goes {
                client.closed_for(0x87);
            }
            stays.ping();
            stays.leave();
            let said = refusal(&site, kind, Some(&victim)).expect("it is refused");
            assert!(said.contains("CertificateRevoked"), "{said}");
        }
    }
}

#[test]
fn c21_a_removed_ca_is_trusted_no_more() {
    for shards in [1, 4] {
        let site = Site::start(shards);
        let second = Authority::new("Second CA");
        let theirs = second.client("guest", 40, Dates::Now);
        let (ca, crl) =
            (site.directory.path().join("ca.pem"), site.directory.path().join("crl.pem"));
        let both = format!("{}{}", site.authority.pem, second.pem);
        let lists = format!("{}{}", site.authority.crl(&[]), second.crl(&[]));
        fs::write(&ca, both).expect("write");
        fs::write(&crl, lists).expect("write");
        site.broker.reload();
        let mut clients = Vec::new();
        for kind in [Kind::Mutual, Kind::SecureWeb] {
            clients.push((connect(&site, kind, &theirs).expect("let in"), true));
            clients.push((connect(&site, kind, &site.client).expect("let in"), false));
        }
        // An empty list of authorities is a mistake, and nobody is let in by it.
        fs::write(&ca, "").expect("write");
        site.broker.reload_refused();
        fs::write(&ca, &site.authority.pem).expect("write");
        site.broker.reload();
        for (client, ends) in &mut clients {
            match ends {
                true => client.closed_for(0x87),
                false => client.ping(),
            }
        }
    }
}

#[test]
fn a_private_key_that_everybody_can_read_is_told_of_once() {
    let site = Site::start_with(1, |options| options);
    let key = site.directory.path().join("server.key");
    let line = format!("{} can be read by every user of this machine", key.display());
    let told = |count| {
        let lines = site.broker.log_lines();
        assert_eq!(lines.iter().filter(|said| said.contains(&line)).count(), count);
    };
    // Four listeners have it.
    site.broker.wait_log(&line);
    site.broker.reload();
    told(1);
    // Said again when it happens again.
    for mode in [0o600, 0o644] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("chmod");
        site.broker.reload();
    }
    site.broker.wait_log_lines(&line, 2);
}

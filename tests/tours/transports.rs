//! TLS, WebSocket and Unix sockets beside the plain listener.

use crate::clients::{To, hello, node, succeeds};
use crate::pki::Pki;
use crate::program::{Program, free_port, is_foreign};

/// The part of a file that makes a listener one for TLS.
fn tls(pki: &Pki) -> String {
    format!(
        "cafile {}\ncertfile {}\nkeyfile {}\n",
        pki.path("ca.crt"),
        pki.path("server.crt"),
        pki.path("server.key")
    )
}

#[test]
fn a_tls_listener_with_client_certificates_beside_a_plain_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pki = Pki::make(directory.path());
    let (plain, secure) = (free_port(), free_port());
    let _program = Program::configured(&format!(
        "allow_anonymous true\nlistener {plain}\nlistener {secure}\n{}require_certificate true\n",
        tls(&pki)
    ));
    hello(&To::port(plain));
    let trusting = To::port(secure).with(&["--cafile", &pki.path("ca.crt")]);
    trusting.refused();
    let (certificate, key) = (pki.path("client.crt"), pki.path("client.key"));
    let known = trusting.with(&["--cert", &certificate, "--key", &key]);
    hello(&known);
    // Both listeners are one broker.
    let subscriber = To::port(plain).subscribe("testtopic");
    known.published("testtopic", "from the other side");
    subscriber.receives("testtopic", "from the other side");
    // Without TLS there is nothing to be had on that port, and it goes on.
    To::port(secure).refused();
    hello(&known);
}

#[test]
fn the_name_in_the_certificate_is_the_user() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pki = Pki::make(directory.path());
    let port = free_port();
    let program = Program::configured(&format!(
        "listener {port}\n{}require_certificate true\nuse_identity_as_username true\n",
        tls(&pki)
    ));
    let to = To::port(port).with(&["--cafile", &pki.path("ca.crt")]);
    hello(&to.with(&["--cert", &pki.path("client.crt"), "--key", &pki.path("client.key")]));
    program.wait_line(|line| line.contains("New client connected") && line.contains("u'client'"));
}

#[test]
fn a_websocket_listener_for_mqtt_js() {
    let (plain, web) = (free_port(), free_port());
    let _program = Program::configured(&format!(
        "allow_anonymous true\nlistener {plain}\nlistener {web}\nprotocol websockets\n"
    ));
    let said = succeeds(node("mqttjs_tour.js").arg(format!("ws://localhost:{web}/mqtt")));
    assert_eq!(said, "testtopic hello over WebSocket\n");
    // And from there to a client of the plain listener.
    let subscriber = To::port(plain).subscribe("testtopic");
    succeeds(node("mqttjs_tour.js").arg(format!("ws://localhost:{web}/mqtt")));
    subscriber.receives("testtopic", "hello over WebSocket");
}

#[test]
fn a_secure_websocket_listener_for_mqtt_js() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pki = Pki::make(directory.path());
    let web = free_port();
    let _program = Program::configured(&format!(
        "allow_anonymous true\nlistener {web}\nprotocol websockets\n{}",
        tls(&pki)
    ));
    let url = format!("wss://localhost:{web}/mqtt");
    let said = succeeds(node("mqttjs_tour.js").arg(&url).arg(pki.path("ca.crt")));
    assert_eq!(said, "testtopic hello over WebSocket\n");
}

#[test]
fn a_unix_socket() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("broker.sock");
    let socket = socket.to_str().expect("UTF-8");
    let _program = Program::configured(&format!("allow_anonymous true\nlistener 0 {socket}\n"));
    if !is_foreign() {
        assert!(std::path::Path::new(socket).exists());
    }
    hello(&To::default().with(&["--unix", socket]));
}

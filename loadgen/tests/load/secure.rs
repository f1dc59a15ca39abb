//! TLS and WebSocket, against Pondhawk, and against Mosquitto where it is installed.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::support::{Broker, MOSQUITTO, PLAIN, complaint, free_port, loadgen, number};

/// A broker with listeners for TLS, WebSocket, and both.
struct Secure {
    _broker: Broker,
    folder: TempDir,
    tls: u16,
    ws: u16,
    wss: u16,
}

/// A folder with a certificate for `localhost`, `pem`, and its `key`.
fn certificate() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pair = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&pair).unwrap();
    fs::write(folder.path().join("pem"), certificate.pem()).unwrap();
    fs::write(folder.path().join("key"), pair.serialize_pem()).unwrap();
    folder
}

impl Secure {
    fn pondhawk() -> Self {
        let folder = certificate();
        let listener = "[[listener]]\nport = 0\nbind_address = \"127.0.0.1\"\n";
        let path = folder.path().display();
        let files = format!("certfile = \"{path}/pem\"\nkeyfile = \"{path}/key\"\n");
        let web = "protocol = \"websockets\"\n";
        let (broker, ports) = Broker::pondhawk(&format!(
            "allow_anonymous = true\nmax_inflight_messages = 0\nmax_queued_messages = 0\n\
             {listener}{files}{listener}{web}{listener}{web}{files}"
        ));
        Self { _broker: broker, folder, tls: ports[0], ws: ports[1], wss: ports[2] }
    }

    fn mosquitto() -> Option<Self> {
        if !Path::new(MOSQUITTO).exists() {
            return None;
        }
        let folder = certificate();
        let (tls, ws, wss) = (free_port(), free_port(), free_port());
        let path = folder.path().display();
        let files = format!("certfile {path}/pem\nkeyfile {path}/key\n");
        let config = format!(
            "user root\nallow_anonymous true\nset_tcp_nodelay true\nmax_inflight_messages 0\n\
             max_queued_messages 0\nlistener {tls} 127.0.0.1\n{files}\
             listener {ws} 127.0.0.1\nprotocol websockets\n\
             listener {wss} 127.0.0.1\nprotocol websockets\n{files}"
        );
        let path = folder.path().join("conf");
        fs::write(&path, config).unwrap();
        let mut command = Command::new(MOSQUITTO);
        command.arg("-c").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        let broker = Broker::of(command.spawn().unwrap(), tls);
        for port in [tls, ws, wss] {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                thread::yield_now();
            }
        }
        Some(Self { _broker: broker, folder, tls, ws, wss })
    }
}

fn every_transport_is_complete(broker: &Secure) {
    let pem = broker.folder.path().join("pem");
    for target in [
        format!("mqtts://localhost:{} --cafile {}", broker.tls, pem.display()),
        format!("127.0.0.1:{} --tls --insecure --tls-resume", broker.tls),
        format!("ws://127.0.0.1:{}", broker.ws),
        format!("127.0.0.1:{} --ws=/mqtt --tls --insecure", broker.wss),
    ] {
        for load in ["p2p --pairs 3 --qos 1 --batch 16", "p2p --pairs 2 --qos 2 --size 20000"] {
            let (code, json) =
                loadgen(&format!("{load} --target {target} --duration 300ms --warmup 0 {PLAIN}"));
            assert_eq!(code, 0, "{load} to {target}: {json}");
            let sent = number(&json, "/counts/sent");
            assert!(sent > 0, "{target}");
            assert_eq!(number(&json, "/counts/delivered"), sent, "{target}");
            assert!(number(&json, "/latency/tls_handshake/count") > 0, "{target}");
        }
    }
}

#[test]
fn every_transport_of_pondhawk_is_complete() {
    every_transport_is_complete(&Secure::pondhawk());
}

#[test]
fn every_transport_of_mosquitto_is_complete() {
    let Some(broker) = Secure::mosquitto() else { return };
    every_transport_is_complete(&broker);
}

#[test]
fn an_untrusted_server_is_refused_with_the_reason() {
    let broker = Secure::pondhawk();
    let line = format!("conn --clients 2 --target mqtts://localhost:{} {PLAIN}", broker.tls);
    let (code, text) = complaint(&line);
    assert_eq!(code, 2);
    assert!(text.contains("invalid peer certificate"), "{text}");
}

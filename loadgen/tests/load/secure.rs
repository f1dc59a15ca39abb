//! TLS and WebSocket, against Mosquitto.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use rcgen::{CertificateParams, KeyPair};

use super::support::{PLAIN, complaint, free_port, loadgen, number};

const MOSQUITTO: &str = "/usr/sbin/mosquitto";

/// Mosquitto with listeners for TLS, WebSocket, and both.
struct Secure {
    child: Child,
    folder: tempfile::TempDir,
    tls: u16,
    ws: u16,
    wss: u16,
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Secure {
    fn start() -> Option<Self> {
        if !Path::new(MOSQUITTO).exists() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (pem, key) = (folder.path().join("pem"), folder.path().join("key"));
        let pair = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().self_signed(&pair).unwrap();
        fs::write(&pem, certificate.pem()).unwrap();
        fs::write(&key, pair.serialize_pem()).unwrap();
        let (tls, ws, wss) = (free_port(), free_port(), free_port());
        let files = format!("certfile {}\nkeyfile {}\n", pem.display(), key.display());
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
        let child = command.spawn().unwrap();
        for port in [tls, ws, wss] {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                thread::yield_now();
            }
        }
        Some(Self { child, folder, tls, ws, wss })
    }
}

#[test]
fn every_transport_is_complete() {
    let Some(broker) = Secure::start() else { return };
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
fn an_untrusted_server_is_refused_with_the_reason() {
    let Some(broker) = Secure::start() else { return };
    let line = format!("conn --clients 2 --target mqtts://localhost:{} {PLAIN}", broker.tls);
    let (code, text) = complaint(&line);
    assert_eq!(code, 2);
    assert!(text.contains("invalid peer certificate"), "{text}");
}

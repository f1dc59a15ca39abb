//! What strangers send to an open port: thousands of handshakes that never end, headers that lie,
//! the wrong protocol. Whoever is connected notices nothing, and the log stays readable.

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::clients::{To, hello};
use crate::pki::Pki;
use crate::program::{Program, free_port, is_foreign};
use crate::support::broker::PATIENCE;

/// Handshakes left open at the same time.
const HALF_OPEN: usize = 5000;

/// The beginning of a ClientHello, and of a WebSocket's request.
const HALF_TLS: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
const HALF_WEB: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: webs";

fn say(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(bytes).expect("send");
    stream
}

/// Says something and wants the connection to end.
fn is_shown_out(port: u16, bytes: &[u8]) {
    // A reset is an end, too; being left waiting is not.
    if let Err(error) = say(port, bytes).read_to_end(&mut Vec::new()) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it was left open");
    }
}

struct Ports {
    plain: u16,
    tls: u16,
    web: u16,
    proxy: u16,
}

fn broker(pki: &Pki) -> (Program, Ports) {
    let ports =
        Ports { plain: free_port(), tls: free_port(), web: free_port(), proxy: free_port() };
    let program = Program::quiet(&format!(
        "allow_anonymous true\nlistener {}\nlistener {}\ncertfile {}\nkeyfile {}\n\
         listener {}\nprotocol websockets\nlistener {}\nenable_proxy_protocol 1\n",
        ports.plain,
        ports.tls,
        pki.path("server.crt"),
        pki.path("server.key"),
        ports.web,
        ports.proxy
    ));
    (program, ports)
}

#[test]
fn five_thousand_half_open_handshakes_and_lies_disturb_nobody() {
    if is_foreign() {
        return; // Mosquitto 2.0 has no PROXY protocol.
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("raise the limit");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pki = Pki::make(directory.path());
    let (program, ports) = broker(&pki);
    let bystander = To::port(ports.plain).subscribe("testtopic");
    let mut open = Vec::new();
    for n in 0..HALF_OPEN {
        let (port, bytes) = if n % 2 == 0 { (ports.tls, HALF_TLS) } else { (ports.web, HALF_WEB) };
        open.push(say(port, bytes));
        if n % 1000 == 999 {
            To::port(ports.plain).published("testtopic", "still here");
            bystander.receives("testtopic", "still here");
        }
    }
    hello(&To::port(ports.tls).with(&["--cafile", &pki.path("ca.crt")]));
    bystander.receives("testtopic", "hello");
    for bytes in [
        &b"PROXY TCP4 999.0.0.1 127.0.0.1 1 2\r\n"[..],
        b"PROXY TCP4 10.0.0.1\r\n",
        b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        is_shown_out(ports.proxy, bytes);
    }
    is_shown_out(ports.plain, b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    is_shown_out(ports.tls, b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0");
    drop(open);
    program.wait_line(|line| line.contains(" more lines like these were kept back: new conn"));
    program.wait_line(|line| line.contains(" more lines like these were kept back: connections t"));
    To::port(ports.plain).published("testtopic", "to the end");
    bystander.receives("testtopic", "to the end");
    let lines = program.stop();
    let strangers = lines.iter().filter(|line| line.contains("<unknown>")).count();
    assert!((6..=300).contains(&strangers), "{strangers} lines about strangers");
    assert!(lines.len() < 1000, "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.len() < 200), "a line is long");
}

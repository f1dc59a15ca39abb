//! What TLS costs a broker: CPU of a handshake by kind of key, of a record by size, and heap
//! bytes of a connection that is idle.
//!
//! `cargo bench --bench tls`. Both ends run in this process, without sockets; what is printed is
//! the server's share alone, in CPU time of the thread, so that other programs do not disturb it.
//! RSA keys are made by the `openssl` program; without it those rows are left out.
#![allow(clippy::print_stdout)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

struct Counting;

static HEAP: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HEAP.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the pointer came from `System.alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn cpu() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock"))
}

struct Server {
    connection: UnbufferedServerConnection,
    input: Vec<u8>,
    spent: Duration,
}

impl Server {
    /// Takes what a client sent; gives what is to be sent back and the plaintext that came.
    fn receive(&mut self, bytes: &[u8]) -> (Vec<u8>, usize) {
        self.input.extend_from_slice(bytes);
        let (mut out, mut plain, mut used) = (Vec::new(), 0, 0);
        let begun = cpu();
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut self.input[used..]);
            let last = match state.expect("no error") {
                ConnectionState::EncodeTlsData(mut data) => {
                    let from = out.len();
                    out.resize(from + 20_000, 0);
                    let written = data.encode(&mut out[from..]).expect("room");
                    out.truncate(from + written);
                    false
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    false
                }
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        plain += record.expect("a record").payload.len();
                    }
                    false
                }
                _ => true,
            };
            used += discard;
            if last {
                break;
            }
        }
        self.input.drain(..used);
        self.spent += cpu() - begun;
        (out, plain)
    }
}

fn configs(pem: &str, key: &str) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let provider = Arc::new(ring::default_provider());
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).map(|one| one.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).expect("a root");
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a key that fits");
    server.ticketer = ring::Ticketer::new().expect("a ticketer");
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 1;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    (Arc::new(server), Arc::new(client))
}

fn connect(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> (Server, ClientConnection) {
    let connection = UnbufferedServerConnection::new(Arc::clone(server)).expect("a connection");
    let mut server = Server { connection, input: Vec::new(), spent: Duration::ZERO };
    let name = "localhost".try_into().expect("a name");
    let mut client = ClientConnection::new(Arc::clone(client), name).expect("a connection");
    while client.is_handshaking() || client.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory does not fail");
        }
        let (answer, _) = server.receive(&bytes);
        let mut answer = &answer[..];
        while !answer.is_empty() {
            client.read_tls(&mut answer).expect("memory does not fail");
            client.process_new_packets().expect("no error");
        }
    }
    (server, client)
}

fn handshakes(name: &str, (server, client): &(Arc<ServerConfig>, Arc<ClientConfig>)) {
    const COUNT: u32 = 200;
    let spent: Duration = (0..COUNT).map(|_| connect(server, client).0.spent).sum();
    println!("handshake, {name:<22} {:>9.1} us", spent.as_secs_f64() * 1e6 / f64::from(COUNT));
}

fn openssl(arguments: &[&str]) -> Option<String> {
    let made = Command::new("openssl").args(arguments).output().ok()?;
    made.status.success().then(|| String::from_utf8(made.stdout).expect("PEM is text"))
}

fn rsa(bits: &str) -> Option<(String, String)> {
    let directory = tempfile::tempdir().ok()?;
    let path = directory.path().join("key").display().to_string();
    let certificate = openssl(&[
        "req",
        "-x509",
        "-newkey",
        &format!("rsa:{bits}"),
        "-nodes",
        "-keyout",
        &path,
        "-days",
        "30",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ])?;
    Some((certificate, std::fs::read_to_string(&path).ok()?))
}

fn main() {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".into()]).expect("a name");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    let p256 = configs(&pem, &key.serialize_pem());
    handshakes("P-256", &p256);
    for bits in ["2048", "4096"] {
        match rsa(bits) {
            Some((pem, key)) => handshakes(&format!("RSA {bits}"), &configs(&pem, &key)),
            None => println!("handshake, RSA {bits}: openssl is not there"),
        }
    }
    let resuming = (Arc::clone(&p256.0), {
        let mut client = (*p256.1).clone();
        client.resumption = Resumption::in_memory_sessions(4);
        Arc::new(client)
    });
    handshakes("P-256, resumed", &resuming);
    records(&p256);
    let before = HEAP.load(Ordering::Relaxed);
    let (server, client) = connect(&p256.0, &p256.1);
    drop(client);
    let Server { connection, .. } = server;
    let held = HEAP.load(Ordering::Relaxed) - before + size_of_val(&connection) as i64;
    println!("idle server connection             {held:>9} bytes");
}

fn records((server, client): &(Arc<ServerConfig>, Arc<ClientConfig>)) {
    const COUNT: u32 = 2000;
    let (mut server, mut client) = connect(server, client);
    for size in [100, 1000, 16_000] {
        let plaintext = vec![7; size];
        let mut out = vec![0; size + 1000];
        let begun = cpu();
        for _ in 0..COUNT {
            let status = server.connection.process_tls_records(&mut []);
            let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state else {
                panic!("open")
            };
            traffic.encrypt(&plaintext, &mut out).expect("room");
        }
        let sent = cpu() - begun;
        server.spent = Duration::ZERO;
        for _ in 0..COUNT {
            let mut bytes = Vec::new();
            std::io::Write::write_all(&mut client.writer(), &plaintext).expect("room");
            while client.wants_write() {
                client.write_tls(&mut bytes).expect("memory does not fail");
            }
            assert_eq!(server.receive(&bytes).1, size);
        }
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(COUNT);
        println!(
            "record of {size:>6} bytes             {:>9.2} us out {:>9.2} us in",
            each(sent),
            each(server.spent)
        );
    }
}

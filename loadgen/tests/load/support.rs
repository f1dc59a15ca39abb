//! Brokers to run against, and what the generator says of them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use serde_json::Value;

/// The machine may be busy with other tests: the generator's own limits are not what is tested.
pub const PLAIN: &str = "--no-calibrate --allow-generator-bound";

const LOADGEN: &str = env!("CARGO_BIN_EXE_loadgen");
pub const MOSQUITTO: &str = "/usr/sbin/mosquitto";

/// With a limit on open exchanges messages queue, and Mosquitto 2.0.11 now and then leaves them
/// there although the client has completed every exchange.
const MOSQUITTO_CONFIG: &str = "allow_anonymous true
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 0
";

/// A broker process, killed when dropped.
pub struct Broker {
    child: Child,
    pub port: u16,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Broker {
    /// A process that listens on a port.
    pub fn of(child: Child, port: u16) -> Self {
        Self { child, port }
    }

    /// The null broker of this program.
    pub fn null(threads: u32) -> Self {
        let mut child = Command::new(LOADGEN)
            .args(["null", "--port", "0", "--threads", &threads.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        Self { child, port }
    }

    /// Mosquitto, where it is installed.
    pub fn mosquitto() -> Option<Self> {
        if !Path::new(MOSQUITTO).exists() {
            return None;
        }
        let port = free_port();
        let config = std::env::temp_dir().join(format!("loadgen-mosquitto-{port}.conf"));
        fs::write(&config, format!("listener {port} 127.0.0.1\n{MOSQUITTO_CONFIG}")).unwrap();
        let child = Command::new(MOSQUITTO)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            thread::yield_now();
        }
        fs::remove_file(config).unwrap();
        Some(Self { child, port })
    }

    /// The built Pondhawk with options as TOML, each listener on port 0, and the ports that its
    /// listeners got, in their order.
    pub fn pondhawk(options: &str) -> (Self, Vec<u16>) {
        let program = Path::new(LOADGEN).with_file_name("pondhawk");
        assert!(program.exists(), "no {}: run `cargo build --workspace`", program.display());
        let config = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        fs::write(&config, options).unwrap();
        let mut command = Command::new(program);
        command.arg("-c").arg(config.path()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut lines = stderr.lines().map_while(Result::ok);
        let (mut ports, mut log) = (Vec::new(), Vec::new());
        while ports.len() < options.matches("[[listener]]").count() {
            let line = lines.next().unwrap_or_else(|| panic!("no start: {}", log.join("\n")));
            ports.extend(opened_port(&line));
            log.push(line);
        }
        // Once its pipe is full, a broker would wait for somebody to read the log.
        thread::spawn(move || lines.for_each(drop));
        (Self { child, port: ports[0] }, ports)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// The port in the line with which Pondhawk announces a listener.
fn opened_port(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("Opening ipv4 listen socket on port ")?;
    port.trim_end_matches('.').parse().ok()
}

/// A port that nobody listens on, below those that the system hands out: one of those could go to
/// any connection of the machine before the program under test has bound it.
pub fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at different places.
    let start = std::process::id().wrapping_mul(331);
    for _ in 0..20_000 {
        let step = start.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (step % 20_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

/// Exit code and JSON of `loadgen LINE --json`.
pub fn loadgen(line: &str) -> (i32, Value) {
    let output = run(&format!("{line} --json"));
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text + &errors));
    (output.status.code().unwrap(), json)
}

/// Exit code and errors of `loadgen LINE`.
pub fn complaint(line: &str) -> (i32, String) {
    let output = run(line);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn run(line: &str) -> Output {
    Command::new(LOADGEN).args(line.split_whitespace()).output().unwrap()
}

/// A load of a fraction of a second.
pub fn short(load: &str, port: u16) -> (i32, Value) {
    loadgen(&format!("{load} --target 127.0.0.1:{port} --duration 300ms --warmup 50ms {PLAIN}"))
}

pub fn number(json: &Value, pointer: &str) -> u64 {
    json.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {json}"))
}

/// What [`proxy`] does with a PUBLISH on its way to the client, given how many came before it: it
/// may change the bytes, and says how often they are sent.
pub type Meddle = fn(usize, &mut [u8]) -> usize;

/// Forwards connections to `to`, and every PUBLISH to the client as often as `meddle` says.
pub fn proxy(to: u16, meddle: Meddle) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let broker = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).unwrap();
            client.set_nodelay(true).unwrap();
            broker.set_nodelay(true).unwrap();
            let (from_client, to_broker) =
                (client.try_clone().unwrap(), broker.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut &from_client, &mut &to_broker));
            thread::spawn(move || forward(broker, client, meddle));
        }
    });
    port
}

/// Packets are short here: the Remaining Length is one byte.
fn forward(mut broker: TcpStream, mut client: TcpStream, meddle: Meddle) -> std::io::Result<()> {
    let mut publishes = 0;
    loop {
        let mut packet = vec![0; 2];
        broker.read_exact(&mut packet)?;
        assert!(packet[1] < 0x80, "a short packet");
        packet.resize(2 + usize::from(packet[1]), 0);
        broker.read_exact(&mut packet[2..])?;
        let mut copies = 1;
        if packet[0] >> 4 == 3 {
            copies = meddle(publishes, &mut packet);
            publishes += 1;
        }
        for _ in 0..copies {
            client.write_all(&packet)?;
        }
    }
}

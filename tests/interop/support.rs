//! The broker under test: a real process with a configuration in a temporary directory.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{fs, thread};

/// How long an event may take before a test gives up; generous, since the machine is shared.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Large enough for the largest payload here.
const PACKET_SIZE_MAX: u32 = 16 << 20;

/// A running broker; killed when dropped.
pub struct Broker {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    _directory: tempfile::TempDir,
}

impl Broker {
    /// Starts a broker with `shards` shards.
    pub fn start(shards: u32) -> Broker {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut child = command(directory.path(), shards)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the broker");
        let lines = follow(child.stderr.take().expect("stderr is piped"));
        let port = wait_for(&lines, announced_port);
        if foreign().is_some() {
            // Mosquitto announces a listener before it binds it.
            wait_for(&lines, |line| line.ends_with(" running").then_some(()));
        }
        Broker { child, port, _directory: directory }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of a Mosquitto to test instead, to check the scenarios against a second
/// implementation.
fn foreign() -> Option<String> {
    std::env::var("POND_TEST_BROKER").ok()
}

fn command(directory: &Path, shards: u32) -> Command {
    let config = directory.join("broker.conf");
    if let Some(program) = foreign() {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let text = format!(
            "log_dest stderr\nallow_anonymous true\nmax_packet_size {PACKET_SIZE_MAX}\n\
             listener {port} 127.0.0.1\n"
        );
        fs::write(&config, text).expect("write the configuration");
        let mut command = Command::new(program);
        command.arg("-c").arg(config);
        return command;
    }
    let text = format!(
        "allow_anonymous = true\nmax_packet_size = {PACKET_SIZE_MAX}\n\
         [[listener]]\nport = 0\nbind_address = \"127.0.0.1\"\n"
    );
    fs::write(&config, text).expect("write the configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pondhawk"));
    command.arg("-c").arg(config).arg("--shards").arg(shards.to_string());
    command
}

/// The lines of `stream` as they come. Read to the end, so that the writer never blocks.
pub fn follow(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody may be listening any more.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// Waits for the line that `pick` accepts.
pub fn wait_for<T>(lines: &Receiver<String>, mut pick: impl FnMut(&str) -> Option<T>) -> T {
    let mut seen = Vec::new();
    loop {
        let line = lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{error}, after:\n{}", seen.join("\n")));
        if let Some(found) = pick(&line) {
            return found;
        }
        seen.push(line);
    }
}

fn announced_port(line: &str) -> Option<u16> {
    let rest = line.split("Opening ipv4 listen socket on port ").nth(1)?;
    rest.trim_end_matches('.').parse().ok()
}

/// Says what was being run if the scenario panics inside this scope.
pub struct Scope(pub String);

impl Drop for Scope {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("  in: {}", self.0);
        }
    }
}

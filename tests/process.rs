//! The program as a process: exit codes, what it says and where, and signals.
//!
//! A test waits for log lines and for the process's end, and never sleeps. Output that never comes
//! ends with the process, so a failure shows what was said instead of hanging.
#![cfg(feature = "broker")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const LISTENER: &str = "[[listener]]\nport = 0\nbind_address = \"127.0.0.1\"\n";

fn pondhawk() -> Command {
    Command::new(env!("CARGO_BIN_EXE_pondhawk"))
}

fn output(arguments: &[&str]) -> Output {
    pondhawk().args(arguments).output().expect("the program runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A configuration file in a directory of its own.
struct ConfigFile {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl ConfigFile {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("p.toml");
        let file = Self { _directory: directory, path };
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).expect("write the configuration");
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("the path is text")
    }
}

/// A running broker and its log; killed when dropped.
struct Broker {
    child: Child,
    log: BufReader<ChildStderr>,
    said: Vec<String>,
}

impl Broker {
    fn start(file: &ConfigFile) -> Self {
        let mut child = pondhawk()
            .args(["-c", file.path(), "--shards", "1"])
            // A broker started as root gives up its rights, and could not read the file again.
            .env("PUID", "0")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let log = BufReader::new(child.stderr.take().expect("standard error is piped"));
        Self { child, log, said: Vec::new() }
    }

    /// Reads the log up to a line with `part` and returns that line.
    fn wait(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("the log is text");
            assert_ne!(read, 0, "the log ended without {part:?}: {:#?}", self.said);
            self.said.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("signal the broker");
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("wait for the broker").code()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn mistakes_on_the_command_line_end_with_code_one() {
    let output = output(&["--frobnicate"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--frobnicate"));
}

#[test]
fn mistakes_in_the_configuration_are_all_told_and_end_with_code_one() {
    let file = ConfigFile::new("strickt = true\n[[listener]]\nport = 70000\n");
    for arguments in [&["-c", file.path()][..], &["-c", file.path(), "--test-config"]] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(1));
        let path = file.path();
        assert_eq!(
            stderr(&output),
            format!(
                "{path}:1: option 'strickt' is unknown. The nearest known name is 'strict'.\n\
                 {path}:3: option 'port' is 70000. It must be an integer from 0 to 65535.\n"
            )
        );
    }
}

#[test]
fn a_right_configuration_is_called_so() {
    let file = ConfigFile::new("allow_anonymous = true\n[[listener]]\n");
    let output = output(&["-c", file.path(), "--test-config"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "configuration OK\n");
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_taken_port_ends_with_code_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let port = taken.local_addr().expect("it is bound").port();
    let text = format!("[[listener]]\nport = {port}\nbind_address = \"127.0.0.1\"\n");
    let file = ConfigFile::new(&text);
    let output = output(&["-c", file.path()]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains(&format!("Error: Cannot listen on 127.0.0.1 port {port}: ")), "{said}");
}

#[test]
fn sigterm_and_sigint_end_in_order() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let file = ConfigFile::new(LISTENER);
        let mut broker = Broker::start(&file);
        let line = broker.wait("Opening ipv4 listen socket on port ");
        let port = line.trim_end().trim_end_matches('.').rsplit(' ').next().expect("a port");
        let port: u16 = port.parse().expect("a number");
        broker.wait(" running");
        TcpStream::connect(("127.0.0.1", port)).expect("the announced port listens");
        broker.signal(signal);
        broker.wait(" terminating");
        assert_eq!(broker.exit_code(), Some(0), "{signal}");
    }
}

#[test]
fn a_signal_right_after_the_listener_is_announced_is_obeyed() {
    // Again and again: what is signalled too early for the broker is a matter of luck.
    for _ in 0..20 {
        let file = ConfigFile::new(LISTENER);
        let mut broker = Broker::start(&file);
        broker.wait("Opening ipv4 listen socket on port ");
        broker.signal(Signal::SIGHUP);
        broker.signal(Signal::SIGTERM);
        broker.wait(" terminating");
        assert_eq!(broker.exit_code(), Some(0));
    }
}

#[test]
fn sighup_reloads_and_a_mistake_changes_nothing() {
    let file = ConfigFile::new(LISTENER);
    let mut broker = Broker::start(&file);
    broker.wait(" running");
    file.write(&format!("max_queued_messages = 5\nshards = 7\n{LISTENER}"));
    broker.signal(Signal::SIGHUP);
    broker.wait("Configuration reloaded; applied: max_queued_messages.");
    file.write(&format!("max_queued_messages = true\n{LISTENER}"));
    broker.signal(Signal::SIGHUP);
    broker.wait("option 'max_queued_messages' is true.");
    broker.wait("the old one stays in force");
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
}

#[test]
fn a_log_file_takes_the_lines() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("log");
    // The taken port ends the broker by itself.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let port = taken.local_addr().expect("it is bound").port();
    let file = ConfigFile::new(&format!(
        "log_dest = \"file {}\"\nlog_format = \"json\"\nallow_anonymous = true\n\
         [[listener]]\nport = {port}\nbind_address = \"127.0.0.1\"\n",
        log.display()
    ));
    let output = output(&["-c", file.path()]);
    assert_eq!(stderr(&output), "");
    let text = fs::read_to_string(log).expect("the log file is there");
    assert!(text.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{text}");
    assert!(text.contains("\"type\":\"error\""), "{text}");
}

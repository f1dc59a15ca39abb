//! The file that Debian's package installs, as it is.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use nix::unistd::Uid;

use crate::clients::{To, hello, succeeds};
use crate::program::{MOSQUITTO, Program, is_foreign, pondhawk};

const FILE: &str = "/etc/mosquitto/mosquitto.conf";

/// What Debian's service does before it starts the broker.
fn service_directories() {
    for directory in ["/var/log/mosquitto", "/run/mosquitto"] {
        succeeds(Command::new("mkdir").args(["-m", "740", "-p", directory]));
        succeeds(Command::new("chown").args(["mosquitto", directory]));
    }
}

#[test]
#[allow(clippy::print_stderr)]
fn the_stock_file_of_debian_starts_the_broker_unchanged() {
    // It writes to /run, /var/log and /var/lib, and it listens on port 1883.
    if !Uid::effective().is_root() || !Path::new(FILE).exists() {
        eprintln!("skipped: {FILE} wants root and the package mosquitto");
        return;
    }
    if TcpListener::bind("127.0.0.1:1883").is_err() {
        eprintln!("skipped: port 1883 is taken");
        return;
    }
    service_directories();
    let path = if is_foreign() { MOSQUITTO.into() } else { pondhawk() };
    let program = Program::start_quietly(path, &["-c", FILE]);
    program.wait_port(1883);
    hello(&To::port(1883));
    assert!(Path::new("/run/mosquitto/mosquitto.pid").exists(), "the pid file is written");
    let log = std::fs::read_to_string("/var/log/mosquitto/mosquitto.log").expect("the log file");
    assert!(log.contains(" running") && log.contains("New client connected from "), "{log}");
}

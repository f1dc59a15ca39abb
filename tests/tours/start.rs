//! Starting the broker, and the first message.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients::{To, hello, succeeds};
use crate::program::{Program, broker, free_port};
use crate::support::broker::PATIENCE;

/// The process with exactly these arguments.
fn process_with(arguments: &[&str]) -> Option<i32> {
    let wanted = arguments.join("\0");
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let named = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut found = named.filter(|pid| {
        let line = fs::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).unwrap_or_default();
        String::from_utf8_lossy(&line).trim_end_matches('\0').ends_with(&wanted)
    });
    found.next()
}

/// Ends the process when dropped.
struct Daemon(Pid);

impl Drop for Daemon {
    fn drop(&mut self) {
        // Fails only when the process has ended already.
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

#[test]
fn in_the_background_with_d_on_a_port_of_ones_own() {
    let port = free_port();
    let text = port.to_string();
    succeeds(&mut broker(&["-d", "-p", &text]));
    let daemon = process_with(&["-d", "-p", &text]).expect("it runs in the background");
    let _daemon = Daemon(Pid::from_raw(daemon));
    // It has no way to say that it listens: whoever types the next command is slower than this.
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "it never listened");
        std::thread::sleep(Duration::from_millis(5));
    }
    hello(&To::port(port));
}

#[test]
fn with_a_file_and_v_one_sees_what_happens() {
    let port = free_port();
    let program = Program::configured(&format!("listener {port}\nallow_anonymous true\n"));
    program.wait_line(|line| line.contains("Config loaded from "));
    hello(&To::port(port));
    program.wait_line(|line| line.contains("New client connected from ") && line.contains(" as "));
    program.wait_line(|line| line.ends_with(", 'testtopic', ... (5 bytes))"));
    program.wait_line(|line| line.contains("testtopic (QoS 1)"));
}

#[test]
fn a_request_finds_its_answer() {
    let port = free_port();
    let _program = Program::configured(&format!("listener {port}\nallow_anonymous true\n"));
    let to = To::port(port);
    let answerer = to.clone();
    let server = to.subscribe("square");
    let served = std::thread::spawn(move || {
        server.receives("square", "7");
        answerer.published("square/answer", "49");
    });
    assert_eq!(to.request("square", "square/answer", "7"), "49");
    served.join().expect("the answer was sent");
}

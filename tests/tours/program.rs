//! A broker as a user starts it: a command line, a port that is free, a log on standard error.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::broker::PATIENCE;

/// Debian's Mosquitto.
pub const MOSQUITTO: &str = "/usr/sbin/mosquitto";

/// The program under test.
pub fn pondhawk() -> PathBuf {
    env!("CARGO_BIN_EXE_pondhawk").into()
}

/// Whether the tours are taken with Mosquitto.
pub fn is_foreign() -> bool {
    std::env::var("POND_TEST_BROKER").is_ok()
}

/// A command line of the broker under test.
pub fn broker(arguments: &[&str]) -> Command {
    let program = std::env::var("POND_TEST_BROKER").map_or_else(|_| pondhawk(), PathBuf::from);
    let mut command = Command::new(program);
    // As root it stays root: the files of a test are for root alone.
    command.args(arguments).env("PUID", "0").env("PGID", "0");
    command
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

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A running broker; killed when dropped.
pub struct Program {
    child: Child,
    log: Arc<Log>,
    _directory: Option<tempfile::TempDir>,
}

impl Program {
    /// Starts `program` with these arguments and waits until it says that it runs.
    pub fn start<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S]) -> Self {
        let mut command = Command::new(program);
        // As root it stays root: the files of a test are for root alone.
        command.args(arguments).env("PUID", "0").env("PGID", "0");
        Self::run(command)
    }

    /// Starts the broker under test with `-v` and a file in Mosquitto's format.
    pub fn configured(text: &str) -> Self {
        Self::with_file(text, &["-v"])
    }

    /// Starts the broker under test with a file in Mosquitto's format.
    pub fn quiet(text: &str) -> Self {
        Self::with_file(text, &[])
    }

    fn with_file(text: &str, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("broker.conf");
        // Mosquitto gives up root unless it is told not to.
        let user = if is_foreign() { "user root\n" } else { "" };
        fs::write(&file, format!("{user}{text}")).expect("write the configuration");
        let path = file.to_str().expect("UTF-8");
        let mut program = Self::run(broker(&[&["-c", path], more].concat()));
        program._directory = Some(directory);
        program
    }

    /// Starts a program whose log goes elsewhere.
    pub fn start_quietly(program: PathBuf, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::spawn(command)
    }

    /// Waits until something listens on a port.
    pub fn wait_port(&self, port: u16) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "nothing listens on port {port}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs a command line and waits until it says that it runs.
    pub fn run(command: Command) -> Self {
        let program = Self::spawn(command);
        program.wait_line(|line| line.ends_with(" running"));
        program
    }

    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Arc::new(Log::default());
        follow(child.stderr.take().expect("it is piped"), Arc::clone(&log));
        Self { child, log, _directory: None }
    }

    /// Waits for a line of the log.
    pub fn wait_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        let mut lines = self.log.lines();
        loop {
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return line.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            let ended = lines.last().is_some_and(|line| line == END);
            assert!(!left.is_zero() && !ended, "the line never came:\n{}", lines.join("\n"));
            lines = self.log.grown.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("signal the broker");
    }

    /// Ends it in order and returns the whole log.
    pub fn stop(mut self) -> Vec<String> {
        self.signal(Signal::SIGTERM);
        self.child.wait().expect("wait for the broker");
        self.wait_line(|line| line == END);
        let mut lines = self.log.lines().clone();
        lines.pop();
        lines
    }
}

const END: &str = "(end of log)";

fn follow(stream: impl Read + Send + 'static, log: Arc<Log>) {
    thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        for line in lines.chain([END.to_string()]) {
            log.lines().push(line);
            log.grown.notify_all();
        }
    });
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

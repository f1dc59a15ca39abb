//! The program as a process: exit codes, what it says and where, and signals.
//!
//! A test waits for log lines and for the process's end, and never sleeps. A line that does not
//! come ends the test, which then shows what was said instead.
#![cfg(feature = "broker")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

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
    log: Receiver<String>,
    said: Vec<String>,
}

/// How long a line may take; generous, since the machine is shared.
const PATIENCE: Duration = Duration::from_secs(30);

/// The lines of a log as they come, until it ends.
fn lines(log: ChildStderr) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut log = BufReader::new(log);
        loop {
            let mut line = String::new();
            let read = log.read_line(&mut line).expect("the log is text");
            if read == 0 || sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Broker {
    fn start(file: &ConfigFile) -> Self {
        let mut command = pondhawk();
        command
            .args(["-c", file.path(), "--shards", "1"])
            // A broker started as root gives up its rights, and could not read the file again.
            .env("PUID", "0")
            .stderr(Stdio::piped());
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program runs");
        let log = lines(child.stderr.take().expect("standard error is piped"));
        Self { child, log, said: Vec::new() }
    }

    /// Reads the log up to a line with `part` and returns that line.
    fn wait(&mut self, part: &str) -> String {
        loop {
            let Ok(line) = self.log.recv_timeout(PATIENCE) else {
                panic!("the log has no {part:?}: {:#?}", self.said);
            };
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
    let output = test_config(&file);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "configuration OK\n");
    assert_eq!(stderr(&output), "");
}

fn test_config(file: &ConfigFile) -> Output {
    let mut command = pondhawk();
    // As root it would also tell who it goes on as.
    command.args(["-c", file.path(), "--test-config"]).env("PUID", "0");
    command.output().expect("the program runs")
}

#[test]
fn what_the_configuration_names_is_checked_by_a_test_and_by_a_start() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("write a file");
        path.display().to_string()
    };
    let made = || rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let (ours, other) = (made(), made());
    let passwords = write("passwd", "# people\nbob:hunter2\n");
    let rules = write("acl", "topic a\ntopik b\n");
    let certificate = write("cert.pem", &ours.cert.pem());
    let key = write("key.pem", &other.signing_key.serialize_pem());
    let missing = directory.path().join("missing.pem").display().to_string();
    let tls = |cert: &str, key: &str| {
        format!("[[listener]]\nport = 0\ncertfile = \"{cert}\"\nkeyfile = \"{key}\"\n")
    };
    for (text, parts) in [
        (
            format!("password_file = {passwords:?}\nacl_file = {rules:?}\n{LISTENER}"),
            vec![
                format!("{passwords}:2: user \"bob\" cannot be read: "),
                "make it anew with `pondhawk passwd`".into(),
                format!("{rules}:2: \"topik\" is none of"),
            ],
        ),
        (
            tls(&missing, &key),
            vec![format!("certfile {missing}: "), "No such file".into(), "is there".into()],
        ),
        (tls(&certificate, &key), vec![format!("keyfile {key}: "), "certificate".into()]),
    ] {
        let file = ConfigFile::new(&text);
        for output in [test_config(&file), output(&["-c", file.path()])] {
            assert_eq!(output.status.code(), Some(1), "{text}");
            let said = stderr(&output);
            assert!(parts.iter().all(|part| said.contains(part)), "{parts:#?} of {said}");
        }
    }
}

#[test]
fn a_test_tells_what_a_start_warns_of_and_writes_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let keys = directory.path().join("keys");
    let file = ConfigFile::new(&format!("allow_anonymous = false\n{LISTENER}"));
    let mut command = pondhawk();
    command.args(["-c", file.path(), "--test-config", "--tls-keylog"]).arg(&keys);
    let output = command.env("PUID", "0").output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0));
    let warning = "every client will be refused";
    assert!(stderr(&output).contains(warning), "{}", stderr(&output));
    assert!(!keys.exists());
    let mut broker = Broker::start(&file);
    broker.wait(warning);
}

#[test]
fn a_taken_port_ends_with_code_one() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
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
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
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

#[test]
fn a_client_of_a_unix_socket_has_its_path_for_an_address() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("s");
    let file = ConfigFile::new(&format!(
        "log_format = \"json\"\nallow_anonymous = true\n[[listener]]\nport = 0\n\
         unix_socket = {path:?}\n"
    ));
    let mut broker = Broker::start(&file);
    broker.wait(" running");
    is_served(UnixStream::connect(&path).expect("it listens"));
    for event in ["accepted", "connected", "disconnected"] {
        let line = broker.wait(&format!("\"event\":\"{event}\""));
        assert!(line.contains(&format!("\"address\":\"{}:0\"", path.display())), "{line}");
    }
}

/// A directory with links to the program under other names.
fn linked(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let link = directory.path().join(name);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pondhawk"), &link).expect("make a link");
    (directory, link)
}

#[test]
fn called_as_mosquitto_it_speaks_and_exits_as_mosquitto() {
    let (_directory, link) = linked("mosquitto");
    let run = |flag: &str| Command::new(&link).arg(flag).output().expect("it runs");
    let help = run("-h");
    assert!(String::from_utf8_lossy(&help.stdout).starts_with("mosquitto version "));
    assert_eq!(help.status.code(), Some(3));
    let unknown = run("--frobnicate");
    assert!(stderr(&unknown).contains("Error: Unknown option '--frobnicate'."));
    assert_eq!(unknown.status.code(), Some(3));
    let file = ConfigFile::new("[[listener]]\nport = 0\n");
    let mut broker = Command::new(&link);
    broker.args(["-c", file.path()]).env("PUID", "0").stderr(Stdio::piped());
    let mut broker = Broker::of(broker);
    broker.wait("mosquitto version ");
    broker.wait(" running");
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
}

#[test]
fn a_file_of_mosquittos_is_shown_converted_and_run() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let conf = directory.path().join("m.conf");
    let text = "max_keepalive 0x3c\nlistener 0 /x.sock\nmax_qos 1\nretry_interval 5\n";
    fs::write(&conf, text).expect("write the configuration");
    let conf = conf.to_str().expect("the path is text");
    let shown = output(&["config", "show", "-c", conf, "--changed"]);
    let expected = "max_keepalive = 60\n\n[[listener]]\nport = 0\nunix_socket = \"/x.sock\"\n\
                    max_qos = 1\n";
    assert_eq!(String::from_utf8_lossy(&shown.stdout), expected);
    let converted = output(&["config", "convert", conf]);
    let toml = String::from_utf8_lossy(&converted.stdout).into_owned();
    assert!(toml.ends_with(expected), "{toml}");
    assert!(toml.contains("m.conf:4: option 'retry_interval' has no meaning here."), "{toml}");
}

#[test]
fn in_the_background_it_listens_as_soon_as_the_command_returns() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pid_file = directory.path().join("pid");
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let port = taken.local_addr().expect("it is bound").port();
    let file = ConfigFile::new(&format!(
        "pid_file = {pid_file:?}\nlog_dest = \"none\"\n[[listener]]\nport = {port}\n\
         bind_address = \"127.0.0.1\"\n"
    ));
    let start = || pondhawk().args(["-d", "-c", file.path()]).env("PUID", "0").output();
    let refused = start().expect("the program runs");
    assert_eq!(refused.status.code(), Some(1), "the port is taken");
    assert!(stderr(&refused).contains("Cannot listen on 127.0.0.1 port "));
    drop(taken);
    let started = start().expect("the program runs");
    assert_eq!((started.status.code(), stderr(&started)), (Some(0), String::new()));
    // What is no CONNECT ends a connection: once it has ended the broker runs.
    let mut first = TcpStream::connect(("127.0.0.1", port)).expect("it listens already");
    first.write_all(&[0xC0, 0]).expect("send a PINGREQ");
    assert_eq!(first.read(&mut [0; 16]).expect("it is ended"), 0);
    let mut second = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let pid = fs::read_to_string(&pid_file).expect("it is there").parse().expect("a number");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("signal the broker");
    assert_eq!(second.read(&mut [0; 16]).unwrap_or(0), 0, "the end was not told");
}

#[test]
fn the_pid_file_is_there_while_the_broker_runs() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pid_file = directory.path().join("pid");
    let file = ConfigFile::new(&format!("pid_file = {pid_file:?}\n{LISTENER}"));
    let mut broker = Broker::start(&file);
    broker.wait(" running");
    let pid = fs::read_to_string(&pid_file).expect("it is there");
    assert_eq!(pid, broker.child.id().to_string());
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
    assert!(!pid_file.exists());
    let file = ConfigFile::new(&format!("pid_file = \"/nowhere/pid\"\n{LISTENER}"));
    let refused = output(&["-c", file.path()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("The pid_file /nowhere/pid cannot be written"));
}

#[test]
fn sigusr1_and_sigusr2_are_answered_in_the_log() {
    let file = ConfigFile::new(LISTENER);
    let mut broker = Broker::start(&file);
    broker.wait(" running");
    broker.signal(Signal::SIGUSR1);
    broker.wait("this version keeps it in memory only");
    broker.signal(Signal::SIGUSR2);
    broker.wait("Shard 0: 0 sessions, 0 subscriptions");
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
}

#[test]
fn signal_tells_a_broker_what_to_do() {
    let file = ConfigFile::new(LISTENER);
    let mut broker = Broker::start(&file);
    broker.wait(" running");
    let pid = broker.child.id().to_string();
    for (errand, answer) in [
        ("config-reload", "Configuration reloaded"),
        ("tree-print", "Shard 0: "),
        ("shutdown", " terminating"),
    ] {
        assert_eq!(output(&["signal", "-p", &pid, errand]).status.code(), Some(0), "{errand}");
        broker.wait(answer);
    }
    assert_eq!(broker.exit_code(), Some(0));
}

/// A service manager's socket; what it is told is read in order.
#[test]
fn a_service_manager_is_told_of_start_reload_and_end() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("bind the socket");
    let file = ConfigFile::new(LISTENER);
    let mut command = pondhawk();
    command
        .args(["-c", file.path()])
        .envs([("PUID", "0"), ("NOTIFY_SOCKET", path.to_str().expect("text"))])
        .stderr(Stdio::piped());
    let mut broker = Broker::of(command);
    let told = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).expect("it is told");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    assert_eq!(told().trim_end(), "READY=1");
    broker.signal(Signal::SIGHUP);
    assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told().trim_end(), "READY=1");
    broker.signal(Signal::SIGTERM);
    assert_eq!(told().trim_end(), "STOPPING=1");
    broker.wait(" terminating");
    assert_eq!(broker.exit_code(), Some(0));
}

/// CVE-2017-7652: a reload that cannot read its file must not fall back to defaults.
#[test]
fn a16_a_reload_without_descriptors_or_file_keeps_the_old_configuration() {
    let file = ConfigFile::new(&format!("max_queued_messages = 5\n{LISTENER}"));
    let mut broker = Broker::start(&file);
    broker.wait(" running");
    fs::remove_file(&file.path).expect("remove the configuration");
    broker.signal(Signal::SIGHUP);
    broker.wait("the configuration file cannot be read: No such file");
    broker.wait("the old one stays in force");
    file.write(&format!("max_queued_messages = 6\n{LISTENER}"));
    // No descriptor more than those that are open.
    let pid = broker.child.id();
    let limit = |files: &str| {
        let status = Command::new("prlimit")
            .args([format!("--pid={pid}"), format!("--nofile={files}")])
            .status();
        assert!(status.expect("prlimit runs").success());
    };
    limit("4:1024");
    broker.signal(Signal::SIGHUP);
    broker.wait("Too many open files");
    broker.wait("the old one stays in force");
    limit("1024:1024");
    broker.signal(Signal::SIGHUP);
    broker.wait("Configuration reloaded; applied: max_queued_messages.");
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
}

#[test]
fn a_broker_started_as_root_goes_on_as_an_ordinary_user() {
    if !nix::unistd::Uid::effective().is_root() {
        return; // Only root can give up its rights.
    }
    let file = ConfigFile::new(&format!("user = \"nobody\"\n{LISTENER}"));
    let mut command = pondhawk();
    command.args(["-c", file.path()]).env_remove("PUID").stderr(Stdio::piped());
    let mut broker = Broker::of(command);
    broker.wait(" running");
    let status = fs::read_to_string(format!("/proc/{}/status", broker.child.id()));
    let nobody = nix::unistd::User::from_name("nobody").expect("it can be looked up");
    let uid = nobody.expect("every system has it").uid;
    let expected = format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}");
    assert!(status.expect("it runs").contains(&expected));
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
    let unknown = ConfigFile::new(&format!("user = \"no-such-user\"\n{LISTENER}"));
    let refused = output(&["-c", unknown.path()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("There is no user 'no-such-user'."));
}

/// The program as a service manager starts it that has opened the socket.
fn activated(socket: impl Into<OwnedFd>, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    // `exec` leaves the shell's number to the program.
    command
        .args(["-c", "LISTEN_PID=$$; export LISTEN_PID; exec \"$0\" \"$@\" 3<&0 </dev/null"])
        .arg(env!("CARGO_BIN_EXE_pondhawk"))
        .args(arguments)
        .envs([("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "mqtt.socket"), ("PUID", "0")])
        .stdin(Stdio::from(socket.into()))
        .stderr(Stdio::piped());
    command
}

/// Connects as a 3.1.1 Client named `a` and reads that the broker accepts it.
fn is_served(mut connection: impl Read + Write) {
    let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a";
    connection.write_all(connect).expect("send CONNECT");
    let mut connack = [0xFF; 4];
    connection.read_exact(&mut connack).expect("read CONNACK");
    assert_eq!(connack, [0x20, 2, 0, 0]);
}

#[test]
fn a_socket_of_the_service_manager_is_served_without_a_configuration() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = socket.local_addr().expect("it is bound");
    // Waits in the backlog for the broker to start.
    let early = TcpStream::connect(address).expect("it listens");
    let port = address.port().to_string();
    let mut broker = Broker::of(activated(socket, &["-p", &port]));
    is_served(early);
    is_served(TcpStream::connect(address).expect("it listens"));
    broker.wait(" running\n");
    let opened = broker.said.iter().filter(|line| line.contains("Opening ")).count();
    assert_eq!(opened, 1, "IPv6's loopback was not passed: {:#?}", broker.said);
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
}

#[test]
fn a_socket_of_the_service_manager_stays_over_reloads() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = socket.local_addr().expect("it is bound");
    let ours = format!(
        "allow_anonymous = true\n[[listener]]\nport = {}\nbind_address = \"127.0.0.1\"\n",
        address.port()
    );
    let file = ConfigFile::new(&ours);
    // As a service manager does, this process keeps the socket.
    let kept = socket.try_clone().expect("it can be cloned");
    let mut broker = Broker::of(activated(socket, &["-c", file.path()]));
    broker.wait(" running");
    is_served(TcpStream::connect(address).expect("it listens"));
    for (text, line) in [
        (format!("max_queued_messages = 5\n{ours}"), "Reloading config."),
        (format!("max_queued_messages = 5\n{LISTENER}"), "Closing ipv4 listen socket"),
        (format!("max_queued_messages = 5\n{ours}"), "Opening ipv4 listen socket"),
    ] {
        file.write(&text);
        broker.signal(Signal::SIGHUP);
        broker.wait(line);
        broker.wait("Configuration reloaded");
    }
    is_served(TcpStream::connect(address).expect("it listens"));
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
    drop(kept);
}

#[test]
fn a_unix_socket_of_the_service_manager_is_served_and_keeps_its_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("s");
    let socket = UnixListener::bind(&path).expect("it can be bound");
    let file = ConfigFile::new(&format!(
        "allow_anonymous = true\n[[listener]]\nport = 0\nunix_socket = {path:?}\n"
    ));
    let broker = Broker::of(activated(socket, &["-c", file.path()]));
    is_served(UnixStream::connect(&path).expect("it listens"));
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
    assert!(path.exists());
}

#[test]
fn a_socket_of_the_service_manager_without_a_listener_ends_the_start() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = socket.local_addr().expect("it is bound");
    let file = ConfigFile::new(LISTENER);
    let output = activated(socket, &["-c", file.path()]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let part = format!(
        "The socket 'mqtt.socket' (descriptor 3) that the service manager passed \
                        listens on {address}, which is no listener's."
    );
    assert!(said.contains(&part), "{said}");
    let connected = UnixStream::pair().expect("a pair").0;
    let output = activated(connected, &["-c", file.path()]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("it does not listen. Its unit needs"), "{}", stderr(&output));
}

#[test]
fn sockets_for_another_process_are_not_taken() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let file = ConfigFile::new(LISTENER);
    let mut command = pondhawk();
    command
        .args(["-c", file.path()])
        .envs([("LISTEN_FDS", "1"), ("LISTEN_PID", "1"), ("PUID", "0")])
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stderr(Stdio::piped());
    let mut broker = Broker::of(command);
    broker.wait(" running");
    broker.signal(Signal::SIGTERM);
    assert_eq!(broker.exit_code(), Some(0));
}

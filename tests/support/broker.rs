//! The broker under test: a real process with a configuration in a temporary directory.
//!
//! Its port is taken from the log line that announces the listener, so a test waits for the event
//! and never sleeps. Scenarios with the same options share one process, which ends with its last
//! user.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Scope;

/// How long an event may take before the test gives up; generous, since the machine is shared.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The shard counts every scenario runs with.
pub const SHARDS: [u32; 2] = [1, 4];

/// Options that differ from the plain test configuration, each value as TOML text.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Options {
    global: Vec<(String, String)>,
    listener: Vec<(String, String)>,
    descriptors: Option<u32>,
    more: String,
}

impl Options {
    /// Sets a global option, in place of an earlier value.
    pub fn set(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        let name = name.into();
        self.global.retain(|(set, _)| *set != name);
        self.global.push((name, value.to_string()));
        self
    }

    /// Sets an option of the listener.
    pub fn listener(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.listener.push((name.into(), value.to_string()));
        self
    }

    /// Adds sections to the configuration, as TOML text.
    pub fn more(mut self, text: impl Into<String>) -> Self {
        self.more = text.into();
        self
    }

    /// Lets the process have no more than `count` file descriptors.
    pub fn descriptors(mut self, count: u32) -> Self {
        self.descriptors = Some(count);
        self
    }

    fn toml(&self) -> String {
        let mut text = String::new();
        if !self.global.iter().any(|(name, _)| name == "allow_anonymous") {
            text.push_str("allow_anonymous = true\n");
        }
        for (name, value) in &self.global {
            text.push_str(&format!("{name} = {value}\n"));
        }
        text.push_str("[[listener]]\nport = 0\nbind_address = \"127.0.0.1\"\n");
        for (name, value) in &self.listener {
            text.push_str(&format!("{name} = {value}\n"));
        }
        text.push_str(&self.more);
        text
    }

    /// The same in Mosquitto's format, which wants a port of its own.
    fn mosquitto(&self) -> String {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let mut text = String::from("log_dest stderr\nset_tcp_nodelay true\n");
        if !self.global.iter().any(|(name, _)| name == "allow_anonymous") {
            text.push_str("allow_anonymous true\n");
        }
        for (name, value) in &self.global {
            text.push_str(&format!("{name} {}\n", value.trim_matches('"')));
        }
        text.push_str(&format!("listener {port} 127.0.0.1\n"));
        for (name, value) in &self.listener {
            text.push_str(&format!("{name} {}\n", value.trim_matches('"')));
        }
        text
    }
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

/// A running broker; killed when dropped.
pub struct Broker {
    child: Mutex<Child>,
    pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
    log: Arc<Log>,
    directory: tempfile::TempDir,
}

/// The program to test when it is not this project's own: the path of a Mosquitto, to check
/// scenarios against a second implementation.
fn foreign() -> Option<String> {
    std::env::var("POND_TEST_BROKER").ok()
}

/// Whether the broker under test is Mosquitto.
pub fn is_foreign() -> bool {
    foreign().is_some()
}

fn command(directory: &Path, shards: u32, options: &Options) -> Command {
    if let Some(program) = foreign() {
        let config = directory.join("mosquitto.conf");
        fs::write(&config, options.mosquitto()).expect("write the configuration");
        let mut command = Command::new(program);
        command.arg("-c").arg(config);
        return command;
    }
    let config = directory.join("pondhawk.toml");
    fs::write(&config, options.toml()).expect("write the configuration");
    let program = env!("CARGO_BIN_EXE_pondhawk");
    let mut command = match options.descriptors {
        None => Command::new(program),
        Some(count) => {
            // The shell lowers the hard limit too, which the broker cannot raise again.
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("ulimit -n {count} && exec \"$0\" \"$@\""), program]);
            shell
        }
    };
    command.arg("-c").arg(config).arg("--shards").arg(shards.to_string());
    // A broker started as root gives up its rights, and could not read the directory again.
    command.env("PUID", "0");
    command
}

fn follow(stream: impl std::io::Read + Send + 'static, log: Arc<Log>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            log.lines.lock().unwrap().push(line);
            log.grown.notify_all();
        }
        log.lines.lock().unwrap().push("(end of log)".into());
        log.grown.notify_all();
    });
}

impl Log {
    fn wait<T>(&self, what: &str, mut pick: impl FnMut(&str) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut lines = self.lines.lock().unwrap();
        let mut seen = 0;
        loop {
            for line in &lines[seen..] {
                if let Some(found) = pick(line) {
                    return found;
                }
            }
            seen = lines.len();
            let ended = lines.last().is_some_and(|line| line == "(end of log)");
            let left = until.saturating_duration_since(Instant::now());
            if ended || left.is_zero() {
                panic!("the broker's log never had {what}:\n{}", lines.join("\n"));
            }
            lines = self.grown.wait_timeout(lines, left).unwrap().0;
        }
    }
}

fn announced_port(line: &str) -> Option<u16> {
    let rest = line.split("Opening ipv4 listen socket on port ").nth(1)?;
    rest.trim_end_matches('.').parse().ok()
}

impl Broker {
    /// Starts a broker that no other scenario shares.
    pub fn start(shards: u32, options: &Options) -> Broker {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut child = command(directory.path(), shards, options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the broker");
        let log = Arc::new(Log::default());
        follow(child.stderr.take().expect("stderr is piped"), log.clone());
        let port = log.wait("the line that announces the listener", announced_port);
        if is_foreign() {
            // Mosquitto announces a listener before it binds it.
            log.wait("the end of its start", |line| line.ends_with(" running").then_some(()));
        }
        Broker {
            pid: child.id(),
            child: Mutex::new(child),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            log,
            directory,
        }
    }

    /// A broker with these options that other scenarios may be using too.
    pub fn shared(shards: u32, options: &Options) -> Arc<Broker> {
        type Pool = HashMap<(u32, Options), Weak<Broker>>;
        static POOL: Mutex<Option<Pool>> = Mutex::new(None);
        let mut pool = POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let pool = pool.get_or_insert_with(HashMap::new);
        let key = (shards, options.clone());
        if let Some(broker) = pool.get(&key).and_then(Weak::upgrade) {
            return broker;
        }
        let broker = Arc::new(Broker::start(shards, options));
        pool.insert(key, Arc::downgrade(&broker));
        broker
    }

    /// Blocks until the log has a line that contains `part`.
    pub fn wait_log(&self, part: &str) {
        self.log.wait(part, |line| line.contains(part).then_some(()));
    }

    /// Blocks until `count` lines of the log contain `part`, and gives them.
    pub fn wait_log_lines(&self, part: &str, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        self.log.wait(part, |line| {
            if line.contains(part) {
                found.push(line.to_owned());
            }
            (found.len() == count).then_some(())
        });
        found
    }

    /// Writes other options, has them reloaded, and waits until they are in force.
    pub fn reconfigure(&self, options: &Options) {
        const DONE: &str = "Configuration reloaded";
        let count = |lines: &[String]| lines.iter().filter(|line| line.contains(DONE)).count();
        let before = count(&self.log.lines.lock().unwrap());
        let file = self.directory.path().join("pondhawk.toml");
        fs::write(file, options.toml()).expect("write the configuration");
        self.signal(Signal::SIGHUP);
        self.wait_log_lines(DONE, before + 1);
    }

    /// How many lines the log has by now.
    pub fn log_len(&self) -> usize {
        self.log.lines.lock().unwrap().len()
    }

    /// Processor time used so far, in clock ticks.
    pub fn processor_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("/proc");
        // The name, in parentheses, may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Has the broker read its configuration again; back when it is in force.
    pub fn reload(&self) {
        self.reload_and_wait_for("Configuration reloaded");
    }

    /// Has the broker read its configuration again, which it is to refuse.
    pub fn reload_refused(&self) {
        self.reload_and_wait_for("The configuration was not reloaded");
    }

    fn reload_and_wait_for(&self, part: &str) {
        let before = self.log.lines.lock().unwrap().iter().filter(|l| l.contains(part)).count();
        self.signal(Signal::SIGHUP);
        let mut seen = 0;
        self.log.wait(part, |line| {
            seen += usize::from(line.contains(part));
            (seen > before).then_some(())
        });
    }

    /// Where its configuration is, as `pondhawk.toml`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What the log has so far.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Where the listener listens that was announced as number `at` of those with a port.
    pub fn listener(&self, at: usize) -> SocketAddr {
        let mut seen = 0;
        let port = self.log.wait("the line that announces the listener", |line| {
            let port = announced_port(line)?;
            seen += 1;
            (seen > at).then_some(port)
        });
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Resident anonymous memory in bytes.
    pub fn memory(&self) -> u64 {
        self.status("RssAnon:")
    }

    /// The most address space it ever had, in bytes: what was asked for counts here, used or not.
    pub fn peak_address_space(&self) -> u64 {
        self.status("VmPeak:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("/proc");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of status");
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid as i32), signal).expect("signal the broker");
    }

    /// Waits for the process to end.
    pub fn wait_exit(&self) -> ExitStatus {
        self.log.wait("an end", |line| (line == "(end of log)").then_some(()));
        self.child.lock().unwrap().wait().expect("wait for the broker")
    }

    fn tail(&self) -> String {
        let lines = self.log.lines.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        lines[lines.len().saturating_sub(12)..].join("\n    ")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Both fail only when the process has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn run(shards: u32, broker: &Broker, scenario: &(impl Fn(&Broker) + Sync)) {
    struct Tail<'a>(&'a Broker);
    impl Drop for Tail<'_> {
        fn drop(&mut self) {
            if thread::panicking() {
                eprintln!("  broker's last lines:\n    {}", self.0.tail());
            }
        }
    }
    let _scope = Scope(format!("{shards} shard(s)"));
    let _tail = Tail(broker);
    scenario(broker);
}

/// Runs `scenario` against a shared broker of each shard count, at the same time.
pub fn each_broker(options: &Options, scenario: impl Fn(&Broker) + Sync) {
    thread::scope(|scope| {
        for shards in SHARDS {
            let scenario = &scenario;
            scope.spawn(move || run(shards, &Broker::shared(shards, options), scenario));
        }
    });
}

/// Runs `scenario` against a broker of its own for each shard count, one after the other: for
/// scenarios that measure or end the process.
pub fn each_own_broker(options: &Options, scenario: impl Fn(&Broker) + Sync) {
    for shards in SHARDS {
        run(shards, &Broker::start(shards, options), &scenario);
    }
}

/// Runs `scenario` for every shard count and each of `versions` with the plain configuration.
pub fn each(versions: &[super::Version], scenario: impl Fn(&Broker, super::Version) + Sync) {
    each_broker(&Options::default(), |broker| {
        super::each_version(versions, |version| scenario(broker, version));
    });
}

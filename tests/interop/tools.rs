//! Mosquitto's command-line clients: what scripts in the field are made of.

use std::io::Write;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use crate::clients::{Version, fresh};
use crate::lines::{follow, wait_for};
use crate::support::Scope;
use crate::support::broker::{Broker, PATIENCE};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

fn tool(name: &str, broker: &Broker, version: Version, arguments: &[&str]) -> Command {
    let version = match version {
        Version::V31 => "mqttv31",
        Version::V311 => "mqttv311",
        Version::V5 => "mqttv5",
    };
    // Without a terminal its output would be held back.
    let mut command = Command::new("stdbuf");
    let port = broker.address.port().to_string();
    command.args(["-oL", name, "-h", "127.0.0.1", "-p", &port, "-V", version]).args(arguments);
    command
}

/// Runs a tool to its end; returns what it printed.
fn run(mut command: Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().expect("run the tool");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {complaint}", output.status);
    output.stdout
}

fn publish(broker: &Broker, version: Version, arguments: &[&str]) {
    run(tool("mosquitto_pub", broker, version, arguments));
}

/// What `mosquitto_sub` prints before it ends by itself.
fn collect(broker: &Broker, version: Version, arguments: &[&str]) -> String {
    let patience = PATIENCE.as_secs().to_string();
    let arguments = [&["-W", &patience], arguments].concat();
    let printed = run(tool("mosquitto_sub", broker, version, &arguments));
    String::from_utf8(printed).expect("UTF-8")
}

/// A running tool, which is subscribed. Killed when dropped.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts `mosquitto_sub` and waits for its SUBACK.
    fn subscribe(broker: &Broker, version: Version, arguments: &[&str]) -> Running {
        let arguments = [&["-d"], arguments].concat();
        let mut running = Running::start(tool("mosquitto_sub", broker, version, &arguments));
        running.wait_for("received SUBACK");
        running
    }

    fn start(mut command: Command) -> Running {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("start the tool; tests/run installs it");
        let stdout: ChildStdout = child.stdout.take().expect("stdout is piped");
        Running { child, lines: follow(stdout) }
    }

    fn wait_for(&mut self, part: &str) {
        wait_for(&self.lines, |line| line.contains(part).then_some(()));
    }

    /// The next line that is no debug output; messages are printed with `-F`, `> ` in front.
    fn message(&mut self) -> String {
        wait_for(&self.lines, |line| line.strip_prefix("> ").map(str::to_owned))
    }

    /// Lets the connection be lost.
    fn cut(mut self) {
        self.child.kill().expect("kill the tool");
        self.child.wait().expect("wait for the tool");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn each_version(scenario: impl Fn(&Broker, Version)) {
    let broker = crate::broker(4);
    for version in VERSIONS {
        let _scope = Scope(format!("{version:?}"));
        scenario(&broker, version);
    }
}

#[test]
fn sub_prints_what_pub_sends_in_every_pair_of_versions() {
    each_version(|broker, version| {
        let topic = fresh("tools/");
        let arguments = ["-t", &topic, "-q", "2", "-F", "> %t %q %r %p"];
        let mut sub = Running::subscribe(broker, version, &arguments);
        for sender in VERSIONS {
            for qos in ["0", "1", "2"] {
                publish(broker, sender, &["-t", &topic, "-q", qos, "-m", "hello"]);
                assert_eq!(sub.message(), format!("{topic} {qos} 0 hello"));
            }
        }
    });
}

#[test]
fn pub_sends_standard_input_line_by_line_in_order() {
    each_version(|broker, version| {
        let topic = fresh("lines/");
        let mut sub = Running::subscribe(broker, version, &["-t", &topic, "-q", "1", "-F", "> %p"]);
        let mut publish = tool("mosquitto_pub", broker, version, &["-t", &topic, "-q", "1", "-l"]);
        let mut publisher = publish.stdin(Stdio::piped()).spawn().expect("start mosquitto_pub");
        let mut input = publisher.stdin.take().expect("stdin is piped");
        for n in 0..500 {
            writeln!(input, "{n}").expect("write a line");
        }
        drop(input);
        for n in 0..500 {
            assert_eq!(sub.message(), n.to_string());
        }
        assert!(publisher.wait().expect("wait for mosquitto_pub").success());
    });
}

#[test]
fn retained_messages_are_kept_printed_and_removed() {
    each_version(|broker, version| {
        let topic = fresh("retained/");
        let filter = format!("{topic}/#");
        for leaf in ["a", "b", "c"] {
            let topic = format!("{topic}/{leaf}");
            publish(broker, version, &["-t", &topic, "-q", "1", "-r", "-m", leaf]);
        }
        let arguments = ["-t", &filter, "-q", "1", "-C", "3", "-F", "%r %p"];
        let printed = collect(broker, version, &arguments);
        let mut lines: Vec<_> = printed.lines().collect();
        lines.sort();
        assert_eq!(lines, ["1 a", "1 b", "1 c"]);
        let gone = format!("{topic}/a");
        publish(broker, version, &["-t", &gone, "-q", "1", "-r", "-n"]);
        let arguments = ["-t", &filter, "-q", "1", "-C", "2", "-F", "%r %p"];
        let printed = collect(broker, version, &arguments);
        let mut lines: Vec<_> = printed.lines().collect();
        lines.sort();
        assert_eq!(lines, ["1 b", "1 c"]);
    });
}

#[test]
fn a_lost_sub_leaves_its_will() {
    each_version(|broker, version| {
        let topic = fresh("will/");
        let arguments = ["-t", &topic, "-q", "1", "-F", "> %r %p"];
        let mut watcher = Running::subscribe(broker, version, &arguments);
        let will = ["--will-topic", &topic, "--will-payload", "gone", "--will-qos", "1"];
        let arguments = [&will, ["--will-retain", "-t", "other"].as_slice()].concat();
        Running::subscribe(broker, version, &arguments).cut();
        assert_eq!(watcher.message(), "0 gone");
        let arguments = ["-t", &topic, "-q", "1", "-C", "1", "-F", "%r %p"];
        assert_eq!(collect(broker, version, &arguments), "1 gone\n");
    });
}

#[test]
fn a_session_waits_for_sub_to_come_back() {
    each_version(|broker, version| {
        let (topic, id) = (fresh("session/"), fresh("sleeper"));
        let session = ["-c", "-i", &id, "-t", &topic, "-q", "2"];
        collect(broker, version, &[&session, ["-E"].as_slice()].concat());
        for (qos, payload) in [("1", "a"), ("1", "b"), ("2", "c"), ("2", "d")] {
            publish(broker, version, &["-t", &topic, "-q", qos, "-m", payload]);
        }
        let back = [&session, ["-C", "4", "-F", "%q %p"].as_slice()].concat();
        assert_eq!(collect(broker, version, &back), "1 a\n1 b\n2 c\n2 d\n");
    });
}

#[test]
fn a_shared_subscription_is_shared_among_subs() {
    each_version(|broker, version| {
        let topic = fresh("shared/");
        let filter = format!("$share/workers/{topic}");
        let arguments = ["-t", &filter, "-q", "1", "-F", "> %p"];
        let subs = [(); 2].map(|()| Running::subscribe(broker, version, &arguments));
        let sent: Vec<String> = (0..20).map(|n| format!("{n:02}")).collect();
        for payload in &sent {
            publish(broker, version, &["-t", &topic, "-q", "1", "-m", payload]);
        }
        let mut taken = [Vec::new(), Vec::new()];
        while taken.iter().map(Vec::len).sum::<usize>() < sent.len() {
            for (sub, taken) in subs.iter().zip(&mut taken) {
                match sub.lines.recv_timeout(PATIENCE / 1000) {
                    Ok(line) => taken.extend(line.strip_prefix("> ").map(str::to_owned)),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => panic!("mosquitto_sub ended"),
                }
            }
        }
        assert!(taken.iter().all(|taken| !taken.is_empty()), "one had everything: {taken:?}");
        let mut all = taken.concat();
        all.sort();
        assert_eq!(all, sent);
    });
}

#[test]
fn rr_gets_the_answer_to_its_request() {
    each_version(|broker, version| {
        let (request, response) = (fresh("request/"), fresh("response/"));
        let arguments = ["-t", &request, "-q", "1", "-F", "> %p"];
        let mut server = Running::subscribe(broker, version, &arguments);
        let arguments = ["-d", "-t", &request, "-e", &response, "-q", "1", "-m", "2+2"];
        let mut rr = tool("mosquitto_rr", broker, version, &arguments);
        rr.args(["-F", "> %p"]);
        let mut rr = Running::start(rr);
        assert_eq!(server.message(), "2+2");
        publish(broker, version, &["-t", &response, "-q", "1", "-m", "4"]);
        assert_eq!(rr.message(), "4");
    });
}

#[test]
fn properties_reach_the_subscriber() {
    let broker = crate::broker(4);
    let topic = fresh("properties/");
    let format = "> %C|%R|%D|%P|%F|%E|%p";
    let arguments = ["-t", &topic, "-q", "1", "-F", format];
    let mut sub = Running::subscribe(&broker, Version::V5, &arguments);
    let properties: [&[&str]; 6] = [
        &["content-type", "text/plain"],
        &["response-topic", "answers/here"],
        &["correlation-data", "42"],
        &["user-property", "colour", "green"],
        &["payload-format-indicator", "1"],
        &["message-expiry-interval", "3600"],
    ];
    let properties = properties.map(|property| [&["-D", "publish"], property].concat()).concat();
    let message = ["-t", &topic, "-q", "1", "-m", "hello"];
    publish(&broker, Version::V5, &[&message, properties.as_slice()].concat());
    // The interval is given as what is left of it.
    let printed = sub.message().replace("|3599|", "|3600|");
    assert_eq!(printed, "text/plain|answers/here|42|colour:green|1|3600|hello");
}

#[test]
fn a_file_of_eight_mebibytes_arrives_whole() {
    each_version(|broker, version| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("payload");
        let payload: Vec<u8> = (0..8 << 20).map(|at: u32| (at % 251) as u8).collect();
        std::fs::write(&file, &payload).expect("write the payload");
        let topic = fresh("file/");
        let file = file.to_str().expect("a path in UTF-8");
        publish(broker, version, &["-t", &topic, "-q", "1", "-r", "-f", file]);
        let arguments = ["-t", &topic, "-q", "1", "-C", "1", "-N", "-W", "30"];
        let printed = run(tool("mosquitto_sub", broker, version, &arguments));
        assert!(printed == payload, "the payload was changed");
    });
}

//! Mosquitto's command-line clients, typed as in a tutorial.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::support::broker::PATIENCE;

/// Where a client connects: its options of the command line.
#[derive(Clone, Default)]
pub struct To(Vec<String>);

impl To {
    /// A port of this machine.
    pub fn port(port: u16) -> Self {
        Self::default().with(&["-h", "localhost", "-p", &port.to_string()])
    }

    /// These options as well.
    pub fn with(mut self, options: &[&str]) -> Self {
        self.0.extend(options.iter().map(ToString::to_string));
        self
    }

    fn command(&self, tool: &str, options: &[&str]) -> Command {
        // Without a terminal its output would be held back.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", tool]).args(&self.0).args(options);
        command.stdin(Stdio::null());
        command
    }

    /// Publishes; what the tool said and how it ended.
    pub fn publish(&self, topic: &str, payload: &str) -> Output {
        // QoS 1: the tool ends when the broker has the message.
        let options = ["-t", topic, "-m", payload, "-q", "1"];
        self.command("mosquitto_pub", &options).output().expect("run mosquitto_pub")
    }

    /// Publishes, and wants that to work.
    pub fn published(&self, topic: &str, payload: &str) {
        let output = self.publish(topic, payload);
        assert!(output.status.success(), "mosquitto_pub: {}", said(&output));
    }

    /// Wants to be turned away.
    pub fn refused(&self) {
        let output = self.publish("testtopic", "x");
        assert!(!output.status.success(), "it was let in: {}", said(&output));
    }

    /// Subscribes; returns when that is acknowledged.
    pub fn subscribe(&self, filter: &str) -> Subscriber {
        let mut command = self.command("mosquitto_sub", &["-d", "-v", "-q", "1", "-t", filter]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("run mosquitto_sub");
        let (sender, lines) = channel();
        for stream in [
            Box::new(child.stdout.take().expect("piped")) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().expect("piped")),
        ] {
            let sender = sender.clone();
            thread::spawn(move || {
                let lines = BufReader::new(stream).lines().map_while(Result::ok);
                // Fails only when the test is over.
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        let subscriber = Subscriber { child, lines };
        subscriber.wait(|line| line.contains("received SUBACK"));
        subscriber
    }

    /// A request and its answer with `mosquitto_rr`.
    pub fn request(&self, topic: &str, answer: &str, payload: &str) -> String {
        let options = ["-t", topic, "-e", answer, "-m", payload, "-W", "30"];
        let output = self.command("mosquitto_rr", &options).output().expect("run mosquitto_rr");
        assert!(output.status.success(), "mosquitto_rr: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim_end().into()
    }
}

fn said(output: &Output) -> String {
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}: {out}{error}", output.status)
}

/// A running `mosquitto_sub`; killed when dropped.
pub struct Subscriber {
    child: Child,
    lines: Receiver<String>,
}

impl Subscriber {
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if wanted(&line) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("mosquitto_sub: {error}; it said {seen:#?}"),
            }
        }
    }

    /// Waits for a message, and wants it to be this one.
    pub fn receives(&self, topic: &str, payload: &str) {
        let line =
            self.wait(|line| !line.starts_with("Client ") && !line.starts_with("Subscribed"));
        assert_eq!(line, format!("{topic} {payload}"));
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Subscribes, publishes and sees the message come.
pub fn hello(to: &To) {
    let subscriber = to.subscribe("testtopic");
    to.published("testtopic", "hello");
    subscriber.receives("testtopic", "hello");
}

/// Runs a program to its end and wants it to succeed.
pub fn succeeds(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("run it");
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A script of Node.js in this folder, with MQTT.js at hand.
pub fn node(script: &str) -> Command {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut command = Command::new("node");
    command.env("NODE_PATH", modules()).arg(tests.join("tours").join(script));
    command
}

/// Where `tests/run` installs the packages of Node.js.
pub fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.deps/node/node_modules")
}

//! A client library in another language: a child process that takes orders and reports, a line of
//! JSON each.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};

use crate::clients::{Client, Connect, Library, Message, Version};
use crate::lines::follow;
use crate::support::broker::PATIENCE;

/// The process; killed when dropped.
pub struct Script {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<Value>,
}

impl Script {
    /// Starts the process of a library; `deliver` is given each message that comes.
    pub fn start(library: Library, deliver: Box<dyn Fn(Message) + Send>) -> Script {
        let mut child = command(library)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{library:?}: {error}; tests/run installs it"));
        let lines = follow(child.stdout.take().expect("stdout is piped"));
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in lines {
                let value: Value = serde_json::from_str(&line).expect("a line of JSON");
                match value.get("message") {
                    Some(message) => deliver(to_message(message)),
                    // Fails only when the scenario is over.
                    None => drop(sender.send(value)),
                }
            }
        });
        let orders = child.stdin.take().expect("stdin is piped");
        Script { child, orders, answers }
    }

    fn order(&mut self, order: Value) -> Value {
        let what = order["do"].clone();
        writeln!(self.orders, "{order}").expect("give an order");
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = answer.unwrap_or_else(|error| panic!("no answer to {what}: {error}"));
        assert!(answer.get("error").is_none(), "{what} failed: {answer}");
        answer["answer"].clone()
    }
}

fn command(library: Library) -> Command {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    let installed = tests.join(".deps");
    let foreign = tests.join("interop/foreign");
    let python = |script: &str| {
        let mut command = Command::new(installed.join("venv/bin/python"));
        command.arg("-B").arg(foreign.join(script));
        command
    };
    match library {
        Library::Paho => python("paho_client.py"),
        Library::Gmqtt => python("gmqtt_client.py"),
        Library::MqttJs => {
            let mut command = Command::new("node");
            command.env("NODE_PATH", installed.join("node/node_modules"));
            command.arg(foreign.join("mqttjs_client.js"));
            command
        }
        Library::Rumqttc => unreachable!("runs in this process"),
    }
}

fn to_message(value: &Value) -> Message {
    Message {
        topic: value["topic"].as_str().expect("a topic").into(),
        payload: from_hex(value["payload"].as_str().expect("a payload")),
        qos: value["qos"].as_u64().expect("a QoS") as u8,
        retain: value["retain"].as_bool().expect("RETAIN"),
    }
}

fn from_message(message: &Message) -> Value {
    json!({
        "topic": message.topic,
        "payload": to_hex(&message.payload),
        "qos": message.qos,
        "retain": message.retain,
    })
}

fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

impl Client for Script {
    fn connect(&mut self, port: u16, version: Version, options: &Connect) -> bool {
        let answer = self.order(json!({
            "do": "connect",
            "port": port,
            "version": version as u8,
            "id": options.id,
            "clean": options.clean,
            "will": options.will.as_ref().map(from_message),
            "aliases": options.aliases,
        }));
        answer["session_present"].as_bool().expect("Session Present")
    }

    fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        let answer = self.order(json!({ "do": "subscribe", "filter": filter, "qos": qos }));
        answer["granted"].as_u64().expect("a granted QoS") as u8
    }

    fn publish(&mut self, message: &Message, alias: Option<u16>) -> bool {
        let mut order = from_message(message);
        order["do"] = "publish".into();
        order["alias"] = alias.into();
        self.order(order)["aliased"].as_bool().expect("whether the alias stood alone")
    }

    fn leave(&mut self) {
        self.order(json!({ "do": "leave" }));
    }

    fn cut(&mut self) {
        self.child.kill().expect("kill the client");
        self.child.wait().expect("wait for the client");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

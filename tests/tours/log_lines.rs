//! The log of `-v`, line by line beside Debian's Mosquitto: scripts look for these words.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use crate::program::{MOSQUITTO, Program, free_port, pondhawk};
use crate::support::Scope;
use crate::support::Version::{V5, V311};
use crate::support::broker::PATIENCE;
use crate::support::bytes::{
    Connect, PINGREQ, Publish, Will, disconnect, puback, pubcomp, pubrec, pubrel, subscribe,
    unsubscribe,
};

/// A connection that says bytes and knows how many come back.
struct Talk(TcpStream);

impl Talk {
    fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(stream)
    }

    fn connect(port: u16, id: &str) -> Self {
        let mut talk = Self::open(port);
        talk.say(Connect::new(V311, id).bytes(), 4);
        talk
    }

    /// Sends bytes and reads that many in answer.
    fn say(&mut self, bytes: impl AsRef<[u8]>, answer: usize) {
        self.0.write_all(bytes.as_ref()).expect("send");
        self.hear(answer);
    }

    fn hear(&mut self, answer: usize) {
        self.0.read_exact(&mut vec![0; answer]).expect("an answer");
    }

    /// Sends bytes and waits for the end of the connection.
    fn last(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("send");
        // A reset is an end, too.
        let _ = self.0.read_to_end(&mut Vec::new());
    }
}

/// Something that clients do, and the lines it causes in both logs.
struct Action {
    name: &'static str,
    act: fn(u16),
    lines: &'static [&'static str],
}

const ACTIONS: &[Action] = &[
    Action {
        name: "connect and disconnect",
        act: |port| Talk::connect(port, "a").last(disconnect()),
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "New client connected from 127.0.0.1:N as a (p2, c1, k60).",
            "No will message specified.",
            "Sending CONNACK to a (0, 0)",
            "Received DISCONNECT from a",
            "Client a disconnected.",
        ],
    },
    Action {
        name: "connect with user name, will and version 5, and vanish",
        act: |port| {
            let mut talk = Talk::open(port);
            let mut connect = Connect::new(V5, "b").will(Will::new("w/x", "bye").qos(1));
            connect.username = Some("bob".into());
            talk.say(connect.bytes(), 4);
        },
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "New client connected from 127.0.0.1:N as b (p5, c1, k60, u'bob').",
            "Will message specified (3 bytes) (r0, q1).",
            "\tw/x",
            "Sending CONNACK to b (0, 0)",
            "Client b closed its connection.",
        ],
    },
    Action {
        name: "subscribe and unsubscribe",
        act: |port| {
            let mut talk = Talk::connect(port, "s");
            talk.say(subscribe(V311, 1, &[("a/b", 1), ("c", 2)]), 6);
            talk.say(unsubscribe(V311, 2, &["a/b"]), 4);
            talk.last(disconnect());
        },
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "New client connected from 127.0.0.1:N as s (p2, c1, k60).",
            "No will message specified.",
            "Sending CONNACK to s (0, 0)",
            "Received SUBSCRIBE from s",
            "\ta/b (QoS 1)",
            "s 1 a/b",
            "\tc (QoS 2)",
            "s 2 c",
            "Sending SUBACK to s",
            "Received UNSUBSCRIBE from s",
            "\ta/b",
            "s a/b",
            "Sending UNSUBACK to s",
            "Received DISCONNECT from s",
            "Client s disconnected.",
        ],
    },
    Action {
        name: "ping",
        act: |port| {
            let mut talk = Talk::connect(port, "p");
            talk.say(PINGREQ, 2);
            talk.last(disconnect());
        },
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "New client connected from 127.0.0.1:N as p (p2, c1, k60).",
            "No will message specified.",
            "Sending CONNACK to p (0, 0)",
            "Received PINGREQ from p",
            "Sending PINGRESP to p",
            "Received DISCONNECT from p",
            "Client p disconnected.",
        ],
    },
    Action {
        name: "publish to oneself at each QoS",
        act: |port| {
            let mut talk = Talk::connect(port, "q");
            talk.say(subscribe(V311, 1, &[("t", 2)]), 5);
            talk.say(Publish::new(V311, "t", "hello").bytes(), 10);
            // PUBLISH and PUBACK.
            talk.say(Publish::new(V311, "t", "hello").qos(1, 7).bytes(), 12 + 4);
            talk.0.write_all(&puback(1)).expect("send");
            talk.say(Publish::new(V311, "t", "hello").qos(2, 8).bytes(), 4);
            talk.last(disconnect());
        },
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "New client connected from 127.0.0.1:N as q (p2, c1, k60).",
            "No will message specified.",
            "Sending CONNACK to q (0, 0)",
            "Received SUBSCRIBE from q",
            "\tt (QoS 2)",
            "q 2 t",
            "Sending SUBACK to q",
            "Received PUBLISH from q (d0, q0, r0, m0, 't', ... (5 bytes))",
            "Sending PUBLISH to q (d0, q0, r0, m0, 't', ... (5 bytes))",
            "Received PUBLISH from q (d0, q1, r0, m7, 't', ... (5 bytes))",
            "Sending PUBLISH to q (d0, q1, r0, m1, 't', ... (5 bytes))",
            "Sending PUBACK to q (m7, rc0)",
            "Received PUBACK from q (Mid: 1, RC:0)",
            "Received PUBLISH from q (d0, q2, r0, m8, 't', ... (5 bytes))",
            "Sending PUBREC to q (m8, rc0)",
            "Received DISCONNECT from q",
            "Client q disconnected.",
        ],
    },
    Action {
        name: "receive at QoS 2",
        act: |port| {
            let mut talk = Talk::connect(port, "r");
            talk.say(subscribe(V311, 1, &[("t", 2)]), 5);
            talk.say(Publish::new(V311, "t", "x").qos(2, 8).bytes(), 4);
            // PUBLISH and PUBCOMP, in either order.
            talk.say(pubrel(8), 8 + 4);
            talk.say(pubrec(1), 4);
            talk.0.write_all(&pubcomp(1)).expect("send");
            talk.last(disconnect());
        },
        lines: &[
            "Received PUBREC from r (Mid: 1)",
            "Sending PUBREL to r (m1)",
            "Received PUBCOMP from r (Mid: 1, RC:0)",
            "Received DISCONNECT from r",
            "Client r disconnected.",
        ],
    },
    Action {
        name: "take over",
        act: |port| {
            let mut first = Talk::connect(port, "twin");
            let mut second = Talk::connect(port, "twin");
            first.last([]);
            second.last(disconnect());
        },
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "New client connected from 127.0.0.1:N as twin (p2, c1, k60).",
            "No will message specified.",
            "Sending CONNACK to twin (0, 0)",
            "New connection from 127.0.0.1:N on port N.",
            "Client twin already connected, closing old connection.",
            "New client connected from 127.0.0.1:N as twin (p2, c1, k60).",
            "No will message specified.",
            "Sending CONNACK to twin (0, 0)",
            "Received DISCONNECT from twin",
            "Client twin disconnected.",
        ],
    },
    Action {
        name: "publish below $SYS",
        act: |port| {
            let mut talk = Talk::connect(port, "d");
            talk.say(Publish::new(V311, "$SYS/x", "hello").qos(1, 1).bytes(), 4);
            talk.last(disconnect());
        },
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "New client connected from 127.0.0.1:N as d (p2, c1, k60).",
            "No will message specified.",
            "Sending CONNACK to d (0, 0)",
            "Denied PUBLISH from d (d0, q1, r0, m1, '$SYS/x', ... (5 bytes))",
            "Sending PUBACK to d (m1, rc135)",
            "Received DISCONNECT from d",
            "Client d disconnected.",
        ],
    },
    Action {
        name: "speak HTTP",
        act: |port| Talk::open(port).last("GET / HTTP/1.1\r\nHost: here\r\n\r\n"),
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "Client <unknown> disconnected due to protocol error.",
        ],
    },
    Action {
        name: "speak TLS",
        act: |port| Talk::open(port).last(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "Client <unknown> disconnected due to protocol error.",
        ],
    },
    Action {
        name: "say nothing and go",
        act: |port| drop(Talk::open(port)),
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "Client <unknown> closed its connection.",
        ],
    },
    Action {
        name: "connect twice",
        act: |port| Talk::connect(port, "t").last(Connect::new(V311, "t").bytes()),
        lines: &[
            "New connection from 127.0.0.1:N on port N.",
            "New client connected from 127.0.0.1:N as t (p2, c1, k60).",
            "No will message specified.",
            "Sending CONNACK to t (0, 0)",
            "Bad client t sending multiple CONNECT messages.",
            "Client t disconnected due to protocol error.",
        ],
    },
    Action {
        name: "a PUBLISH that ends within its topic",
        act: |port| Talk::connect(port, "m").last(b"\x30\x03\x00\x05a"),
        lines: &["Client m disconnected due to malformed packet."],
    },
    Action {
        name: "fall silent",
        act: |port| {
            let mut talk = Talk::open(port);
            talk.say(Connect::new(V311, "k").keep_alive(1).bytes(), 4);
            talk.last([]);
        },
        lines: &["Client k has exceeded timeout, disconnecting."],
    },
];

/// A line without its time, and with numbers that no two runs share masked.
fn masked(line: &str) -> String {
    let text = line.split_once(": ").map_or(line, |(_, text)| text);
    let mut masked = String::new();
    let mut rest = text;
    for mark in ["127.0.0.1:", "on port "] {
        if let Some((before, after)) = rest.split_once(mark) {
            masked.push_str(before);
            masked.push_str(mark);
            masked.push('N');
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        }
    }
    masked.push_str(rest);
    masked
}

/// What a broker with `-v` logs of an action, once the last line is there.
fn logged(program: impl AsRef<std::ffi::OsStr>, ours: bool, action: &Action) -> Vec<String> {
    let port = free_port();
    let mut arguments = vec!["-v".to_string(), "-p".into(), port.to_string()];
    if ours {
        arguments.extend(["--shards".into(), "1".into()]);
    }
    let broker = Program::start(program, &arguments);
    (action.act)(port);
    let last = action.lines.last().expect("an action has lines");
    broker.wait_line(|line| masked(line) == *last);
    let lines = broker.stop();
    let begin = lines.iter().position(|line| line.ends_with(" running")).expect("it ran") + 1;
    lines[begin..].iter().map(|line| masked(line)).collect()
}

/// What a broker with a listener on a Unix domain socket logs of a visit and of a wrong greeting.
fn logged_of_a_path(program: impl AsRef<std::ffi::OsStr>) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("broker.conf");
    let socket = directory.path().join("socket");
    let text = format!("user root\nallow_anonymous true\nlistener 0 {}\n", socket.display());
    fs::write(&file, text).expect("write the configuration");
    let broker = Program::start(program, &["-v".as_ref(), "-c".as_ref(), file.as_os_str()]);
    for greeting in [[Connect::new(V311, "u").bytes(), disconnect()].concat(), PINGREQ.to_vec()] {
        let mut stream = UnixStream::connect(&socket).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(&greeting).expect("send");
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    broker.wait_line(|line| line.contains("<unknown> disconnected"));
    let path = socket.display().to_string();
    let lines = broker.stop().into_iter().map(|line| masked(&line).replace(&path, "PATH"));
    lines.collect()
}

#[test]
fn a_client_of_a_unix_socket_is_called_by_its_path() {
    let wanted = [
        "Opening unix listen socket on path PATH.",
        "New connection from PATH:0 on port N.",
        "New client connected from PATH:0 as u (p2, c1, k60).",
        "Client u disconnected.",
        "New connection from PATH:0 on port N.",
        "Client <unknown> disconnected due to protocol error.",
    ];
    for program in [pondhawk(), MOSQUITTO.into()] {
        let lines = logged_of_a_path(&program);
        assert!(in_order(&lines, &wanted), "{program:?}: {lines:#?}");
    }
}

/// Whether the action's lines stand in the log in their order.
fn in_order(lines: &[String], wanted: &[&str]) -> bool {
    let mut lines = lines.iter();
    wanted.iter().all(|wanted| lines.any(|line| line == wanted))
}

#[test]
fn the_lines_of_an_action_are_those_of_mosquitto() {
    for action in ACTIONS {
        let _scope = Scope(action.name.into());
        let ours = logged(pondhawk(), true, action);
        assert!(in_order(&ours, action.lines), "{}: {ours:#?}", action.name);
        let theirs = logged(MOSQUITTO, false, action);
        assert!(in_order(&theirs, action.lines), "{} by Mosquitto: {theirs:#?}", action.name);
        // What it has beside them we have, too.
        let theirs: Vec<_> = theirs.iter().filter(|line| !line.contains(" version ")).collect();
        for line in theirs {
            assert!(ours.contains(line), "{}: {line:?} is missing: {ours:#?}", action.name);
        }
    }
}

#[test]
fn start_reload_and_end_are_told_as_by_mosquitto() {
    let told = |program: &str, name: &str| {
        let port = free_port().to_string();
        let broker = Program::start(program, &["-v", "-p", &port]);
        broker.signal(Signal::SIGHUP);
        broker.wait_line(|line| line.ends_with("Reloading config."));
        let lines = broker.stop().into_iter().map(|line| masked(&line));
        let known = |line: &String| {
            // Where to read more is each one's own.
            !line.starts_with("For more details") && !line.contains("run as root")
        };
        let lines = lines.filter(known).map(|line| match line.strip_prefix(name) {
            Some(rest) => {
                let word = rest.rsplit(' ').next().unwrap_or_default();
                format!("NAME version V {word}")
            }
            None => line,
        });
        lines.collect::<Vec<_>>()
    };
    let theirs = told(MOSQUITTO, "mosquitto version ");
    let ours = told(pondhawk().to_str().expect("UTF-8"), "pondhawk version ");
    let theirs: Vec<_> = theirs.iter().map(String::as_str).collect();
    assert!(in_order(&ours, &theirs), "theirs {theirs:#?}, ours {ours:#?}");
}

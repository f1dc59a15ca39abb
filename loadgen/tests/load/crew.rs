//! Runs in several processes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::support::{Broker, PLAIN, loadgen, number};

/// An agent, ended when dropped.
struct Agent {
    child: Child,
    address: String,
}

impl Agent {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .arg("agent")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, address }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Eight pairs with Poisson arrivals of one seed for half a second.
fn run(port: u16, how: &str) -> Value {
    let (code, json) = loadgen(&format!(
        "p2p --pairs 8 --qos 1 --rate 3000 --arrivals poisson --seed 7 --duration 500ms \
         --warmup 0 --max-lag-ms 60000 --target 127.0.0.1:{port} {PLAIN} {how}"
    ));
    assert_eq!(code, 0, "{how}: {json}");
    json
}

#[test]
fn workers_and_agents_count_what_one_process_counts() {
    let null = Broker::null(1);
    let agents = [Agent::start(), Agent::start()];
    let agents: Vec<_> = agents.iter().map(|agent| agent.address.as_str()).collect();
    let one = run(null.port, "");
    let sent = number(&one, "/counts/sent");
    assert!((1000..2000).contains(&sent), "{sent} of about 1500");
    let divided = [
        run(null.port, "--processes 3"),
        run(null.port, &format!("--agents {}", agents.join(","))),
        run(null.port, "--threads 2"),
    ];
    for json in divided {
        for field in [
            "/counts/sent",
            "/counts/delivered",
            "/counts/connected",
            "/latency/end_to_end/count",
            "/latency/puback/count",
            "/latency/schedule_lag/count",
            "/latency/connack/count",
        ] {
            assert_eq!(number(&json, field), number(&one, field), "{field}");
        }
        let clients: u64 = json["generators"]
            .as_array()
            .unwrap()
            .iter()
            .map(|generator| generator["clients"].as_u64().unwrap())
            .sum();
        assert_eq!(clients, 16);
    }
}

#[test]
fn a_fan_out_across_processes_is_complete() {
    let null = Broker::null(1);
    let (code, json) = loadgen(&format!(
        "fanout --pubs 2 --subs 7 --rate 500 --duration 400ms --warmup 0 --processes 3 \
         --max-lag-ms 60000 --target 127.0.0.1:{} {PLAIN}",
        null.port
    ));
    assert_eq!(code, 0, "{json}");
    assert_eq!(number(&json, "/counts/sent"), 200);
    assert_eq!(number(&json, "/counts/delivered"), 1400);
}

#[test]
fn a_closed_loop_that_cannot_see_its_deliveries_is_refused() {
    let null = Broker::null(1);
    let (code, text) = super::support::complaint(&format!(
        "fanout --subs 7 --processes 2 --target 127.0.0.1:{} {PLAIN}",
        null.port
    ));
    assert_eq!(code, 2);
    assert!(text.contains("give it a rate, or QoS 1"), "{text}");
}

#[test]
fn a_preflight_says_what_to_change() {
    let (code, text) = super::support::complaint(
        "conn --clients 1000000 --target 192.0.2.1:1883 --preflight --processes 2",
    );
    assert_eq!(code, 2);
    assert!(text.contains("FAILS") && text.contains("--processes"), "{text}");
    let (code, text) = loadgen("conn --clients 10 --target 127.0.0.1:1 --preflight");
    assert_eq!(code, 0, "nothing is loaded: {text}");
}

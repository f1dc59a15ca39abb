//! Scenario files on the command line, and the built-in ones against the null broker.

use std::fs;
use std::process::{Command, Stdio};

use super::support::{Broker, PLAIN, complaint, loadgen, number};

/// Built-in scenarios that fit a small machine and that the null broker can serve: it keeps no
/// sessions and no Retained Messages, has no shared subscriptions and one topic a publisher.
const SMALL: [&str; 13] = [
    "mqttbs-conn-tcp-small",
    "mqttbs-fanout-1-small",
    "mqttbs-fanout-5-small",
    "mqttbs-p2p-small",
    "emqx-2m-small",
    "emqx-100m-shape-small",
    "emqx-reference-p2p-small",
    "emqx-reference-fanout-small",
    "tbmq-3m-small",
    "bifromq-p2p-small",
    "bifromq-fanout-small",
    "nanomq-broadcast-small",
    "million-messages-small",
];

/// Those that need a real broker.
const REAL: [&str; 7] = [
    "mqttbs-sharedsub-small",
    "emqx-reference-fanin-small",
    "tbmq-p2p-small",
    "reconnect-storm-small",
    "flashmq-chart-small",
    "slow-consumer",
    "churn",
];

fn for_a_second(name: &str, port: u16) {
    let (code, json) = loadgen(&format!(
        "run {name} --target 127.0.0.1:{port} --duration 1s --warmup 100ms --connect-rate 0 \
         --drain 1s --max-lag-ms 60000 {PLAIN}"
    ));
    assert_eq!(code, 0, "{name}: {json}");
    assert!(number(&json, "/counts/connected") > 0, "{name}: {json}");
}

#[test]
fn the_small_scenarios_run_against_the_null_broker() {
    let null = Broker::null(1);
    SMALL.iter().for_each(|name| for_a_second(name, null.port));
}

#[test]
fn the_small_scenarios_run_against_mosquitto() {
    let Some(mosquitto) = Broker::mosquitto() else { return };
    REAL.iter().for_each(|name| for_a_second(name, mosquitto.port));
}

/// Goal: `loadgen scenarios | head -1` is no failure.
#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    let child = command.arg("scenarios").stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}

#[test]
fn a_file_is_checked_and_run() {
    let null = Broker::null(1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let text = "schema = 1\n[[group]]\nname = \"sub\"\ncount = 2\nsubscribe = \"x/%i\"\n\
                [[group]]\nname = \"pub\"\ncount = 2\npublish = \"x/%i\"\nqos = 1\n\
                size = \"16..300\"\nrate = \"100 for 100ms, 100..2000 for 200ms, 2000\"\n\
                arrivals = \"poisson\"\n";
    // The null broker relays frames of one length only.
    fs::write(&file, text.replace("16..300", "300")).unwrap();
    let path = file.display();
    let (code, output) = complaint(&format!("check {path}"));
    assert_eq!((code, output.as_str()), (0, ""));
    let (code, json) = loadgen(&format!(
        "run {path} --target 127.0.0.1:{} --duration 500ms --warmup 0 --max-lag-ms 60000 {PLAIN}",
        null.port
    ));
    assert_eq!(code, 0, "{json}");
    assert_eq!(json["scenario"]["source"], "file");
    assert!(number(&json, "/counts/sent") > 100, "{json}");
    fs::write(&file, text.replace("qos = 1", "qoss = 1")).unwrap();
    let (code, text) = complaint(&format!("check {path}"));
    assert_eq!(code, 2);
    assert!(text.contains("mine.toml:10: group 'pub': qoss: no such option; did you mean 'qos'?"));
}

#[test]
fn sizes_and_topics_drawn_at_random_are_complete() {
    let Some(mosquitto) = Broker::mosquitto() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("random.toml");
    let text = "schema = 1\n[[group]]\nname = \"sub\"\ncount = 3\n\
                subscribe = [\"r/%i/#\", \"z/+\"]\n\
                qos = 2\n[[group]]\nname = \"pub\"\ncount = 3\npublish = \"r/%i/%{random 20}\"\n\
                size = \"16:3, 5000:1\"\nqos = 1\nrate = 500\n[[group]]\nname = \"zipf\"\n\
                count = 2\npublish = \"z/%{zipf 50 1.2}\"\nqos = 2\nsize = \"16..2000\"\n\
                version = \"5.0\"\nrate = 200\narrivals = \"bursts of 5\"\n";
    fs::write(&file, text).unwrap();
    let (code, json) = loadgen(&format!(
        "run {} --target 127.0.0.1:{} --duration 600ms --warmup 0 --max-lag-ms 60000 {PLAIN}",
        file.display(),
        mosquitto.port
    ));
    assert_eq!(code, 0, "{json}");
    // 300 messages each to one subscriber, 120 each to three.
    assert_eq!(number(&json, "/counts/sent"), 420, "{json}");
    assert_eq!(number(&json, "/counts/delivered"), 300 + 3 * 120, "{json}");
    assert_eq!(json["by_qos"][0]["qos"], 1);
    assert_eq!(json["by_qos"][1]["qos"], 2);
}

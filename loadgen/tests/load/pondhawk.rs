//! The generator against the broker of this project.

use std::process::Command;

use super::support::{Broker, PLAIN, loadgen, number};

/// A counter as the broker publishes it: the retained value, and then each of the next ones.
fn announced(port: u16, counter: &str, values: usize) -> Vec<u64> {
    let topic = format!("$SYS/broker/publish/messages/{counter}");
    let mut command = Command::new("mosquitto_sub");
    command.args(["-p", &port.to_string(), "-t", &topic, "-C", &values.to_string(), "-W", "30"]);
    let output = command.output().expect("mosquitto_sub, which `tests/run install` installs");
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers.len(), values, "{topic}: {text}");
    numbers
}

#[test]
fn its_counts_agree_with_the_counters_of_the_broker() {
    let (broker, _) = Broker::pondhawk(
        "allow_anonymous = true\nsys_interval = 1\nmax_inflight_messages = 0\n\
         max_queued_messages = 0\n[[listener]]\nport = 0\nbind_address = \"127.0.0.1\"\n",
    );
    let port = broker.port;
    let (mut sent, mut delivered, mut read) = (0, 0, 0);
    for load in [
        "fanout --subs 6 --qos 0 --size 40",
        "fanin --pubs 5 --subs 2 --qos 1 --version 5",
        "p2p --pairs 3 --qos 2 --batch 4",
    ] {
        let (code, json) = loadgen(&format!(
            "{load} --messages 500 --duration 60s --warmup 0 --target 127.0.0.1:{port} {PLAIN}"
        ));
        assert_eq!(code, 0, "{load}: {json}");
        sent += number(&json, "/counts/sent");
        delivered += number(&json, "/counts/delivered");
        // The first value may be older than the run's end, and whether the second one counts the
        // first is up to chance; the third one counts both.
        let values = announced(port, "sent", 3);
        assert_eq!(values[2], delivered + read + 2, "{load}: {values:?}");
        assert_eq!(announced(port, "received", 1), [sent], "{load}");
        read += 4;
    }
    assert_eq!((sent, delivered), (1500, 4000));
}

//! The generator against Mosquitto, where it is installed.

use super::support::{Broker, number, short};

#[test]
fn every_qos_and_version_is_complete() {
    let Some(mosquitto) = Broker::mosquitto() else { return };
    for (load, copies) in [
        ("p2p --pairs 3 --qos 0 --version 3", 1),
        ("p2p --pairs 3 --qos 1 --version 4 --batch 4", 1),
        ("p2p --pairs 3 --qos 2 --version 5 --batch 2", 1),
        ("p2p --pairs 2 --qos 2 --version 4 --rate 400 --max-lag-ms 10000", 1),
        ("fanout --subs 6 --qos 2", 6),
        ("fanin --pubs 5 --subs 2 --qos 1 --version 5 --threads 2", 1),
    ] {
        let (code, json) = short(load, mosquitto.port);
        assert_eq!(code, 0, "{load}: {json}");
        let sent = number(&json, "/counts/sent");
        assert!(sent > 0, "{load}");
        assert_eq!(number(&json, "/counts/delivered"), sent * copies, "{load}");
        assert_eq!(number(&json, "/counts/unacknowledged"), 0, "{load}");
    }
}

#[test]
fn its_counts_agree_with_another_client_and_with_the_broker() {
    let Some(mosquitto) = Broker::mosquitto() else { return };
    let port = mosquitto.port.to_string();
    let subscriber = |filter: &str, count: &str| {
        let mut command = std::process::Command::new("mosquitto_sub");
        command.args(["-p", &port, "-t", filter, "-q", "1", "-C", count, "-W", "30", "-F", "%l"]);
        command.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    // Ends by itself with the 500th message, and would wait in vain for a 501st.
    let other = subscriber("lg/p2p/#", "500");
    let ready = std::time::Instant::now();
    while ready.elapsed() < std::time::Duration::from_millis(500) {
        std::thread::yield_now();
    }
    let (code, json) = super::support::loadgen(&format!(
        "p2p --pairs 5 --qos 1 --rate 1000 --messages 500 --warmup 0 --size 40 \
         --max-lag-ms 60000 --target 127.0.0.1:{port} {}",
        super::support::PLAIN
    ));
    assert_eq!(code, 0, "{json}");
    assert_eq!(number(&json, "/counts/sent"), 500);
    let output = other.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().filter(|length| *length == "40").count(), 500, "{lines}");
}

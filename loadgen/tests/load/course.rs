//! What happens in the course of a run: stalls, limits, losses, brokers that die.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::support::{Broker, PLAIN, complaint, free_port, loadgen, number, proxy};

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Stops the broker for 200 ms in the midst of a run of 1.5 s.
fn stalled(load: &str) -> serde_json::Value {
    let null = Broker::null(1);
    let pid = null.pid();
    let stall = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        signal(pid, "-STOP");
        thread::sleep(Duration::from_millis(200));
        signal(pid, "-CONT");
    });
    let (code, json) = loadgen(&format!(
        "{load} --target 127.0.0.1:{} --duration 1500ms --warmup 0 --max-lag-ms 60000 {PLAIN}",
        null.port
    ));
    stall.join().unwrap();
    assert_eq!(code, 0, "{json}");
    json
}

#[test]
fn an_open_loop_shows_a_stall_and_a_closed_one_says_that_it_hides_it() {
    let open = stalled("p2p --pairs 4 --rate 2000");
    // Of 3,000 messages 400 were due in the stall: p99.9 is near its length, whoever else works
    // on this machine.
    assert!(number(&open, "/latency/end_to_end/p999_us") > 150_000, "{open}");
    assert!(number(&open, "/latency/end_to_end/p90_us") > 20_000, "{open}");
    assert_eq!(open["scenario"]["loop"], "open");
    let closed = stalled("p2p --pairs 4");
    assert_eq!(closed["scenario"]["loop"], "closed");
    let seen = number(&closed, "/latency/end_to_end/count");
    let share = 1.0 - 4.0 / seen as f64;
    assert!(share > 0.999, "the stall meets one message of each publisher: {seen} seen");
}

#[test]
fn a_limit_of_messages_is_kept_exactly() {
    let null = Broker::null(1);
    for load in [
        "p2p --pairs 3 --qos 1 --batch 4",
        "p2p --pairs 3 --rate 5000 --arrivals poisson --max-lag-ms 60000",
        "fanin --pubs 7 --subs 2 --rate 5000 --max-lag-ms 60000 --threads 2",
    ] {
        let (code, json) = loadgen(&format!(
            "{load} --messages 1001 --duration 60s --warmup 0 --target 127.0.0.1:{} {PLAIN}",
            null.port
        ));
        assert_eq!(code, 0, "{load}: {json}");
        assert_eq!(number(&json, "/counts/sent"), 1001, "{load}");
        assert_eq!(number(&json, "/counts/delivered"), 1001, "{load}");
    }
}

#[test]
fn a_lossy_relay_is_convicted_by_flow_and_sequence_number() {
    let null = Broker::null(1);
    // The 11th message to the subscriber does not arrive.
    let lossy = proxy(null.port, |count, _| usize::from(count != 10));
    let line = format!(
        "p2p --pairs 1 --qos 1 --rate 500 --messages 50 --warmup 0 --drain 300ms \
         --max-lag-ms 60000 --target 127.0.0.1:{lossy} {PLAIN}"
    );
    let (code, json) = loadgen(&line);
    assert_eq!(code, 1, "{json}");
    assert_eq!(json["broken"][0], "1 messages of QoS 1 lost");
    let flow = &json["broken_flows"][0];
    assert_eq!((&flow["publisher"], &flow["topic"]), (&"lg-pub-0".into(), &"lg/p2p/0000".into()));
    assert_eq!(flow["missing"], serde_json::json!([[10, 10]]), "{flow}");
}

/// A relay that damages the last byte of the 11th message: of its stamp, so that only its topic
/// says whose it was, or of what fills it up behind that.
#[test]
fn a_corrupting_relay_is_convicted_by_flow() {
    let null = Broker::null(1);
    let corrupting = proxy(null.port, |count, packet| {
        if count == 10 {
            *packet.last_mut().expect("a payload") ^= 1;
        }
        1
    });
    for size in [16, 64] {
        let (code, json) = loadgen(&format!(
            "p2p --pairs 2 --qos 0 --size {size} --messages 100 --duration 60s --warmup 0 \
             --target 127.0.0.1:{corrupting} --drain 300ms {PLAIN}"
        ));
        assert_eq!(code, 1, "{json}");
        assert_eq!(json["broken"], serde_json::json!(["2 messages corrupted"]), "{json}");
        let flows = json["broken_flows"].as_array().unwrap();
        let name = |flow: &serde_json::Value| {
            let names = ["publisher", "subscriber", "topic"].map(|key| flow[key].as_str().unwrap());
            assert_eq!(number(flow, "/corrupted"), 1, "{flow}");
            names.join(" ")
        };
        let names: Vec<_> = flows.iter().map(name).collect();
        assert_eq!(names, ["lg-pub-0 lg-sub-0 lg/p2p/0000", "lg-pub-1 lg-sub-1 lg/p2p/0001"]);
        assert_eq!(number(&json, "/by_qos/0/corrupted"), 2, "{json}");
    }
}

#[test]
fn a_broker_that_nobody_reaches_is_a_set_up_error_with_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("result.json");
    let port = free_port();
    let (code, text) = complaint(&format!(
        "p2p --target 127.0.0.1:{port} --quiet --out {} {PLAIN}",
        file.display()
    ));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("Connection refused"), "{text}");
    assert!(std::fs::read_to_string(file).unwrap().contains("\"connected\": 0"));
}

/// Answers each CONNECT and SUBSCRIBE of version 5.0, or that of 3.1.1 before it comes; closes
/// nothing.
fn answering(early: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            if early {
                client.write_all(&[0x20, 2, 0, 0]).unwrap();
            }
            thread::spawn(move || {
                let mut packet = [0; 256];
                while let Ok(1..) = client.read(&mut packet) {
                    let answer: &[u8] = match packet[0] {
                        0x10 if early => &[],
                        0x10 => &[0x20, 3, 0, 0, 0],
                        0x82 => &[0x90, 4, packet[2], packet[3], 0, 1],
                        _ => &[],
                    };
                    client.write_all(answer).unwrap();
                }
            });
        }
    });
    port
}

/// The answer is there when the connection is, which one and the same event announces.
#[test]
fn a_connack_before_its_connect_is_read() {
    let port = answering(true);
    let (code, json) =
        loadgen(&format!("conn --target 127.0.0.1:{port} --clients 200 --duration 50ms {PLAIN}"));
    assert_eq!(code, 0, "{json}");
    assert_eq!(number(&json, "/counts/connected"), 200, "{json}");
}

#[test]
fn a_broker_that_leaves_the_old_connection_open_is_convicted() {
    let port = answering(false);
    let (code, json) = loadgen(&format!(
        "takeover --target 127.0.0.1:{port} --clients 2 --takeovers 4 --duration 3s {PLAIN}"
    ));
    assert_eq!(code, 1, "{json}");
    let left = number(&json, "/counts/left_open");
    assert!(left >= 2, "{json}");
    assert_eq!(json["broken"][0], format!("{left} connections left open after a takeover"));
    let (broker, ports) = Broker::pondhawk("allow_anonymous = true\n[[listener]]\nport = 0\n");
    let (code, json) = loadgen(&format!(
        "takeover --target 127.0.0.1:{} --clients 2 --takeovers 4 --duration 3s {PLAIN}",
        ports[0]
    ));
    drop(broker);
    assert_eq!((code, number(&json, "/counts/left_open")), (0, 0), "{json}");
}

#[test]
fn a_broker_that_never_answers_a_subscribe_has_broken_a_promise() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            thread::spawn(move || {
                // CONNECT comes first, in one piece.
                assert!(client.read(&mut [0; 256]).unwrap() > 0);
                client.write_all(&[0x20, 2, 0, 0]).unwrap();
                std::io::copy(&mut client, &mut std::io::sink())
            });
        }
    });
    let (code, json) =
        loadgen(&format!("fanin --pubs 1 --subs 2 --target 127.0.0.1:{port} {PLAIN}"));
    assert_eq!(code, 1, "{json}");
    assert_eq!(json["broken"][0], "stuck with 3 connected, 0 subscribed");
    assert_eq!(json["interrupted"], json["broken"][0]);
}

#[test]
fn a_broker_that_dies_in_mid_run_leaves_a_full_result() {
    let null = Broker::null(1);
    let pid = null.pid();
    let killer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        signal(pid, "-KILL");
    });
    let (code, json) = loadgen(&format!(
        "p2p --pairs 3 --qos 1 --rate 300 --target 127.0.0.1:{} --duration 60s --warmup 0 \
         --drain 200ms --max-lag-ms 60000 {PLAIN}",
        null.port
    ));
    killer.join().unwrap();
    assert_eq!(code, 1, "{json}");
    assert_eq!(json["interrupted"], "all connections were lost");
    assert_eq!(number(&json, "/counts/connections_lost"), 6);
    assert!(number(&json, "/counts/delivered") > 0 && !json["complaints"][0].is_null(), "{json}");
}

#[test]
fn an_interrupt_ends_the_run_and_not_its_result() {
    let null = Broker::null(1);
    for (name, said) in [("-INT", "Ctrl-C"), ("-TERM", "SIGTERM")] {
        let line = format!(
            "p2p --pairs 2 --qos 1 --rate 200 --target 127.0.0.1:{} --duration 60s --warmup 0 \
             --json --max-lag-ms 60000 {PLAIN}",
            null.port
        );
        let child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .args(line.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(700));
        signal(child.id(), name);
        let output = child.wait_with_output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{json}");
        assert_eq!(json["interrupted"], said);
        assert!(number(&json, "/counts/sent") > 0);
    }
}

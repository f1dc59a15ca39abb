//! The generator against its own null broker.

use super::support::{Broker, PLAIN, complaint, loadgen, number, proxy, short};

#[test]
fn every_pattern_and_version_is_complete_at_qos_0_and_1() {
    let null = Broker::null(1);
    for (load, copies) in [
        ("p2p --pairs 4 --qos 0 --version 4", 1),
        ("p2p --pairs 4 --qos 1 --version 5 --batch 8", 1),
        ("p2p --pairs 4 --qos 1 --version 3 --batch 3 --window 12", 1),
        ("fanout --pubs 2 --subs 5 --qos 0 --version 5 --batch 4", 5),
        ("fanout --pubs 1 --subs 5 --qos 1", 5),
        ("fanin --pubs 6 --subs 2 --qos 1 --batch 2", 1),
        ("fanin --pubs 6 --subs 1 --qos 0 --threads 2", 1),
        ("p2p --pairs 3 --qos 2 --version 4", 1),
        ("fanout --subs 4 --qos 2 --batch 4 --version 5", 4),
    ] {
        let (code, json) = short(load, null.port);
        assert_eq!(code, 0, "{load}: {json}");
        let sent = number(&json, "/counts/sent");
        assert!(sent > 0, "{load}");
        assert_eq!(number(&json, "/counts/expected"), sent * copies, "{load}");
        assert_eq!(number(&json, "/counts/delivered"), sent * copies, "{load}");
        assert!(number(&json, "/latency/end_to_end/count") > 0, "{load}");
    }
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let null = Broker::null(1);
    let load = "p2p --pairs 4 --rate 2000 --batch 2 --qos 1 --max-lag-ms 10000";
    let (code, json) = short(load, null.port);
    assert_eq!(code, 0, "{json}");
    assert_eq!(number(&json, "/counts/sent"), 700, "350 ms of 2000/s");
    assert!(number(&json, "/latency/schedule_lag/count") > 0);
}

#[test]
fn a_late_generator_is_no_result() {
    let null = Broker::null(1);
    let load = "p2p --pairs 2 --rate 1000 --max-lag-ms 0 --duration 300ms --no-calibrate";
    let (code, json) = loadgen(&format!("{load} --target 127.0.0.1:{}", null.port));
    assert_eq!(code, 3, "{json}");
    assert_eq!(json["verdict"], "generator_bound");
    let (code, json) = short("p2p --pairs 2 --rate 1000 --max-lag-ms 0", null.port);
    assert_eq!(code, 0, "accepted when that is allowed");
    assert!(!json["generator_bound"].as_array().unwrap().is_empty(), "and still said");
}

#[test]
fn clients_of_one_topic_meet_on_one_of_several_threads() {
    let null = Broker::null(3);
    let (code, json) = short("p2p --pairs 9 --qos 1 --batch 4", null.port);
    assert_eq!(code, 0, "{json}");
    let (code, json) = short("fanin --pubs 9 --subs 3", null.port);
    assert_eq!(code, 0, "{json}");
}

#[test]
fn large_payloads_arrive_whole() {
    let null = Broker::null(1);
    let (code, json) = short("p2p --pairs 2 --size 100000 --batch 4 --qos 1", null.port);
    assert_eq!(code, 0, "{json}");
}

#[test]
fn loss_breaks_qos_1_and_not_qos_0() {
    let null = Broker::null(1);
    let lossy = proxy(null.port, |count, _| usize::from(count % 50 != 49));
    let (code, json) =
        short("p2p --pairs 1 --qos 1 --rate 2000 --max-lag-ms 10000 --drain 300ms", lossy);
    assert_eq!(code, 1, "{json}");
    let (sent, lost) = (number(&json, "/counts/sent"), number(&json, "/counts/lost"));
    assert_eq!(lost, sent / 50, "{json}");
    let (code, json) =
        short("p2p --pairs 1 --qos 0 --rate 2000 --max-lag-ms 10000 --drain 300ms", lossy);
    assert_eq!(code, 0, "{json}");
    assert!(number(&json, "/counts/lost") > 0, "{json}");
}

#[test]
fn repetition_breaks_qos_0_and_not_qos_1() {
    let null = Broker::null(1);
    let echo = proxy(null.port, |count, _| 1 + usize::from(count % 10 == 9));
    let (code, json) = short("p2p --pairs 1 --qos 0", echo);
    assert_eq!(code, 1, "{json}");
    assert_eq!(number(&json, "/counts/duplicated"), number(&json, "/counts/sent") / 10, "{json}");
    let (code, json) = short("p2p --pairs 1 --qos 1", echo);
    assert_eq!(code, 0, "{json}");
}

#[test]
fn a_closed_loop_outlives_a_lost_message() {
    let null = Broker::null(1);
    let lossy = proxy(null.port, |count, _| usize::from(count != 10));
    let (code, json) = loadgen(&format!(
        "p2p --pairs 1 --target 127.0.0.1:{lossy} --duration 3s --warmup 0 --no-calibrate \
             --allow-generator-bound"
    ));
    assert_eq!(code, 0, "{json}");
    assert_eq!(number(&json, "/counts/lost"), 1);
    assert_eq!(number(&json, "/counts/stalls"), 1);
    assert!(number(&json, "/counts/sent") > 20, "went on after the loss");
}

#[test]
fn the_broker_is_accounted_for() {
    let null = Broker::null(1);
    let pid = null.pid();
    let (code, json) = short(&format!("p2p --pairs 8 --broker-pid {pid}"), null.port);
    assert_eq!(code, 0, "{json}");
    assert!(json["rates"]["broker_cpu_us"].as_f64().unwrap() > 0.0);
    assert!(number(&json, "/broker_samples/0/memory/rss") > 0);
    assert_eq!((&json["format"], &json["schema"]), (&"loadgen-result".into(), &1.into()));
}

#[test]
fn idle_connections_without_subscriptions_are_held_to_the_end() {
    let null = Broker::null(1);
    let (port, pid) = (null.port, null.pid());
    let (code, json) = loadgen(&format!(
        "idle --target 127.0.0.1:{port} --broker-pid {pid} --connections 20 --duration 50ms {PLAIN}"
    ));
    assert_eq!(code, 0, "{json}");
    assert!(json["interrupted"].is_null(), "{json}");
    assert_eq!(number(&json, "/counts/connected"), 20);
    assert_eq!(number(&json, "/counts/subscribed"), 0);
}

#[test]
fn idle_connections_give_a_slope() {
    let null = Broker::null(1);
    let (pid, port) = (null.pid(), null.port);
    let (code, json) = loadgen(&format!(
        "idle --target 127.0.0.1:{port} --broker-pid {pid} --connections 200 --subscribe \
         --duration 50ms"
    ));
    assert_eq!(code, 0, "{json}");
    assert_eq!(number(&json, "/latency/connack/count"), 200);
    let fits = json["memory_fits"].as_array().unwrap();
    let each: Vec<_> = fits.iter().filter_map(|fit| fit["each"].as_str()).collect();
    assert_eq!(each, ["connection", "connection", "subscription", "subscription"]);
}

#[test]
fn a_comparison_divides_by_its_first_broker() {
    let (code, json) = loadgen_ab("null", "null");
    assert_eq!(code, 0, "{json}");
    assert_eq!(json["brokers"][0]["ratio"]["median"], 1.0);
    assert!(json["brokers"][1]["ratio"]["median"].as_f64().unwrap() > 0.0);
    assert_eq!(json["brokers"][1]["slices"].as_array().unwrap().len(), 2);
}

fn loadgen_ab(first: &str, second: &str) -> (i32, serde_json::Value) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["ab", "--scenario", "p2p --pairs 4 --qos 1", "--rounds", "2", "--slice", "200ms"])
        .args(["--broker", first, "--broker", second, "--json"])
        .output()
        .unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn what_cannot_be_run_is_a_usage_error() {
    for line in [
        "p2p",
        "p2p --target 127.0.0.1:1 --size 8",
        "p2p --target 127.0.0.1:1 --duration 1",
        "idle --target 127.0.0.1:1 --connections 1",
        "p2p --target 127.0.0.1:1 --pairs 4000000",
        "p2p --target 127.0.0.1:1 --pubs 3",
        "run nothing-of-that-name --target 127.0.0.1:1",
        "run p2p --target 127.0.0.1:1 --set pairz=3",
    ] {
        let (code, text) = complaint(line);
        assert_eq!(code, 2, "{line}: {text}");
        assert!(!text.is_empty(), "{line} says why");
    }
}

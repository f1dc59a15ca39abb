//! The greatest rate that keeps bounds.

use super::support::{Broker, PLAIN, complaint, loadgen, number, proxy};

/// A search with steps of 300 ms whose latencies may be anything.
fn search(port: u16, more: &str) -> (i32, serde_json::Value) {
    loadgen(&format!(
        "search p2p --set pairs=1 --target 127.0.0.1:{port} --duration 300ms --warmup 0 \
         --drain 300ms --max-lag-ms 60000 {PLAIN} {more}"
    ))
}

#[test]
fn a_relay_of_limited_rate_is_found_out() {
    let null = Broker::null(1);
    // What comes after the 400th message of a step is lost: 1,333 messages a second get through.
    let limited = proxy(null.port, |count, _| usize::from(count < 400));
    let (code, json) = search(limited, "--from 500 --precision 10");
    assert_eq!(code, 0, "{json}");
    let notes = &json["notes"];
    assert_eq!(notes["search_greatest_rate_per_s"], "1250", "{notes}");
    assert_eq!(notes["search_ended"], "1375/s did not keep the bounds");
    let steps = notes["search_steps"].as_str().unwrap();
    assert!(steps.starts_with("500: kept; 1000: kept; 2000: not kept, 33.333 % lost; "), "{steps}");
    assert_eq!(number(&json, "/counts/sent"), 375, "the result is that of the greatest rate");
    assert_eq!(number(&json, "/counts/lost"), 0);
    let (code, json) = search(limited, "--from 2000 --to 2000 --max-lost 40");
    assert_eq!((code, &json["notes"]["search_greatest_rate_per_s"]), (0, &"2000".into()), "{json}");
}

#[test]
fn a_bound_that_no_rate_keeps_and_a_slow_generator_are_told_apart() {
    let null = Broker::null(1);
    let (code, json) = search(null.port, "--max-p99 0");
    assert_eq!(code, 1, "{json}");
    assert_eq!(json["broken"][0], "no rate kept the bounds of the search");
    let (code, json) = loadgen(&format!(
        "search p2p --target 127.0.0.1:{} --duration 200ms --warmup 0 --max-lag-ms 0 \
         --no-calibrate",
        null.port
    ));
    assert_eq!(code, 3, "{json}");
    assert_eq!(json["notes"]["search_greatest_rate_per_s"], "0");
}

#[test]
fn a_search_needs_a_rate_and_a_broker() {
    let (code, text) = complaint("search conn --target 127.0.0.1:1");
    assert_eq!(code, 2);
    assert!(text.contains("conn has no parameter 'rate'"), "{text}");
    let (code, text) = complaint(&format!("search p2p --target 127.0.0.1:1 --quiet {PLAIN}"));
    assert_eq!(code, 2);
    assert!(text.contains("Connection refused"), "{text}");
}

//! `loadgen report`.

use std::process::Command;

use super::browser;
use super::fixture::{Numbers, result, write};

#[test]
fn a_report_fits_phone_and_desk_in_light_and_dark() {
    if !browser::installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut values = Numbers(1).latencies(50_000, 200.0);
    values.extend([90_000; 40]);
    let file = write(folder.path(), "report.json", &result(&values, 6.5));
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen")).arg("report").arg(&file).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = file.with_extension("html");
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), page.display().to_string());
    let mut backgrounds = Vec::new();
    for (width, dark) in [(390, false), (390, true), (1280, false), (1280, true)] {
        let seen = browser::show(&page, width, dark);
        let name = format!("{width} px, dark {dark}");
        seen.check(&name);
        for text in [
            "p2p against 127.0.0.1:1883",
            "promises kept",
            "Latency of messages",
            "percentile, a step for each further nine",
            "99.99",
            "End-to-end latency over time",
            "Throughput over time",
            "Connections over time",
            "Broker memory over time",
            "Broker CPU over time",
            "MiB",
            "<script>alert(1)</script>",
            "net.ipv4.tcp_rmem",
        ] {
            assert!(seen.text().contains(text), "{name}: '{text}' is missing in {}", seen.text());
        }
        assert!(seen.found["titles"].as_u64().unwrap() > 20, "points tell about themselves");
        assert_ne!(seen.found["background"], seen.found["ink"]);
        backgrounds.push((dark, seen.found["background"].as_str().unwrap().to_owned()));
    }
    assert_ne!(backgrounds[0].1, backgrounds[1].1, "dark is dark");
    assert_eq!(backgrounds[1].1, backgrounds[3].1);
}

#[test]
fn a_report_loads_and_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "one.json", &result(&Numbers(2).latencies(500, 80.0), 5.0));
    let page = folder.path().join("page.html");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    let status = command.arg("report").args([&file, &file]).arg("--out").arg(&page).status();
    assert!(status.unwrap().success());
    let html = std::fs::read_to_string(page).unwrap();
    for forbidden in ["<script", "http://", "https://", "url(", "@import"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(html.contains("Run 2: p2p"), "each result has its section");
}

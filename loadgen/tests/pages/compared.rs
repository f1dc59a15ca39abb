//! `loadgen compare`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::browser;
use super::fixture::{Numbers, result, write};

/// A folder with `runs` results whose latencies lie around `middle` µs.
fn side(folder: &Path, name: &str, seed: u64, middle: f64, runs: usize) -> String {
    let side = folder.join(name);
    std::fs::create_dir(&side).unwrap();
    let mut numbers = Numbers(seed);
    for run in 0..runs {
        let place = middle * (1.0 + 0.05 * numbers.next());
        let values = numbers.latencies(20_000, place);
        write(&side, &format!("{run}.json"), &result(&values, 6.0 + 0.2 * numbers.next()));
    }
    side.display().to_string()
}

fn compare(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).arg("compare").args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> (i32, Value) {
    let output = compare(&[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), serde_json::from_str(&text).unwrap())
}

#[test]
fn a_slower_build_is_named_with_its_percentiles_and_fails_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let base = side(folder.path(), "base", 1, 200.0, 5);
    let same = side(folder.path(), "same", 2, 200.0, 5);
    let slow = side(folder.path(), "slow", 3, 260.0, 5);
    let (code, found) = json(&[&base, &same]);
    assert_eq!((code, &found["comparisons"][0]["conclusion"]), (0, &"no_difference_shown".into()));
    let (code, found) = json(&[&base, &slow]);
    assert_eq!((code, &found["comparisons"][0]["conclusion"]), (1, &"slower".into()));
    let measures = found["comparisons"][0]["cases"][0]["measures"].as_array().unwrap();
    let of = |name: &str| {
        measures.iter().find(|measure| measure["measure"] == name).unwrap()["conclusion"].clone()
    };
    assert_eq!(of("end to end p50"), "slower");
    assert_eq!(of("end to end p99.9"), "slower");
    assert_eq!(of("throughput"), "no_difference_shown");
    assert_eq!(of("PUBACK p50"), Value::Null, "not judged unless asked for");
    let (code, found) = json(&[&slow, &base]);
    assert_eq!((code, &found["comparisons"][0]["conclusion"]), (0, &"faster".into()));
    let output = compare(&[&base, &slow]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("slower: end to end p50 +29 %"), "{text}");
}

#[test]
fn runs_that_are_not_alike_are_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let base = side(folder.path(), "base", 1, 200.0, 1);
    let values = Numbers(9).latencies(20_000, 200.0);
    let mut other = result(&values, 6.0);
    other["scenario"]["parameters"]["qos"] = 2.into();
    other["environment"]["kernel"] = "7.1".into();
    let other = write(folder.path(), "other.json", &other).display().to_string();
    let output = compare(&[&base, &other]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("p2p: run 2: scenario qos: 1 and 2"), "{text}");
    assert!(text.contains("environment kernel: 6.18.44 and 7.1"), "{text}");
    let output = compare(&[&base, &other, "--allow", "scenario,environment"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("too few runs for a test"), "{text}");
}

#[test]
fn a_comparison_fits_phone_and_desk() {
    if !browser::installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let base = side(folder.path(), "base", 1, 200.0, 5);
    let slow = side(folder.path(), "slow", 3, 260.0, 5);
    let page = folder.path().join("compare.html");
    let output = compare(&[&base, &slow, "--html", &page.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    for (width, dark) in [(390, true), (1280, false)] {
        let seen = browser::show(&page, width, dark);
        let name = format!("{width} px, dark {dark}");
        seen.check(&name);
        for text in ["slower: end to end p50", "end to end, all runs together", "base", "Mann"] {
            assert!(seen.text().contains(text), "{name}: '{text}' is missing in {}", seen.text());
        }
    }
}

//! Result files: written, read again, added up.

use std::fs;
use std::path::Path;

use super::support::{Broker, complaint, loadgen, number};

fn record(port: u16, folder: &Path, name: &str) -> String {
    let file = folder.join(name).display().to_string();
    let (code, json) = loadgen(&format!(
        "p2p --pairs 2 --qos 1 --target 127.0.0.1:{port} --duration 100ms --warmup 0 --out {file} \
         --no-calibrate --allow-generator-bound"
    ));
    assert_eq!(code, 0, "{json}");
    file
}

#[test]
fn results_of_several_generators_add_up() {
    let null = Broker::null(1);
    let folder = tempfile::tempdir().unwrap();
    let (one, two) =
        (record(null.port, folder.path(), "1.json"), record(null.port, folder.path(), "2.json"));
    let hgrm = folder.path().join("hgrm");
    let (code, sum) = loadgen(&format!("merge {one} {two} --hgrm {}", hgrm.display()));
    assert_eq!(code, 0, "{sum}");
    let read = |path: &str| -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let parts = [read(&one), read(&two)];
    for field in ["/counts/sent", "/counts/delivered", "/latency/puback/count"] {
        let apart: u64 = parts.iter().map(|part| number(part, field)).sum();
        assert!(apart > 0, "{field}");
        assert_eq!(number(&sum, field), apart, "{field}");
    }
    let text = fs::read_to_string(hgrm.join("end_to_end.hgrm")).unwrap();
    let count = number(&sum, "/latency/end_to_end/count");
    assert!(text.contains(&format!("Total count    = {count:12}]")), "{text}");
}

#[test]
fn a_file_that_is_no_result_is_named_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.json");
    fs::write(&old, r#"{"schema":"loadgen-run/1"}"#).unwrap();
    let (code, text) = complaint(&format!("merge {}", old.display()));
    assert_eq!(code, 2);
    assert!(text.contains("old.json: field schema") && text.contains("record it again"), "{text}");
}

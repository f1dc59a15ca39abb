//! The standard cases against a list of brokers.

use std::process::Command;

#[test]
fn a_table_has_a_row_for_each_case_and_a_column_for_each_broker() {
    let folder = tempfile::tempdir().unwrap();
    let own = format!("own={} null --port {{port}}", env!("CARGO_BIN_EXE_loadgen"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["peers", "--broker", "null", "--broker", &own, "--rounds", "1"]);
    command.args(["--slice", "100ms", "--warmup", "0", "--case", "p2p-qos1-b8"]);
    command.args(["--case", "small=fanin --pubs 4 --subs 1"]).arg("--out").arg(folder.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("| case | null | own |\n"), "{table}");
    assert!(table.contains("\n| p2p-qos1-b8 | ") && table.contains("\n| small | "), "{table}");
    assert_eq!(std::fs::read_to_string(folder.path().join("table.md")).unwrap(), table);
    assert!(folder.path().join("p2p-qos1-b8.json").exists());
}

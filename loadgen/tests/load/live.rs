//! What the terminal sees while a run goes on.

use std::process::{Command, Output};

use super::support::Broker;

const LOADGEN: &str = env!("CARGO_BIN_EXE_loadgen");

fn line(port: u16) -> String {
    format!(
        "p2p --pairs 2 --rate 500 --max-lag-ms 60000 --target 127.0.0.1:{port} --duration 600ms \
         --warmup 0 --no-calibrate"
    )
}

fn run(port: u16, more: &str) -> Output {
    let words = format!("{} {more}", line(port));
    Command::new(LOADGEN).args(words.split_whitespace()).output().unwrap()
}

fn texts(output: Output) -> (String, String) {
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn without_a_terminal_each_phase_is_a_plain_line_on_standard_error() {
    let null = Broker::null(1);
    let (out, err) = texts(run(null.port, ""));
    let phases: Vec<_> = err.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(phases, ["connect", "run", "drain"], "{err}");
    assert!(err.contains("4 of 4 connected") && !err.contains('\u{1b}'), "{err}");
    assert!(out.contains("promises kept") && !out.contains("connected |"), "{out}");
}

#[test]
fn quiet_says_nothing_and_json_keeps_standard_output_clean() {
    let null = Broker::null(1);
    assert_eq!(texts(run(null.port, "--quiet")), (String::new(), String::new()));
    let (out, _) = texts(run(null.port, "--json"));
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
}

#[test]
fn on_a_terminal_one_line_is_drawn_over_and_the_summary_follows() {
    let null = Broker::null(1);
    // `script`, which is part of every Debian, gives the run a terminal.
    let command = format!("{LOADGEN} {}", line(null.port));
    let mut script = Command::new("script");
    script.env("TERM", "xterm").args(["-qec", &command, "/dev/null"]);
    let (out, _) = texts(script.output().unwrap());
    assert!(out.contains("run 0 of 1 s") || out.contains("run 1 of 1 s"), "{out:?}");
    assert!(out.contains("\u{1b}[2K"), "the line is wiped: {out:?}");
    assert!(out.trim_end().ends_with("promises kept"), "{out:?}");
}

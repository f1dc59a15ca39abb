//! Builds compared by what was measured of them.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::support::{Broker, Meddle, loadgen, proxy};

/// What makes a build slow here, for each message; ten times what it takes otherwise, and less
/// than the time between two messages of one publisher.
const DELAY: Duration = Duration::from_millis(8);

/// Runs of each side, in turns, so that what the machine does meanwhile meets all sides.
const RUNS: usize = 5;

fn record(port: u16, side: &Path, run: usize) {
    let file = side.join(format!("{run}.json")).display().to_string();
    // Through the relay twenty publishers send 1,200 messages, each one every 15 ms.
    let (_, json) = loadgen(&format!(
        "p2p --pairs 20 --rate 1300 --target 127.0.0.1:{port} --duration 920ms --warmup 0 \
         --max-lag-ms 60000 --no-calibrate --out {file}"
    ));
    assert_eq!(json["verdict"], "kept", "{json}");
}

#[test]
fn the_same_build_shows_no_difference_and_a_delayed_one_is_slower() {
    let null = Broker::null(1);
    let at_once: Meddle = |_, _| 1;
    let late: Meddle = |_, _| {
        thread::sleep(DELAY);
        1
    };
    let folder = tempfile::tempdir().unwrap();
    let side = |name: &str, meddle: Meddle| {
        let side = folder.path().join(name);
        std::fs::create_dir(&side).unwrap();
        (side, proxy(null.port, meddle))
    };
    let sides = [side("base", at_once), side("same", at_once), side("slow", late)];
    for run in 0..RUNS {
        sides.iter().for_each(|(side, port)| record(*port, side, run));
    }
    let [base, same, slow] = sides.map(|(side, _)| side);
    let compare = |new: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        // Other work on the machine may double a latency; the delay makes it many times as long.
        command.arg("compare").arg(&base).arg(new).args(["--threshold", "200"]);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = compare(&same);
    assert!(code == 0 && text.contains("no difference shown"), "{text}");
    let (code, text) = compare(&slow);
    assert!(code == 1 && text.contains("slower: end to end p50 +"), "{text}");
}

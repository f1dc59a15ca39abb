//! Does the simulator find what it is for? Broken variants of the broker, each of which has to fail
//! within a bounded number of seeds.

use pondhawk::util::canary::{Canary, sing};

use crate::shrink::attempt_seed;

/// Seeds within which each has to be found.
const SEEDS: u64 = 20_000;

/// What the model says to a seed. The broker's own checks of invariants do not count: a build
/// without them has to be found out, too.
fn heard(seed: u64) -> Option<String> {
    attempt_seed(seed).err().filter(|said| said.starts_with("panicked at tests/sim/"))
}

/// Goal: each deliberate fault is found. Method: the seeds of the short run, one fault at a time.
#[test]
fn canaries_are_heard() {
    let mut silent = Vec::new();
    for canary in Canary::ALL {
        sing(Some(canary));
        let found = (0..SEEDS).find_map(|seed| Some((seed, heard(seed)?)));
        sing(None);
        match found {
            Some((seed, failure)) => {
                let said: Vec<&str> = failure.lines().take(2).collect();
                println!("{canary:?}: seed {seed}: {}", said.join(" "));
            }
            None => silent.push(canary),
        }
    }
    assert!(silent.is_empty(), "not found within {SEEDS} seeds: {silent:?}");
}

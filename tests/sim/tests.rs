//! The tests: a short run for the gate, runs of any length, the same seed twice, one seed again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::report::processor_seconds;
use crate::run::Totals;
use crate::shrink::{attempt, attempt_seed, describe, shorten};

/// Seeds of the short run. They are the same every time: a failure there is a change's.
const SHORT: std::ops::Range<u64> = 0..1_500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs one seed; shortens its history and panics with it if it fails.
fn run(seed: u64) -> Totals {
    let plan = Plan::draw(seed);
    match attempt(plan.clone()) {
        Ok((totals, _)) => totals,
        Err(failure) => {
            let whole = plan.ops.len();
            let (plan, failure) = shorten(plan, &failure, 1_500);
            if std::env::var_os("POND_SIM_TRACE").is_some() {
                println!("==== the shortened history:");
                let _ = attempt(plan.clone()); // Only for what it prints.
            }
            panic!("{}", describe(&plan, &failure, whole));
        }
    }
}

/// Goal: the broker does what the specification allows, whatever happens in which order. Method:
/// random histories against the model.
#[test]
fn the_broker_does_what_the_model_allows() {
    let seeds = number("POND_SIM_SEEDS").map_or(SHORT, |seeds| 0..seeds);
    let mut totals = Totals::default();
    for seed in seeds {
        totals.add(&run(seed));
    }
    totals.print();
}

/// Goal: a failure can be looked at again. Method: everything that the broker wrote, hashed, twice
/// for each seed.
#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1_000_000..1_000_030 {
        let traces = [0; 2].map(|_| {
            let (_, trace) = attempt(Plan::draw(seed)).unwrap_or_else(|said| panic!("{said}"));
            trace
        });
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}

/// `POND_SIM_SEED=N cargo test --test sim replay -- --nocapture`
#[test]
fn replay() {
    if let Some(seed) = number("POND_SIM_SEED") {
        run(seed).print();
    }
}

/// `POND_SIM_SEEDS=N cargo test --test sim survey -- --ignored --nocapture`: goes on after a
/// failure and lists the places of all, with their seeds, instead of one shortened history.
#[test]
#[ignore = "for whoever changes the model or much of the broker"]
fn survey() {
    let from = number("POND_SIM_FROM").unwrap_or(0);
    let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut totals = Totals::default();
    let mut told = Told::now();
    for seed in from..from + number("POND_SIM_SEEDS").unwrap_or(1_000) {
        match attempt_seed(seed) {
            Ok((ran, _)) => totals.add(&ran),
            Err(failure) => {
                let place = failure.lines().next().unwrap_or_default().to_owned();
                println!("seed {seed}: {}", failure.lines().take(2).collect::<Vec<_>>().join(" "));
                places.entry(place).or_default().push(seed);
            }
        }
        told.every_few_minutes(from, seed, &totals);
    }
    totals.print();
    for (place, seeds) in &places {
        println!("{} seeds: {place}: {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
    assert!(places.is_empty(), "see above");
}

/// `POND_SIM_SECONDS=N cargo test --test sim night -- --ignored --nocapture`: seeds from
/// `POND_SIM_FROM` (a billion) on for so many seconds of processor time.
#[test]
#[ignore = "runs for as long as it is told"]
fn night() {
    let seconds = number("POND_SIM_SECONDS").unwrap_or(60) as f64;
    let mut seed = number("POND_SIM_FROM").unwrap_or(1_000_000_000);
    let mut totals = Totals::default();
    let first = seed;
    let mut told = Told::now();
    while processor_seconds() < seconds {
        totals.add(&run(seed));
        told.every_few_minutes(first, seed, &totals);
        seed += 1;
    }
    println!("seeds {first} to {}", seed - 1);
    totals.print();
}

/// Tells of a long run now and then, so that one that is cut short has shown something.
struct Told(Instant);

impl Told {
    fn now() -> Self {
        Self(Instant::now())
    }

    fn every_few_minutes(&mut self, first: u64, last: u64, totals: &Totals) {
        if self.0.elapsed() >= Duration::from_secs(120) {
            self.0 = Instant::now();
            print!("so far, seeds {first} to {last}: ");
            totals.print();
        }
    }
}

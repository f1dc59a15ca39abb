//! Runs a plan so that a failure can be looked at, and makes a failing history short.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::plan::{Op, Plan};
use crate::run::{Run, Totals};

thread_local! {
    /// What the last panic on this thread said, while one is awaited.
    static SAID: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

/// Panics of runs are caught and kept; all others are shown as ever.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            let kept = SAID.with_borrow_mut(|said| match said {
                None => false,
                Some(place) => {
                    *place = Some(info.to_string());
                    true
                }
            });
            if !kept {
                before(info);
            }
        }));
    });
}

/// Runs a plan; what it panicked with, if it did.
pub fn attempt(plan: Plan) -> Result<(Totals, u64), String> {
    caught(|| Run::all(plan))
}

/// Draws the plan of a seed and runs it, whatever fails.
pub fn attempt_seed(seed: u64) -> Result<(Totals, u64), String> {
    caught(|| Run::all(Plan::draw(seed)))
}

fn caught(run: impl FnOnce() -> (Totals, u64)) -> Result<(Totals, u64), String> {
    keep_panics();
    SAID.set(Some(None));
    let result = catch_unwind(AssertUnwindSafe(run));
    let said = SAID.take().flatten();
    result.map_err(|_| said.unwrap_or_else(|| "it panicked".into()))
}

/// The place of a failure: it tells failures apart while a history is shortened.
fn place(failure: &str) -> &str {
    failure.lines().next().unwrap_or_default()
}

/// Leaves out operations for as long as the plan still fails at the same place, at most `runs`
/// times.
pub fn shorten(mut plan: Plan, failure: &str, mut runs: usize) -> (Plan, String) {
    let mut last = failure.to_owned();
    let mut part = plan.ops.len().div_ceil(2);
    while part > 0 && runs > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < plan.ops.len() && runs > 0 {
            let mut candidate = plan.clone();
            let end = (at + part).min(candidate.ops.len());
            candidate.ops.drain(at..end);
            runs -= 1;
            match attempt(candidate.clone()) {
                Err(said) if place(&said) == place(failure) => {
                    (plan, last, shorter) = (candidate, said, true);
                }
                _ => at = end,
            }
        }
        if !shorter || part > 1 {
            part /= 2;
        }
    }
    (plan, last)
}

/// What a person needs to see of a failure.
pub fn describe(plan: &Plan, failure: &str, whole: usize) -> String {
    let ops: Vec<String> =
        plan.ops.iter().enumerate().map(|(at, op)| format!("  {at:3} {}", line(op))).collect();
    format!(
        "seed {} fails: {failure}\n{} shards, {} clients, prompt {}, lively {}, mailbox budget \
         {}\n{:?}\n{:?}\n{:?}\n{:?}\nhistory, shortened from {whole} to {} \
         operations:\n{}\nreplay: \
         POND_SIM_SEED={} cargo test --test sim replay -- --nocapture",
        plan.seed,
        plan.shards,
        plan.clients,
        plan.prompt,
        plan.lively,
        plan.mailbox_budget,
        plan.config.session,
        plan.config.turn,
        plan.config.features,
        plan.rights,
        plan.ops.len(),
        ops.join("\n"),
        plan.seed
    )
}

fn line(op: &Op) -> String {
    format!("{op:?}")
}

//! The command.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use crate::args::CompareArgs;
use crate::failure::Failure;
use crate::output::say;
use crate::result::RunResult;

use super::conclusion::Conclusion;
use super::judge::{Findings, Rules, Written};
use super::measures::Measure;
use super::sides::Side;
use super::{page, same, text};

/// One new side against the base.
pub struct Comparison {
    /// Name of the base.
    pub base: String,
    /// Name of the new side.
    pub new: String,
    /// The cases that both have.
    pub cases: Vec<Case>,
    /// The cases that only one has.
    pub notes: Vec<String>,
}

/// One case of two sides.
pub struct Case {
    /// Its name.
    pub name: String,
    /// Runs of the base.
    pub base: Vec<RunResult>,
    /// Runs of the new side.
    pub new: Vec<RunResult>,
    /// What was found.
    pub findings: Findings,
    /// What has to be said beside it.
    pub remarks: Vec<String>,
}

/// Compares each new side with the base.
///
/// # Errors
/// If a result cannot be read, or the sides may not be compared.
pub fn run(args: &CompareArgs) -> Result<Conclusion, Failure> {
    if args.html.is_some() && args.new.len() > 1 {
        return Err("--html writes one comparison: give it one NEW".to_owned().into());
    }
    let judged = if args.judge.is_empty() { Measure::JUDGED.into() } else { args.judge.clone() };
    let rules =
        Rules { alpha: args.alpha, threshold: args.threshold / 100.0, coarse: args.coarse, judged };
    let base = args.base.read()?;
    let mut comparisons = Vec::new();
    for new in &args.new {
        comparisons.push(compare(args, &rules, &base, new)?);
    }
    if let Some(path) = &args.html {
        let html = comparisons.iter().map(|comparison| page::page(comparison).html());
        fs::write(path, html.collect::<String>())
            .map_err(|error| Failure::of(&path.display().to_string(), error))?;
    }
    let shown = if args.json { json_text(&comparisons) } else { plain_text(&comparisons) };
    say(&shown)?;
    Ok(Conclusion::of_all(comparisons.iter().map(Comparison::conclusion)))
}

fn compare(
    args: &CompareArgs,
    rules: &Rules,
    base: &BTreeMap<String, Vec<RunResult>>,
    side: &Side,
) -> Result<Comparison, Failure> {
    let new = side.read()?;
    let (mut cases, mut objections) = (Vec::new(), Vec::new());
    for (name, base) in base {
        let Some(new) = new.get(name) else { continue };
        let runs: Vec<_> = base.iter().chain(new).cloned().collect();
        let found = same::objections(&runs, &args.allow);
        objections.extend(found.into_iter().map(|objection| format!("{name}: {objection}")));
        cases.push(Case {
            name: name.clone(),
            findings: rules.judge(base, new),
            remarks: same::remarks(&base[0], &new[0]),
            base: base.clone(),
            new: new.clone(),
        });
    }
    if !objections.is_empty() {
        return Err(Failure::of(
            "these runs are not alike (runs are counted from the base's first; --allow scenario, \
             environment or verdict compares them anyway)",
            format!("\n  {}", objections.join("\n  ")),
        ));
    }
    if cases.is_empty() {
        let list =
            |cases: &BTreeMap<_, _>| cases.keys().cloned().collect::<Vec<String>>().join(", ");
        return Err(Failure::of(
            "the sides have no case in common",
            format!("{} has {}, {} has {}", args.base.name, list(base), side.name, list(&new)),
        ));
    }
    let only = |there: &str, here: &BTreeMap<String, Vec<RunResult>>, other: &BTreeMap<_, _>| {
        let missing = here.keys().filter(|name| !other.contains_key(*name));
        missing.map(|name| format!("{name} is only in {there}")).collect::<Vec<_>>()
    };
    let mut notes = only(&args.base.name, base, &new);
    notes.extend(only(&side.name, &new, base));
    Ok(Comparison { base: args.base.name.clone(), new: side.name.clone(), cases, notes })
}

impl Comparison {
    fn conclusion(&self) -> Conclusion {
        Conclusion::of_all(self.cases.iter().map(|case| case.findings.conclusion))
    }
}

fn plain_text(comparisons: &[Comparison]) -> String {
    let mut shown = String::new();
    for comparison in comparisons {
        for case in &comparison.cases {
            shown.push_str(&text::text(case, &comparison.base, &comparison.new));
            shown.push('\n');
        }
        for note in &comparison.notes {
            shown.push_str(&format!("note: {note}\n"));
        }
        shown.push_str(&format!("{}: {}\n", comparison.new, comparison.conclusion()));
    }
    shown
}

fn json_text(comparisons: &[Comparison]) -> String {
    let case = |case: &Case| {
        json!({
            "case": case.name,
            "base_runs": case.base.len(),
            "new_runs": case.new.len(),
            "conclusion": case.findings.conclusion,
            "tested": case.findings.tested,
            "confidence": case.findings.confidence,
            "remarks": case.remarks,
            "measures": case.findings.list.iter().map(Written::from).collect::<Vec<_>>(),
        })
    };
    let comparison = |comparison: &Comparison| {
        json!({
            "base": comparison.base,
            "new": comparison.new,
            "conclusion": comparison.conclusion(),
            "notes": comparison.notes,
            "cases": comparison.cases.iter().map(case).collect::<Vec<_>>(),
        })
    };
    let list: Vec<_> = comparisons.iter().map(comparison).collect();
    let text = json!({ "format": "loadgen-comparison", "schema": 1, "comparisons": list });
    format!("{text:#}\n")
}

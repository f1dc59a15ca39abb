//! The command.

use std::fs;

use crate::args::ReportArgs;
use crate::failure::Failure;
use crate::output::say;
use crate::plot::Page;
use crate::result::{RunResult, Verdict, read_all};

use super::{curves, tables};

/// Writes the report and says where it is.
///
/// # Errors
/// If a result cannot be read or the file not be written.
pub fn run(args: &ReportArgs) -> Result<Verdict, Failure> {
    let results = read_all(&args.results)?;
    let path = match (&args.out, args.results.first()) {
        (Some(path), _) => path.clone(),
        (None, Some(first)) => first.with_extension("html"),
        (None, None) => return Err("no result to report on".to_owned().into()),
    };
    let written = fs::write(&path, page(&results).html());
    written.map_err(|error| Failure::of(&path.display().to_string(), error))?;
    say(&format!("{}\n", path.display()))?;
    Ok(Verdict::Kept)
}

/// One section for each result.
fn page(results: &[RunResult]) -> Page {
    let mut page = match results {
        [only] => Page::new(&format!("{} against {}", only.scenario.name, only.target)),
        several => Page::new(&format!("{} runs", several.len())),
    };
    for (number, result) in (1..).zip(results) {
        if results.len() > 1 {
            let name = &result.scenario.name;
            page.heading(&format!("Run {number}: {name} against {}", result.target));
        }
        section(&mut page, result);
    }
    page
}

fn section(page: &mut Page, result: &RunResult) {
    let class = match result.verdict {
        Verdict::Kept => "good",
        Verdict::GeneratorBound => "doubt",
        Verdict::Broken => "bad",
    };
    let reasons = result.broken.iter().chain(&result.generator_bound).chain(&result.interrupted);
    let reasons: Vec<_> = reasons.map(String::as_str).collect();
    let verdict = result.verdict.label();
    match reasons.is_empty() {
        true => page.verdict(class, verdict),
        false => page.verdict(class, &format!("{verdict}: {}", reasons.join("; "))),
    }
    tables::key_figures(page, result);
    tables::latencies(page, result);
    let charts = curves::charts(result);
    if charts.is_empty() {
        page.paragraph("Nothing was timed, so there is no chart.");
    } else {
        page.charts(&charts);
    }
    tables::broken_flows(page, result);
    for complaint in &result.complaints {
        page.paragraph(&format!("Connection: {complaint}"));
    }
    tables::circumstances(page, result);
}

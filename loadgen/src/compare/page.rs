//! A comparison as a page.

use crate::measure::Latency;
use crate::plot::Page;
use crate::report::{percentile_chart, percentile_line};
use crate::result::{LatencyKind, RunResult};

use super::conclusion::Conclusion;
use super::run::{Case, Comparison};
use super::text::{cells, conclusion, method};

/// One section for each case.
pub fn page(comparison: &Comparison) -> Page {
    let names = (&comparison.new, &comparison.base);
    let mut page = Page::new(&format!("{} against {}", names.0, names.1));
    for note in &comparison.notes {
        page.paragraph(note);
    }
    for case in &comparison.cases {
        page.heading(&case.name);
        section(&mut page, case);
    }
    page
}

fn section(page: &mut Page, case: &Case) {
    let class = match case.findings.conclusion {
        Conclusion::Faster => "good",
        Conclusion::NoDifferenceShown => "doubt",
        Conclusion::Slower => "bad",
    };
    page.verdict(class, &conclusion(&case.findings));
    page.paragraph(&format!("{} runs of the base, {} new.", case.base.len(), case.new.len()));
    page.paragraph(&format!("How: {}.", method(&case.findings)));
    for remark in &case.remarks {
        page.paragraph(&format!("Note: {remark}."));
    }
    let rows: Vec<_> = case.findings.list.iter().map(|finding| cells(finding).into()).collect();
    let headings = ["measure", "base", "new", "ratio", "interval", "verdict"];
    page.table("Medians of runs", &headings, &rows);
    let charts = LatencyKind::ALL.into_iter().filter(|kind| !kind.is_own());
    let charts = charts.filter_map(|kind| {
        let (base, new) = (pooled(&case.base, kind)?, pooled(&case.new, kind)?);
        let lines = vec![percentile_line("base", &base), percentile_line("new", &new)];
        Some(percentile_chart(&format!("{}, all runs together", kind.label()), lines))
    });
    page.charts(&charts.collect::<Vec<_>>());
}

/// The values of all runs of a side.
fn pooled(runs: &[RunResult], kind: LatencyKind) -> Option<Latency> {
    let mut histograms = runs.iter().filter_map(|run| run.latency.of(kind).cloned());
    let first = histograms.next()?;
    Some(histograms.fold(first, |mut sum, latency| {
        sum.merge(latency);
        sum
    }))
}

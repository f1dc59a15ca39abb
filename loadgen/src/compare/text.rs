//! A comparison for the terminal.

use std::fmt::Write;

use crate::output::Table;

use super::judge::{Finding, Findings};
use super::measures::Measure;
use super::run::Case;

/// Columns of the plot.
const PLOT: usize = 40;

/// One case: verdict, table, plot.
pub fn text(case: &Case, base_name: &str, new_name: &str) -> String {
    let findings = &case.findings;
    let mut text = format!(
        "{}: {} ({} runs) against {} ({} runs): {}\n",
        case.name,
        new_name,
        case.new.len(),
        base_name,
        case.base.len(),
        conclusion(findings)
    );
    for remark in &case.remarks {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  note: {remark}");
    }
    let mut table = Table::new(["", "base", "new", "ratio", "interval", ""]);
    for finding in &findings.list {
        table.row(cells(finding));
    }
    text.push_str(&table.text());
    text.push_str(&plot(findings));
    let _ = writeln!(text, "  {}", method(findings));
    text
}

/// The conclusion, with the measures that brought it about.
pub fn conclusion(findings: &Findings) -> String {
    let of = |finding: &&Finding| finding.conclusion == Some(findings.conclusion);
    let shown = findings.list.iter().filter(of);
    let shown = shown.map(|finding| {
        let change = (finding.ratio.estimate - 1.0) * 100.0;
        format!("{} {change:+.0} %", finding.measure)
    });
    let shown: Vec<_> = shown.collect();
    match findings.conclusion {
        super::Conclusion::NoDifferenceShown => findings.conclusion.to_string(),
        conclusion => format!("{conclusion}: {}", shown.join(", ")),
    }
}

/// How the conclusion was reached.
pub fn method(findings: &Findings) -> String {
    if findings.list.is_empty() {
        return "nothing that both sides measured in every run".to_owned();
    }
    match findings.tested {
        true => format!(
            "medians of runs; ratio by Hodges and Lehmann, interval by the exact Mann-Whitney \
             test at {:.1} %; docs/comparing.md",
            findings.confidence * 100.0
        ),
        false => "too few runs for a test (five a side suffice): only a large factor between \
                  every two runs is called a difference; docs/comparing.md"
            .to_owned(),
    }
}

/// The cells of a row: name, medians, ratio, interval, conclusion.
pub fn cells(finding: &Finding) -> [String; 6] {
    let unit = finding.measure.unit();
    let interval = finding.ratio.interval;
    let interval =
        interval.map_or_else(|| "-".to_owned(), |(low, high)| format!("{low:.3}-{high:.3}"));
    [
        finding.measure.to_string(),
        unit.show(finding.base),
        unit.show(finding.new),
        format!("{:.3}", finding.ratio.estimate),
        interval,
        finding.conclusion.map_or_else(|| "not judged".to_owned(), |shown| shown.to_string()),
    ]
}

/// The latencies over each other, on a logarithmic axis.
fn plot(findings: &Findings) -> String {
    let latencies: Vec<_> = findings
        .list
        .iter()
        .filter(|finding| matches!(finding.measure, Measure::Latency(..)))
        .collect();
    let values = || latencies.iter().flat_map(|finding| [finding.base, finding.new]);
    let (low, high) =
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if latencies.is_empty() || high <= low {
        return String::new();
    }
    let place = |value: f64| ((value / low).ln() / (high / low).ln() * (PLOT - 1) as f64) as usize;
    let unit = crate::plot::Unit::Micros;
    let mut text = format!(
        "  latency from {} to {}, logarithmic; b base, n new, * both\n",
        unit.show(low),
        unit.show(high)
    );
    for finding in latencies {
        let mut line = vec![b'.'; PLOT];
        line[place(finding.base)] = b'b';
        let new = &mut line[place(finding.new)];
        *new = if *new == b'b' { b'*' } else { b'n' };
        let line = String::from_utf8_lossy(&line);
        let _ = writeln!(text, "  {:<20} |{line}|", finding.measure.to_string());
    }
    text
}

//! The table, as Markdown.

use std::fmt::Write;

use serde_json::Value;

use crate::failure::Failure;

use super::cases::Case;

/// One row for each case, one column for each broker, and below it how it was taken.
///
/// # Errors
/// If a result is none of `loadgen ab`.
pub fn markdown(results: &[(Case, Value)]) -> Result<String, Failure> {
    let Some((_, first)) = results.first() else { return Ok(String::new()) };
    let names = brokers(first)?.iter().map(|broker| broker["name"].as_str().unwrap_or("?"));
    let names: Vec<_> = names.collect();
    let mut text =
        format!("| case | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (case, result) in results {
        let cells = brokers(result)?.iter().enumerate();
        let cells: Vec<_> = cells.map(|(column, broker)| cell(broker, column == 0)).collect();
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {} | {} |", case.name, cells.join(" | "));
    }
    text.push('\n');
    text.push_str(&provenance(first, results));
    Ok(text)
}

fn brokers(result: &Value) -> Result<&Vec<Value>, Failure> {
    let list = result["brokers"].as_array();
    list.ok_or_else(|| Failure::of("brokers", "missing in a result of loadgen ab"))
}

/// Median cost and ratio; `broken` where the broker did not keep its promise.
fn cell(broker: &Value, reference: bool) -> String {
    if broker["broken"].as_array().is_some_and(|broken| !broken.is_empty()) {
        return "broken".to_owned();
    }
    let Some(cost) = broker["cost_us"]["median"].as_f64() else { return "-".to_owned() };
    let places = if cost < 1.0 { 3 } else { 2 };
    match broker["ratio"]["median"].as_f64().filter(|_| !reference) {
        Some(ratio) => format!("{cost:.places$} ({ratio:.2})"),
        None => format!("{cost:.places$}"),
    }
}

fn provenance(first: &Value, results: &[(Case, Value)]) -> String {
    let machine = &first["environment"];
    let word = |name: &str| machine[name].as_str().unwrap_or("?").to_owned();
    let mut text = format!(
        "Broker CPU µs for each delivered message, median of {} rounds of {} s; in brackets the \
         median ratio to the first broker within a round. loadgen {} ({}), {} × {}, Linux {}, load \
         average {}.\n",
        first["rounds"],
        first["slice_s"],
        word("loadgen"),
        word("loadgen_commit"),
        machine["cpus"],
        word("cpu"),
        word("kernel"),
        machine["load_average"],
    );
    for (case, result) in results {
        for broker in result["brokers"].as_array().into_iter().flatten() {
            let broken = broker["broken"].as_array().into_iter().flatten();
            let broken: Vec<_> = broken.filter_map(Value::as_str).collect();
            if !broken.is_empty() {
                let name = broker["name"].as_str().unwrap_or("?");
                let _ = writeln!(text, "\n{}, {name}: {}.", case.name, broken.join("; "));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_costs_ratios_and_broken_promises() {
        let broker = |name: &str, cost: f64, ratio: f64, broken: &[&str]| {
            json!({"name": name, "cost_us": {"median": cost}, "ratio": {"median": ratio},
                   "broken": broken})
        };
        let result = json!({
            "rounds": 7, "slice_s": 0.5,
            "environment": {"loadgen": "0.1.0", "loadgen_commit": "abc", "cpus": 2, "cpu": "x",
                "kernel": "6", "load_average": 0.1},
            "brokers": [broker("null", 0.644, 1.0, &[]), broker("a", 6.34, 9.84, &[]),
                broker("b", 1.0, 1.0, &["3 messages lost"])],
        });
        let case = Case { name: "p2p".to_owned(), load: "p2p".to_owned() };
        let text = markdown(&[(case, result)]).unwrap();
        assert!(text.starts_with("| case | null | a | b |\n|---|---|---|---|\n"), "{text}");
        assert!(text.contains("| p2p | 0.644 | 6.34 (9.84) | broken |"), "{text}");
        assert!(text.contains("7 rounds of 0.5 s") && text.contains("p2p, b: 3 messages lost."));
        assert!(markdown(&[("p2p-qos0-b1".parse().unwrap(), json!({}))]).is_err());
    }
}

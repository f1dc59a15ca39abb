//! The table of docs/mosquitto.md: every option of Mosquitto and what becomes of it here.

use std::fmt::Write;

use super::foreign::{FOREIGN, Fate};
use super::names;
use crate::config::options::{Opt, Origin};
use crate::config::table::{global, of_listeners};

/// The line of docs/mosquitto.md above the table.
const PAGE_BEGIN: &str = "<!-- Written by `pondhawk --print-mosquitto-table`; do not edit. -->";
/// The line below it.
const PAGE_END: &str = "<!-- End of the table. -->";

/// Every option of Mosquitto in the order of their names, with what becomes of it here. A name that
/// ends in `*` is the beginning of names.
pub fn options() -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    rows.extend(global().filter_map(row));
    rows.extend(of_listeners().filter_map(row));
    rows.push(("include_dir".into(), "works".into()));
    rows.push(("listener".into(), "works".into()));
    for (theirs, ours) in names::ALIASES {
        let how = if names::today(theirs).is_some() { "old spelling of" } else { "works as our" };
        rows.push((theirs.into(), format!("{how} `{ours}`")));
    }
    for foreign in &FOREIGN {
        let name = match foreign.name.ends_with('_') {
            true => format!("{}*", foreign.name),
            false => foreign.name.into(),
        };
        rows.push((name, fate(foreign.fate, foreign.why, foreign.mend)));
    }
    rows.sort();
    rows.dedup_by(|later, earlier| later.0 == earlier.0);
    rows
}

/// The table, with the lines around it.
pub fn page() -> String {
    let mut page = format!("{PAGE_BEGIN}\n\n| option of Mosquitto | here |\n|---|---|\n");
    for (name, what) in options() {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| `{name}` | {what} |");
    }
    page.push_str(&format!("\n{PAGE_END}\n"));
    page
}

fn row<T>(option: &Opt<T>) -> Option<(String, String)> {
    if option.origin != Origin::Mosquitto || names::ALIASES.iter().any(|a| a.0 == option.name) {
        return None;
    }
    // Mosquitto has these under another name alone.
    if ["ciphers_tls13"].contains(&option.name) {
        return None;
    }
    let what = match option.name {
        "persistence" => "one warning: this version keeps state in memory only".into(),
        "bind_address" | "port" => format!("works; {} is how it is written today", {
            names::today(option.name).unwrap_or_default().replace('\'', "`")
        }),
        _ => String::from("works"),
    };
    Some((option.name.into(), what))
}

fn fate(fate: Fate, why: &str, mend: &str) -> String {
    match fate {
        Fate::Meaningless => format!("no meaning here, one warning: {why}."),
        Fate::Always(value) => format!("always `{value}`; another value gets a warning: {why}."),
        Fate::Must(value) => format!("only `{value}`; else the start is refused: {why}. {mend}."),
        Fate::Persistence => format!("no effect; `persistence` has the warning: {why}."),
        Fate::Refused | Fate::Bridge | Fate::Plugin => {
            format!("the start is refused: {why}. {mend}.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_docs_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mosquitto.md");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            text.contains(&page()),
            "put the output of `cargo run -- --print-mosquitto-table` between the markers of \
             docs/mosquitto.md"
        );
    }
}

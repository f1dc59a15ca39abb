//! Lines of Mosquitto's format, and telling it from TOML.

use super::foreign::is_foreign;
use super::names;
use crate::config::table::{global, of_listeners};

/// Whether a configuration is TOML rather than Mosquitto's format: its name ends in `.toml`, or
/// its first line that says something is a section or an assignment.
pub fn is_toml(name: &str, text: &str) -> bool {
    if name.ends_with(".toml") {
        return true;
    }
    let said = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = said else { return false };
    let key = line.trim_start_matches(|c: char| c.is_alphanumeric() || "_-.\"'".contains(c));
    line.starts_with('[') || key.trim_start().starts_with('=')
}

/// The first word of a line and what follows it; `None` for a blank line. Only blanks separate,
/// as in Mosquitto: a tab is part of a word.
pub fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches(' ');
    if line.is_empty() {
        return None;
    }
    Some(line.split_once(' ').unwrap_or((line, "")))
}

/// The first line in Mosquitto's format, `option value` without an equals sign, and its number.
pub fn first_line(text: &str) -> Option<(usize, &str)> {
    text.lines().zip(1..).map(|(line, number)| (number, line.trim())).find(|(_, line)| {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        !value.trim_start().starts_with('=') && (is_ours(name) || is_foreign(name))
    })
}

/// Whether the name is one that Mosquitto's format has and this version carries out.
fn is_ours(name: &str) -> bool {
    let name = names::ours(name);
    name == "listener"
        || global().any(|option| option.name == name)
        || of_listeners().any(|option| option.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_lines_are_told_from_toml() {
        assert_eq!(first_line("# x\n\nlistener 1883\n"), Some((3, "listener 1883")));
        assert_eq!(first_line("password_file /etc/p"), Some((1, "password_file /etc/p")));
        assert_eq!(first_line("plugin_opt_x y"), Some((1, "plugin_opt_x y")));
        for toml in ["[[listener]]\nport = 1883", "max_qos=1", "max_qos = 1", "who knows"] {
            assert_eq!(first_line(toml), None, "{toml}");
        }
    }

    #[test]
    fn the_format_is_known_by_its_first_line_and_by_the_files_name() {
        for toml in ["[[listener]]", "# c\n\nmax_qos = 1", "a=1", "\"quoted key\" = 1", "a.b = 1"] {
            let expected = toml != "\"quoted key\" = 1";
            assert_eq!(is_toml("a.conf", toml), expected, "{toml}");
        }
        for other in ["", "# only words", "listener 1883", "log_timestamp_format x=%s", "user"] {
            assert!(!is_toml("a.conf", other), "{other}");
            assert!(is_toml("a.toml", other), "{other}");
        }
    }

    #[test]
    fn blanks_separate_and_tabs_do_not() {
        assert_eq!(split("  port  1883 "), Some(("port", " 1883 ")));
        assert_eq!(split("port"), Some(("port", "")));
        assert_eq!(split("\tport 1"), Some(("\tport", "1")));
        assert_eq!(split("   "), None);
    }
}

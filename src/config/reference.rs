//! The reference page of options, written from the table.

use std::fmt::{self, Write};

use super::options::{Opt, Origin, Reload};
use super::schema::Config;
use super::table::{LISTENER_SECTIONS, Listener, SECTIONS};

/// The text of `docs/options.md`.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    // Writing to a string cannot fail.
    let _ = write_sections(&mut page);
    page
}

const INTRODUCTION: &str = "\
# Options

<!-- Written by `pondhawk --print-options-reference > docs/options.md`; do not edit. -->

Options are set in a TOML file that is given with `-c`. Global options stand at the top of the file
as `name = value`; options of a listener stand below a line `[[listener]]`, once for each listener.
Without any listener the broker listens on port 1883 of the loopback interface only. Without `-c` no
file is read. A file in Mosquitto's format is read, too ([mosquitto.md](mosquitto.md));
`pondhawk config convert` turns it into TOML.

```toml
max_queued_messages = 5000
allow_anonymous = true

[[listener]]
port = 1883
```

Unknown options, wrong types and values out of bounds are errors; `--test-config` names them all.

*Reload: applied* means that SIGHUP takes over a changed value. What Clients are told in CONNACK
holds for those that connect afterwards, and so does what is counted when a connection is accepted.
Options of a listener hold for the Clients that are connected, too. A new listener is opened; one
that is gone, or that has another port, address, interface or path, is closed, and its Clients
are disconnected (0x98 in MQTT 5). If anything in the file is wrong, or cannot be opened, nothing
changes. *Reload: restart* means that a change is reported and
waits for a restart. *As in Mosquitto* means that Mosquitto's option of that name does the same.
";

fn write_sections(page: &mut String) -> fmt::Result {
    let config = Config::default();
    for section in &SECTIONS {
        write!(page, "\n## {}\n", section.title)?;
        for option in section.options {
            write_option(page, option, &config)?;
        }
    }
    for section in &LISTENER_SECTIONS {
        write!(page, "\n## {}\n", section.title)?;
        for option in section.options {
            write_option(page, option, &Listener::default())?;
        }
    }
    Ok(())
}

fn write_option<T>(page: &mut String, option: &Opt<T>, default: &T) -> fmt::Result {
    write!(page, "\n### `{}`\n\n{}\n\n", option.name, about(option))?;
    writeln!(page, "- Value: {}.", (option.allowed)(&option.spec))?;
    match (option.show)(default) {
        Some(value) => writeln!(page, "- Default: `{value}`.")?,
        None => writeln!(page, "- Default: {}.", option.spec.unset)?,
    }
    writeln!(
        page,
        "- Reload: {}.",
        match option.reload {
            Reload::Applied => "applied",
            Reload::Restart => "restart",
        }
    )?;
    if let Some(flag) = option.flag {
        writeln!(page, "- Command line: `{flag}`.")?;
    }
    if option.origin == Origin::Mosquitto {
        writeln!(page, "- As in Mosquitto.")?;
    }
    Ok(())
}

/// The help text without the blank that doc comments begin their lines with.
fn about<T>(option: &Opt<T>) -> &'static str {
    option.about.trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == reference(),
            "run: cargo run -- --print-options-reference > docs/options.md"
        );
    }

    #[test]
    fn every_option_explains_itself() {
        fn check<T>(option: &Opt<T>, default: &T) {
            assert!(about(option).ends_with('.'), "{}: help is not a sentence", option.name);
            assert!(!option.about.contains("  "), "{}", option.name);
            assert!(
                (option.show)(default).is_some() || !option.spec.unset.is_empty(),
                "{} does not say what holds without it",
                option.name
            );
        }
        let config = Config::default();
        SECTIONS.iter().flat_map(|s| s.options).for_each(|option| check(option, &config));
        LISTENER_SECTIONS
            .iter()
            .flat_map(|section| section.options)
            .for_each(|option| check(option, &Listener::default()));
    }
}

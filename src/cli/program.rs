//! Who the program is: links to it under Mosquitto's names behave as Mosquitto's programs.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The program, by the name it was called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The broker by its own name, with subcommands.
    Pondhawk,
    /// Mosquitto's broker: its flags only, its exit codes and its lines about itself.
    Mosquitto,
}

/// Names of other programs of Mosquitto, and the subcommands that are the same.
const SUBCOMMANDS: [(&str, &str); 1] = [("mosquitto_signal", "signal")];

impl Program {
    /// The name in the log, in the version and in the help.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pondhawk => "pondhawk",
            Self::Mosquitto => "mosquitto",
        }
    }

    /// Reads the first word of a command line; one that names a subcommand is replaced by it.
    pub fn of(words: &mut Vec<OsString>) -> Self {
        let name = words.first().map(Path::new).and_then(Path::file_name).and_then(OsStr::to_str);
        let Some(name) = name.map(String::from) else { return Self::Pondhawk };
        if let Some((_, subcommand)) = SUBCOMMANDS.iter().find(|(other, _)| *other == name) {
            words.splice(..1, ["pondhawk".into(), (*subcommand).into()]);
        }
        match name.as_str() {
            "mosquitto" => Self::Mosquitto,
            _ => Self::Pondhawk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> (Program, Vec<OsString>) {
        let mut words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        (Program::of(&mut words), words)
    }

    #[test]
    fn the_name_of_the_link_decides() {
        assert_eq!(of("/usr/sbin/mosquitto -v").0, Program::Mosquitto);
        assert_eq!(of("target/debug/pondhawk").0, Program::Pondhawk);
        assert_eq!(of("renamed -v").0, Program::Pondhawk);
        let (program, words) = of("/usr/bin/mosquitto_signal -a shutdown");
        assert_eq!(program, Program::Pondhawk);
        assert_eq!(words, ["pondhawk", "signal", "-a", "shutdown"]);
    }
}

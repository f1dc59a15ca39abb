//! The cases.

use std::str::FromStr;

/// A load with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Name; also that of its result file.
    pub name: String,
    /// What `loadgen ab --scenario` takes.
    pub load: String,
}

/// The loads by name that the scripts of the project run, too: a name, spaces, a load.
const LOADS: &str = include_str!("../../../benches/loads.txt");

/// All brokers compare with one, since rumqttd lets nobody in without.
const KEEP_ALIVE: &str = "--keep-alive 60s";

impl Case {
    /// The cases that run unless others are asked for: the closed loops, whose broker is as busy as
    /// it can be.
    pub fn standard() -> Vec<Self> {
        let lines = LOADS.lines().filter(|line| !line.starts_with('#'));
        let named = lines.filter_map(|line| line.split_once(' '));
        let closed = named.filter(|(_, load)| !load.contains("--rate"));
        let case = |(name, load): (&str, &str)| Self {
            name: name.to_owned(),
            load: format!("{} {KEEP_ALIVE}", load.trim()),
        };
        closed.map(case).collect()
    }
}

impl FromStr for Case {
    type Err = String;

    /// `NAME=LOAD`, or the name of a standard case.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        match text.split_once('=') {
            Some((name, load)) if plain(name) && !load.is_empty() => {
                Ok(Self { name: name.to_owned(), load: load.to_owned() })
            }
            Some(_) => Err("expected NAME=LOAD; a name has letters, digits and '-'".to_owned()),
            None => Self::standard().into_iter().find(|case| case.name == text).ok_or_else(|| {
                let names: Vec<_> = Self::standard().into_iter().map(|case| case.name).collect();
                let names = names.join(", ");
                format!("'{text}' is no standard case: expected NAME=LOAD or one of {names}")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_cases_are_the_closed_loops_with_a_keep_alive() {
        let cases = Case::standard();
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        let p2p = ["p2p-qos0-b1", "p2p-qos0-b8", "p2p-qos0-b64"];
        let acknowledged = ["p2p-qos1-b1", "p2p-qos1-b8", "p2p-qos1-b64"];
        let others = ["fanout-qos0-b1", "fanout-qos0-b8", "fanin-qos0-b8"];
        assert_eq!(names, [p2p, acknowledged, others].concat());
        assert_eq!(cases[4].load, "p2p --pairs 64 --qos 1 --batch 8 --keep-alive 60s");
    }

    #[test]
    fn cases_are_named_or_given() {
        assert_eq!("p2p-qos1-b8".parse::<Case>().unwrap(), Case::standard()[4]);
        assert_eq!("x=p2p --qos 2".parse::<Case>().unwrap().load, "p2p --qos 2");
        for wrong in ["x", "=p2p", "a/b=p2p", "x="] {
            assert!(wrong.parse::<Case>().is_err(), "{wrong}");
        }
    }
}

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

/// Small messages at one, eight and 64 in a write: what a broker adds to its sockets' work shows
/// only above one. All keep alive, since rumqttd lets nobody in who does not.
const STANDARD: [(&str, &str); 9] = [
    ("p2p-qos0-b1", "p2p --pairs 64 --qos 0 --batch 1 --keep-alive 60s"),
    ("p2p-qos0-b8", "p2p --pairs 64 --qos 0 --batch 8 --keep-alive 60s"),
    ("p2p-qos0-b64", "p2p --pairs 64 --qos 0 --batch 64 --keep-alive 60s"),
    ("p2p-qos1-b1", "p2p --pairs 64 --qos 1 --batch 1 --keep-alive 60s"),
    ("p2p-qos1-b8", "p2p --pairs 64 --qos 1 --batch 8 --keep-alive 60s"),
    ("p2p-qos1-b64", "p2p --pairs 64 --qos 1 --batch 64 --keep-alive 60s"),
    ("fanout-qos0-b1", "fanout --pubs 1 --subs 500 --qos 0 --batch 1 --keep-alive 60s"),
    ("fanout-qos0-b8", "fanout --pubs 1 --subs 500 --qos 0 --batch 8 --keep-alive 60s"),
    ("fanin-qos0-b8", "fanin --pubs 64 --subs 1 --qos 0 --batch 8 --keep-alive 60s"),
];

impl Case {
    /// The cases that run unless others are asked for.
    pub fn standard() -> Vec<Self> {
        let case = |(name, load): (&str, &str)| Self { name: name.into(), load: load.into() };
        STANDARD.into_iter().map(case).collect()
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
                let names = STANDARD.map(|(name, _)| name).join(", ");
                format!("'{text}' is no standard case: expected NAME=LOAD or one of {names}")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_named_or_given() {
        assert_eq!("p2p-qos1-b8".parse::<Case>().unwrap(), Case::standard()[4]);
        assert_eq!("x=p2p --qos 2".parse::<Case>().unwrap().load, "p2p --qos 2");
        for wrong in ["x", "=p2p", "a/b=p2p", "x="] {
            assert!(wrong.parse::<Case>().is_err(), "{wrong}");
        }
    }
}

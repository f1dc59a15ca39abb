//! The types of the log's options.

use std::path::PathBuf;

use toml::de::DeValue;

use super::value::{Problem, Spec, Value, one_of, quoted, strings, word};
use super::words::words;

words! {
    /// How a log line is written.
    enum LogFormat {
        /// The time, a colon, the message.
        Mosquitto = "mosquitto",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// A kind of log message, named as in Mosquitto.
    enum LogType {
        /// Something failed.
        Error = "error",
        /// Something is wrong but work goes on.
        Warning = "warning",
        /// Life of the broker and of connections.
        Notice = "notice",
        /// Details of normal work.
        Information = "information",
        /// For finding faults: every packet.
        Debug = "debug",
        /// Each Topic Filter subscribed to.
        Subscribe = "subscribe",
        /// Each Topic Filter unsubscribed from.
        Unsubscribe = "unsubscribe",
        /// Handshakes of WebSocket connections.
        Websockets = "websockets",
        /// The broker's own affairs, such as connections that move between shards.
        Internal = "internal",
    }
}

impl LogType {
    /// The type of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == name).map(|(_, kind)| *kind)
    }
}

/// A set of [`LogType`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogTypes(u16);

impl LogTypes {
    /// Every type but `internal`, as Mosquitto's `all`.
    pub const ALL: Self = Self((1 << LogType::Internal as u16) - 1);
    /// No type.
    pub const NONE: Self = Self(0);

    /// The set of these types.
    pub const fn of(types: &[LogType]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < types.len() {
            bits |= 1 << types[index] as u16;
            index += 1;
        }
        Self(bits)
    }

    /// Whether the set has this type.
    pub fn has(self, kind: LogType) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    fn words() -> Vec<(&'static str, Self)> {
        let single = LogType::WORDS.iter().map(|(name, kind)| (*name, Self::of(&[*kind])));
        single.chain([("none", Self::NONE), ("all", Self::ALL)]).collect()
    }
}

impl Value for LogTypes {
    fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
        let words = Self::words();
        let mut set = Self::NONE;
        for text in strings(raw)? {
            match word(text, &words)? {
                Self::NONE => set = Self::NONE,
                more => set.0 |= more.0,
            }
        }
        Ok(set)
    }

    fn show(&self) -> Option<String> {
        let names: Vec<_> = LogType::WORDS
            .iter()
            .filter(|(_, kind)| self.has(*kind))
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        Some(format!("[{}]", names.join(", ")))
    }

    fn allowed(_: &Spec) -> String {
        format!("a list of {}", one_of(&Self::words()))
    }
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDest {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// The system's log.
    Syslog,
    /// Topics below `$SYS/broker/log`.
    Topic,
    /// A file that lines are appended to.
    File(PathBuf),
}

/// All the places where log lines go; none when empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDests(pub Vec<LogDest>);

/// Destinations that Mosquitto has on systems where Pondhawk does not run.
const ELSEWHERE: [(&str, &str); 2] = [
    ("dlt", "the Diagnostic Log and Trace daemon, which Pondhawk does not speak to"),
    ("android", "Android's log, which Pondhawk does not write"),
];

impl LogDests {
    const WORDS: &'static [(&'static str, Option<LogDest>)] = &[
        ("stderr", Some(LogDest::Stderr)),
        ("stdout", Some(LogDest::Stdout)),
        ("syslog", Some(LogDest::Syslog)),
        ("topic", Some(LogDest::Topic)),
        ("none", None),
    ];

    /// Adds the destination that one entry names; "none" takes away those before it.
    fn add(&mut self, text: &str) -> Result<(), Problem> {
        if let Some((name, what)) = ELSEWHERE.iter().find(|(name, _)| *name == text) {
            return Err(Problem { given: format!("\"{name}\", {what}"), meant: None });
        }
        let dest = match text.split_once(' ') {
            Some(("file", path)) if !path.trim().is_empty() => {
                Some(LogDest::File(path.trim().into()))
            }
            _ => {
                let names: Vec<_> = Self::WORDS.iter().map(|(name, dest)| (*name, dest)).collect();
                word(text, &names)?.clone()
            }
        };
        match dest {
            None => self.0.clear(),
            Some(dest) if self.0.contains(&dest) => {}
            Some(LogDest::File(path)) if self.file().is_some() => {
                let given = format!("a second file, {}", path.display());
                return Err(Problem { given, meant: None });
            }
            Some(dest) => self.0.push(dest),
        }
        Ok(())
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.0.iter().find_map(|dest| match dest {
            LogDest::File(path) => Some(path.as_path()),
            _ => None,
        })
    }
}

impl Value for LogDests {
    fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
        let mut dests = Self(Vec::new());
        for text in strings(raw)? {
            dests.add(text)?;
        }
        Ok(dests)
    }

    fn show(&self) -> Option<String> {
        let names: Vec<_> = self
            .0
            .iter()
            .map(|dest| match dest {
                LogDest::File(path) => quoted(&format!("file {}", path.display())),
                other => {
                    let found = Self::WORDS.iter().find(|(_, dest)| dest.as_ref() == Some(other));
                    format!("\"{}\"", found.map_or("none", |(name, _)| name))
                }
            })
            .collect();
        Some(format!("[{}]", names.join(", ")))
    }

    fn allowed(_: &Spec) -> String {
        "a list of \"stderr\", \"stdout\", \"syslog\", \"topic\", \"none\" and at most one \
         \"file PATH\""
            .into()
    }
}

/// Conversions of C's `strftime` that a [`TimeFormat`] may have.
const CONVERSIONS: &str = "%AaBbhCcDdeFGgHIjklMmnPpRrSsTtUuVWwXxYyZz";

/// How the time before a log line is written: C's `strftime` in the machine's time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat(Box<str>);

impl TimeFormat {
    /// The format, if every conversion in it is known.
    ///
    /// # Errors
    /// The conversion that is not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            if char != '%' {
                continue;
            }
            match chars.next() {
                Some(letter) if CONVERSIONS.contains(letter) => {}
                Some(other) => return Err(format!("%{other}")),
                None => return Err("% at the end".into()),
            }
        }
        Ok(Self(text.into()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for TimeFormat {
    fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
        let text = raw.as_str().ok_or_else(|| Problem::with(raw))?;
        Self::parse(text).map_err(|conversion| Problem {
            given: format!("\"{text}\" with the conversion {conversion}"),
            meant: None,
        })
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.0))
    }

    fn allowed(_: &Spec) -> String {
        let letters: Vec<_> = CONVERSIONS.chars().map(|letter| format!("%{letter}")).collect();
        format!("a format of strftime with the conversions {}", letters.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dests(words: &[&str]) -> Result<LogDests, Problem> {
        let mut dests = LogDests(Vec::new());
        words.iter().try_for_each(|word| dests.add(word))?;
        Ok(dests)
    }

    #[test]
    fn destinations_add_up_and_none_takes_them_away() {
        let both = dests(&["stderr", "topic", "stderr"]).expect("two destinations");
        assert_eq!(both.0, [LogDest::Stderr, LogDest::Topic]);
        assert_eq!(dests(&["stderr", "none"]).expect("none").0, []);
        let file = dests(&["none", "file /var/log/a b.log"]).expect("a file");
        assert_eq!(file.file(), Some("/var/log/a b.log".as_ref()));
        assert_eq!(file.show().as_deref(), Some("[\"file /var/log/a b.log\"]"));
    }

    #[test]
    fn destinations_that_are_not_to_be_had_are_refused() {
        for (words, given) in [
            (&["dlt"][..], "Diagnostic Log and Trace"),
            (&["android"], "Android's log"),
            (&["file /a", "file /b"], "a second file, /b"),
            (&["file"], "\"file\""),
        ] {
            let problem = dests(words).expect_err("refused");
            assert!(problem.given.contains(given), "{problem:?}");
        }
        assert_eq!(dests(&["syslg"]).expect_err("misspelt").meant, Some("syslog"));
    }

    #[test]
    fn all_is_every_kind_but_the_broker_s_own_affairs() {
        for (_, kind) in LogType::WORDS {
            assert_eq!(LogTypes::ALL.has(*kind), *kind != LogType::Internal, "{kind:?}");
        }
    }

    #[test]
    fn unknown_conversions_are_refused() {
        assert!(TimeFormat::parse("%Y-%m-%dT%H:%M:%S%z 100%%").is_ok());
        assert_eq!(TimeFormat::parse("%Y %Ey"), Err("%E".into()));
        assert_eq!(TimeFormat::parse("50%"), Err("% at the end".into()));
    }
}

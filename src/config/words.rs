//! The types of options whose values are words.

use std::path::PathBuf;

use toml::de::DeValue;

use super::value::{Problem, Spec, Value, integer, one_of, strings, word};

/// Declares an enum whose variants are written as words in the configuration.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        enum $name:ident { $($(#[doc = $about:literal])+ $variant:ident = $word:literal,)+ }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $about])+ $variant,)+ }

        impl $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            /// The word in the configuration.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl Value for $name {
            fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
                // A word that is a number may be written as one.
                match (raw.as_str(), integer(raw)) {
                    (Some(text), _) => word(text, Self::WORDS),
                    (None, Some(number)) => word(&number.to_string(), Self::WORDS),
                    (None, None) => Err(Problem::with(raw)),
                }
            }

            fn show(&self) -> Option<String> {
                Some(format!("\"{}\"", self.name()))
            }

            fn allowed(_: &Spec) -> String {
                one_of(Self::WORDS)
            }
        }
    };
}

words! {
    /// What gives way when a session's queue is full.
    enum QueueFullPolicy {
        /// The message that just arrived.
        DropNewest = "drop-newest",
        /// The message that has waited longest.
        DropOldest = "drop-oldest",
        /// The Client: its connection is closed with DISCONNECT 0x97; an offline Client loses
        /// the message that just arrived.
        Disconnect = "disconnect",
    }
}

words! {
    /// How a member of a shared subscription is chosen for a message.
    enum SharedStrategy {
        /// Each member in turn.
        RoundRobin = "round-robin",
        /// The same member until it leaves or cannot take more.
        Sticky = "sticky",
        /// By hash of the publisher's Client Identifier.
        HashClient = "hash-client",
        /// By hash of the Topic Name.
        HashTopic = "hash-topic",
        /// The member with the fewest messages waiting.
        LeastQueued = "least-queued",
    }
}

words! {
    /// What a listener's connections speak.
    enum ListenerProtocol {
        /// MQTT.
        Mqtt = "mqtt",
        /// MQTT in WebSocket frames.
        Websockets = "websockets",
    }
}

words! {
    /// Which family of addresses a listener without an address of its own binds.
    enum SocketDomain {
        /// IPv4 and IPv6.
        Both = "both",
        /// IPv4 only.
        Ipv4 = "ipv4",
        /// IPv6 only.
        Ipv6 = "ipv6",
    }
}

words! {
    /// The least version of TLS that is spoken.
    enum TlsVersion {
        /// TLS 1.2.
        V12 = "tlsv1.2",
        /// TLS 1.3.
        V13 = "tlsv1.3",
    }
}

words! {
    /// Which version of the PROXY protocol's header connections begin with.
    enum ProxyVersion {
        /// The text header.
        V1 = "1",
        /// The binary header.
        V2 = "2",
        /// Either.
        Any = "any",
    }
}

words! {
    /// How a log line is written.
    enum LogFormat {
        /// Seconds since 1970, a colon, the message.
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
        /// For finding faults.
        Debug = "debug",
        /// Each SUBSCRIBE.
        Subscribe = "subscribe",
        /// Each UNSUBSCRIBE.
        Unsubscribe = "unsubscribe",
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
    /// Every type.
    pub const ALL: Self = Self((1 << LogType::WORDS.len()) - 1);
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
            set.0 |= word(text, &words)?.0;
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
    /// A file that lines are appended to.
    File(PathBuf),
}

impl Value for LogDest {
    fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
        let text = raw.as_str().ok_or_else(|| Problem::with(raw))?;
        match text.split_once(' ') {
            Some(("file", path)) if !path.trim().is_empty() => Ok(Self::File(path.trim().into())),
            _ => word(text, &[("stderr", 0), ("stdout", 1)])
                .map(|kind| [Self::Stderr, Self::Stdout][kind].clone()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            Self::Stderr => "\"stderr\"".into(),
            Self::Stdout => "\"stdout\"".into(),
            Self::File(path) => format!("\"file {}\"", path.display()),
        })
    }

    fn allowed(_: &Spec) -> String {
        "\"stderr\", \"stdout\" or \"file PATH\"".into()
    }
}

/// A set of protocol levels: 3 (MQTT 3.1), 4 (3.1.1), 5 (5.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions(u8);

impl Versions {
    /// Every version.
    pub const ALL: Self = Self(1 << 3 | 1 << 4 | 1 << 5);

    /// Whether a CONNECT with this protocol level is accepted.
    #[inline]
    pub fn has(self, level: u8) -> bool {
        level < 8 && self.0 & (1 << level) != 0
    }
}

impl Value for Versions {
    fn read(raw: &DeValue<'_>, _: &Spec) -> Result<Self, Problem> {
        let list = raw.as_array().ok_or_else(|| Problem::with(raw))?;
        let mut set = Self(0);
        for item in list.iter() {
            match integer(item.get_ref()) {
                Some(level @ 3..=5) => set.0 |= 1 << level,
                _ => return Err(Problem::with(item.get_ref())),
            }
        }
        if set.0 == 0 {
            return Err(Problem { given: "empty".into(), meant: None });
        }
        Ok(set)
    }

    fn show(&self) -> Option<String> {
        let levels: Vec<_> =
            (3..=5).filter(|level| self.has(*level)).map(|level| level.to_string()).collect();
        Some(format!("[{}]", levels.join(", ")))
    }

    fn allowed(_: &Spec) -> String {
        "a list of 3 (MQTT 3.1), 4 (MQTT 3.1.1) and 5 (MQTT 5.0), such as [4, 5]".into()
    }
}

//! The types of options whose values are words.

use toml::de::DeValue;

use super::value::{Problem, Spec, Value, integer, one_of, split_words, word};

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
                match (raw.as_str(), $crate::config::value::integer(raw)) {
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

pub(super) use words;

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

    fn read_line(rest: &str, _: &Spec) -> Result<Self, Problem> {
        let mut set = Self(0);
        for word in split_words(rest) {
            match word {
                "3" | "4" | "5" => set.0 |= 1 << (word.as_bytes()[0] - b'0'),
                _ => return Err(Problem { given: format!("\"{word}\""), meant: None }),
            }
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

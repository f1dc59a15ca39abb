//! The histograms of a run, by what they time.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::measure::{Latency, Summary};

use super::merge::Merge;

/// What a histogram times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyKind {
    /// TCP connection begun to connected.
    TcpConnect,
    /// TLS handshake begun to complete.
    TlsHandshake,
    /// CONNECT written to CONNACK read.
    Connack,
    /// SUBSCRIBE written to SUBACK read.
    Suback,
    /// PUBLISH of QoS 1 written to PUBACK read.
    Puback,
    /// PUBLISH of QoS 2 written to PUBREC read.
    Pubrec,
    /// PUBLISH of QoS 2 written to PUBCOMP read.
    Pubcomp,
    /// Intended time of a publication to its arrival at a subscriber.
    EndToEnd,
    /// SUBSCRIBE written to a Retained Message read.
    Retained,
    /// Intended time of a publication to the moment the generator turned to it: its own lateness.
    ScheduleLag,
    /// The generator's poll returned to the read of what had arrived: how long it waited for the
    /// generator.
    ReceiveLag,
}

impl LatencyKind {
    /// All, in the order of a connection's life.
    pub const ALL: [Self; 11] = [
        Self::TcpConnect,
        Self::TlsHandshake,
        Self::Connack,
        Self::Suback,
        Self::Puback,
        Self::Pubrec,
        Self::Pubcomp,
        Self::EndToEnd,
        Self::Retained,
        Self::ScheduleLag,
        Self::ReceiveLag,
    ];

    /// Whether it times the generator itself: such a figure says nothing of the broker.
    pub fn is_own(self) -> bool {
        matches!(self, Self::ScheduleLag | Self::ReceiveLag)
    }

    /// The name in a result file.
    pub fn key(self) -> &'static str {
        match self {
            Self::TcpConnect => "tcp_connect",
            Self::TlsHandshake => "tls_handshake",
            Self::Connack => "connack",
            Self::Suback => "suback",
            Self::Puback => "puback",
            Self::Pubrec => "pubrec",
            Self::Pubcomp => "pubcomp",
            Self::EndToEnd => "end_to_end",
            Self::Retained => "retained",
            Self::ScheduleLag => "schedule_lag",
            Self::ReceiveLag => "receive_lag",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::TcpConnect => "TCP connect",
            Self::TlsHandshake => "TLS handshake",
            Self::Connack => "CONNACK",
            Self::Suback => "SUBACK",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubcomp => "PUBCOMP",
            Self::EndToEnd => "end to end",
            Self::Retained => "retained",
            Self::ScheduleLag => "schedule lag",
            Self::ReceiveLag => "receive lag",
        }
    }

    /// The kind of that name.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }
}

/// A histogram for each kind; those that were never recorded take no memory.
#[derive(Clone, Debug, Default)]
pub struct Latencies([Option<Box<Latency>>; LatencyKind::ALL.len()]);

impl Latencies {
    /// Records one latency in nanoseconds.
    #[inline]
    pub fn record_ns(&mut self, kind: LatencyKind, latency_ns: u64) {
        self.0[kind as usize].get_or_insert_default().record_ns(latency_ns);
    }

    /// The histogram of a kind, if anything was recorded.
    pub fn of(&self, kind: LatencyKind) -> Option<&Latency> {
        self.0[kind as usize].as_deref().filter(|latency| !latency.is_empty())
    }

    /// Percentiles of a kind.
    pub fn summary(&self, kind: LatencyKind) -> Option<Summary> {
        self.of(kind).and_then(Latency::summary)
    }

    /// The kinds with values, and their histograms.
    pub fn iter(&self) -> impl Iterator<Item = (LatencyKind, &Latency)> {
        LatencyKind::ALL.into_iter().filter_map(|kind| Some((kind, self.of(kind)?)))
    }
}

impl PartialEq for Latencies {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Merge for Latencies {
    fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            match (mine, theirs) {
                (_, None) => {}
                (mine @ None, theirs) => *mine = theirs,
                (Some(mine), Some(theirs)) => mine.merge(*theirs),
            }
        }
    }
}

/// A histogram as it stands in a file. Only the histogram is read again.
#[derive(Serialize)]
struct Written {
    #[serde(flatten)]
    summary: Option<Summary>,
    histogram: String,
}

#[derive(Deserialize)]
struct Stored {
    histogram: String,
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, latency) in self.iter() {
            let written = Written { summary: latency.summary(), histogram: latency.to_base64() };
            map.serialize_entry(kind.key(), &written)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = BTreeMap::<String, Stored>::deserialize(deserializer)?;
        let mut latencies = Self::default();
        for (key, Stored { histogram }) in stored {
            // A kind that a later version adds is none that this one could compare.
            let Some(kind) = LatencyKind::of_key(&key) else { continue };
            let latency = Latency::from_base64(&histogram)
                .map_err(|error| D::Error::custom(format!("{key}.histogram: {error}")))?;
            latencies.0[kind as usize] = Some(Box::new(latency));
        }
        Ok(latencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_key() {
        for (index, kind) in LatencyKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert_eq!(LatencyKind::of_key(kind.key()), Some(kind));
        }
    }

    #[test]
    fn what_was_recorded_is_read_again() {
        let mut latencies = Latencies::default();
        latencies.record_ns(LatencyKind::Puback, 5_000);
        latencies.record_ns(LatencyKind::EndToEnd, 7_000);
        let text = serde_json::to_string(&latencies).unwrap();
        assert_eq!(serde_json::from_str::<Latencies>(&text).unwrap(), latencies);
        assert!(!text.contains("connack"), "{text}");
    }

    #[test]
    fn a_damaged_histogram_is_named() {
        let text = r#"{"puback":{"histogram":"?"}}"#;
        let error = serde_json::from_str::<Latencies>(text).unwrap_err().to_string();
        assert!(error.contains("puback.histogram: no base64"), "{error}");
    }
}

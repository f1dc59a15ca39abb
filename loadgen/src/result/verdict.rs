//! Whether a run kept its promises.

use pondhawk::protocol::QoS;
use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::merge::Merge;

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All promises kept.
    Kept,
    /// A promise of the QoS was broken, or clients were lost.
    Broken,
    /// The generator was too slow for the asked rate: the figures say nothing of the broker.
    GeneratorBound,
}

impl Verdict {
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Kept => 0,
            Self::Broken => 1,
            Self::GeneratorBound => 3,
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Kept => "promises kept",
            Self::Broken => "promises broken",
            Self::GeneratorBound => "generator-bound: the figures say nothing of the broker",
        }
    }
}

impl Merge for Verdict {
    /// A broken promise outweighs a slow generator, which outweighs a clean part.
    fn merge(&mut self, other: Self) {
        let weight = |verdict| match verdict {
            Self::Kept => 0,
            Self::GeneratorBound => 1,
            Self::Broken => 2,
        };
        if weight(other) > weight(*self) {
            *self = other;
        }
    }
}

/// The promises that were broken, in words.
///
/// All QoS promise order within a flow. QoS 0 may lose, QoS 1 may repeat, QoS 2 neither
/// [MQTT-4.3.1-1], [MQTT-4.3.2-1], [MQTT-4.3.3-1], [MQTT-4.6.0-5].
pub fn broken_promises(qos: QoS, counts: &Counts) -> Vec<String> {
    let acknowledged = qos != QoS::AtMostOnce;
    let promises = [
        (acknowledged, counts.lost, "messages lost"),
        (qos != QoS::AtLeastOnce, counts.duplicated, "messages duplicated"),
        (true, counts.reordered, "messages out of order"),
        (true, counts.corrupted, "messages corrupted"),
        (true, counts.foreign, "messages that nobody sent"),
        (acknowledged, counts.unacknowledged, "publications never acknowledged"),
        (acknowledged, counts.refused, "publications refused"),
        (true, counts.connections_lost, "connections lost"),
    ];
    let broken = promises.iter().filter(|(promised, count, _)| *promised && *count > 0);
    broken.map(|(_, count, what)| format!("{count} {what}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(qos: QoS, counts: Counts) -> bool {
        !broken_promises(qos, &counts).is_empty()
    }

    #[test]
    fn each_qos_has_its_own_promise() {
        let lost = Counts { lost: 1, ..Counts::default() };
        assert_eq!(
            [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].map(|q| broken(q, lost)),
            [false, true, true]
        );
        let twice = Counts { duplicated: 1, ..Counts::default() };
        assert_eq!(
            [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].map(|q| broken(q, twice)),
            [true, false, true]
        );
        let disorder = Counts { reordered: 1, ..Counts::default() };
        assert!(broken(QoS::AtMostOnce, disorder));
    }

    #[test]
    fn a_clean_run_breaks_nothing() {
        assert!(!broken(QoS::ExactlyOnce, Counts::default()));
    }

    #[test]
    fn a_stall_alone_breaks_nothing() {
        assert!(!broken(QoS::AtMostOnce, Counts { stalls: 3, lost: 3, ..Counts::default() }));
    }
}

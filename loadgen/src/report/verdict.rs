//! Whether a run kept its promises.

use pondhawk::protocol::QoS;
use serde::Serialize;

use crate::client::Integrity;

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
}

/// The promises that were broken, in words.
///
/// All QoS promise order within a flow. QoS 0 may lose, QoS 1 may repeat, QoS 2 neither
/// [MQTT-4.3.1-1], [MQTT-4.3.2-1], [MQTT-4.3.3-1], [MQTT-4.6.0-5].
pub fn broken_promises(qos: QoS, integrity: &Integrity) -> Vec<String> {
    let acknowledged = qos != QoS::AtMostOnce;
    let promises = [
        (acknowledged, integrity.lost, "messages lost"),
        (qos != QoS::AtLeastOnce, integrity.duplicated, "messages duplicated"),
        (true, integrity.reordered, "messages out of order"),
        (true, integrity.foreign, "messages that nobody sent"),
        (acknowledged, integrity.unacknowledged, "publications never acknowledged"),
        (acknowledged, integrity.refused, "publications refused"),
        (true, integrity.connections_lost, "connections lost"),
    ];
    let broken = promises.iter().filter(|(promised, count, _)| *promised && *count > 0);
    broken.map(|(_, count, what)| format!("{count} {what}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(qos: QoS, integrity: Integrity) -> bool {
        !broken_promises(qos, &integrity).is_empty()
    }

    #[test]
    fn each_qos_has_its_own_promise() {
        let lost = Integrity { lost: 1, ..Integrity::default() };
        assert_eq!(
            [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].map(|q| broken(q, lost)),
            [false, true, true]
        );
        let twice = Integrity { duplicated: 1, ..Integrity::default() };
        assert_eq!(
            [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].map(|q| broken(q, twice)),
            [true, false, true]
        );
        let disorder = Integrity { reordered: 1, ..Integrity::default() };
        assert!(broken(QoS::AtMostOnce, disorder));
    }

    #[test]
    fn a_clean_run_breaks_nothing() {
        assert!(!broken(QoS::ExactlyOnce, Integrity::default()));
    }

    #[test]
    fn a_stall_alone_breaks_nothing() {
        assert!(!broken(QoS::AtMostOnce, Integrity { stalls: 3, lost: 3, ..Integrity::default() }));
    }
}

//! What one thread measures.

use serde::Serialize;

use crate::measure::Latency;

use super::board::Totals;

/// Histograms and counts of one thread, merged when the run is over.
#[derive(Debug)]
pub struct Recorder {
    /// Intended time to arrival at the subscriber.
    pub end_to_end: Latency,
    /// Intended time to the moment the generator turned to the message: its own lateness.
    pub schedule_lag: Latency,
    /// CONNECT written to CONNACK read, TCP handshake included.
    pub connect: Latency,
    /// PUBLISH written to PUBACK or PUBCOMP read.
    pub acknowledge: Latency,
    /// Counts published to other threads.
    pub totals: Totals,
    /// Counts only of interest at the end.
    pub integrity: Integrity,
    /// The first few reasons for which connections ended.
    pub complaints: Vec<String>,
}

/// Most complaints kept per thread.
const MAX_COMPLAINTS: usize = 8;

/// Whether messages arrived as they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Integrity {
    /// Deliveries that should have happened and did not.
    pub lost: u64,
    /// Deliveries that happened again.
    pub duplicated: u64,
    /// Deliveries that came after a later one of the same flow.
    pub reordered: u64,
    /// Messages that no publisher of this run sent to that subscriber.
    pub foreign: u64,
    /// Publications never acknowledged.
    pub unacknowledged: u64,
    /// Publications that the broker refused with a reason code.
    pub refused: u64,
    /// Times a publisher gave up on missing deliveries to go on in a closed loop.
    pub stalls: u64,
    /// Connections refused or lost.
    pub connections_lost: u64,
}

impl Recorder {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self {
            end_to_end: Latency::new(),
            schedule_lag: Latency::new(),
            connect: Latency::new(),
            acknowledge: Latency::new(),
            totals: Totals::default(),
            integrity: Integrity::default(),
            complaints: Vec::new(),
        }
    }

    /// Counts a connection that ended, and why.
    pub fn connection_lost(&mut self, why: String) {
        self.totals.ended += 1;
        self.integrity.connections_lost += 1;
        if self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(why);
        }
    }

    /// Adds what another thread measured.
    pub fn merge(&mut self, other: Self) {
        self.end_to_end.merge(other.end_to_end);
        self.schedule_lag.merge(other.schedule_lag);
        self.connect.merge(other.connect);
        self.acknowledge.merge(other.acknowledge);
        self.complaints.extend(other.complaints);
        self.complaints.truncate(MAX_COMPLAINTS);
        let (sum, add) = (&mut self.integrity, other.integrity);
        sum.lost += add.lost;
        sum.duplicated += add.duplicated;
        sum.reordered += add.reordered;
        sum.foreign += add.foreign;
        sum.unacknowledged += add.unacknowledged;
        sum.refused += add.refused;
        sum.stalls += add.stalls;
        sum.connections_lost += add.connections_lost;
    }
}

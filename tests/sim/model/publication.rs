//! A message that the broker has taken.

use super::time::Moment;

/// One Application Message, from the moment that the broker has handled its PUBLISH, or has
/// published it as a Will. A Client that sends a QoS 1 message again makes another of the same
/// `mid`.
#[derive(Clone, Debug)]
pub struct Publication {
    pub mid: u32,
    pub topic: String,
    pub qos: u8,
    pub retain: bool,
    pub empty: bool,
    /// Message Expiry Interval as published.
    pub expiry_s: Option<u32>,
    /// Monotonic ms.
    pub expires_at_ms: Option<u64>,
    /// The session that published it.
    pub publisher: usize,
    /// The shard that handled it.
    pub shard: usize,
    /// It was handled at some moment from here...
    pub from: Moment,
    /// ...to here; the same but for Wills, which are sent within a turn.
    pub to: Moment,
    /// Bytes of topic and payload.
    pub size: usize,
    /// It has the User Property with its `mid`: the publisher speaks version 5.
    pub tagged: bool,
    /// Clients that may not be sent it.
    pub denied: Vec<usize>,
}

/// What the broker may spend on keeping a message beyond its topic, properties and payload.
const OVERHEAD: usize = 64;

impl Publication {
    /// Bytes that a copy of it may count for in a queue: no fewer than it does.
    pub fn cost(&self) -> usize {
        let tag = 5 + 1 + self.mid.to_string().len();
        self.size + tag + OVERHEAD
    }
}

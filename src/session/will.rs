//! The Will Message of a session.

use crate::protocol::Message;

/// A Will Message with its Will Delay Interval.
#[derive(Clone, Debug)]
pub struct Will {
    /// The message to publish. Its expiry, if any, counts from publication.
    pub message: Message,
    /// Will Delay Interval in seconds.
    pub delay_s: u32,
    /// Message Expiry Interval in seconds, applied when the Will is published.
    pub message_expiry_s: Option<u32>,
}

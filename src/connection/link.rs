//! The outgoing side of a connection.

use super::{AliasLearner, CommitQueue};
use crate::config::ListenerRuntime;
use crate::protocol::{Message, Version};
use crate::sync::Arc;
use crate::util::{Key, OutBuf};

/// A large payload sent by reference.
#[derive(Clone, Debug)]
pub struct PayloadRef(pub Message);

impl AsRef<[u8]> for PayloadRef {
    fn as_ref(&self) -> &[u8] {
        self.0.payload()
    }
}

/// What goes out on a connection, and within which of the Client's limits.
#[derive(Debug)]
pub struct Link {
    /// Bytes not yet written to the socket.
    pub out: OutBuf<PayloadRef>,
    /// Acknowledgements that wait for an answer.
    pub commits: Option<Box<CommitQueue>>,
    /// Aliases towards the Client, if it takes any.
    pub aliases: Option<Box<AliasLearner>>,
    /// The session served, once CONNECT is through.
    pub session: Option<Key>,
    /// The listener, if it has a mount point: topics are shown without it.
    pub mounted: Option<Arc<ListenerRuntime>>,
    /// Largest packet the Client takes, in bytes [MQTT-3.1.2-24].
    pub maximum_packet_size: u32,
    /// QoS 1 and 2 messages that may be in flight: the lower of the Client's Receive Maximum
    /// and the broker's own limit.
    pub send_quota: u16,
    /// Unsent bytes when last counted.
    pub counted: usize,
    /// Protocol version of the Client.
    pub version: Version,
    /// The last write was cut short; the socket will say when it takes more.
    pub blocked: bool,
    /// Stands in the shard's list of connections to flush.
    pub dirty: bool,
    /// Nothing may be added any more.
    pub closing: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            out: OutBuf::default(),
            commits: None,
            aliases: None,
            session: None,
            mounted: None,
            maximum_packet_size: u32::MAX,
            send_quota: 0,
            counted: 0,
            version: Version::V311,
            blocked: false,
            dirty: false,
            closing: false,
        }
    }
}

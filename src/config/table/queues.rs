//! Options about messages on their way to a Client.

use crate::config::Config;
use crate::config::options::{Spec, options};
use crate::config::words::QueueFullPolicy;

options! {
    /// Queues: what waits for one Client.
    struct Queues(config: Config => config.queues);

    /// How many QoS 1 and QoS 2 messages may be under way to one Client. An MQTT 5 Client's
    /// Receive Maximum lowers it. With 1 messages arrive in strict order.
    max_inflight_messages: i64 = 20,
        Spec::between(0, 65_535).unit("messages").zero("no limit but the protocol's"),
        Applied, Mosquitto;

    /// How many bytes of QoS 1 and QoS 2 messages may be under way to one Client. A larger
    /// message still goes alone.
    max_inflight_bytes: i64 = 0, Spec::between(0, i64::MAX).unit("bytes").zero("no limit"),
        Applied, Mosquitto;

    /// How many messages may wait for one Client beside those under way.
    max_queued_messages: i64 = 1000,
        Spec::between(0, 4_294_967_294).unit("messages").zero("no limit"), Applied, Mosquitto;

    /// How many bytes of messages may wait for one Client beside those under way. Whichever of
    /// the two queue limits is met first counts.
    max_queued_bytes: i64 = 0, Spec::between(0, i64::MAX).unit("bytes").zero("no limit"),
        Applied, Mosquitto;

    /// Whether QoS 0 messages are kept for a Client that is not connected.
    queue_qos0_messages: bool = false, Spec::ANY, Applied, Mosquitto;

    /// Whether a message goes out with the QoS of the subscription even where it was published
    /// with a lower one. MQTT does not allow for that.
    upgrade_outgoing_qos: bool = false, Spec::ANY, Applied, Mosquitto;

    /// What gives way when a queue is full: the new message, the oldest one, or the Client.
    queue_full_policy: QueueFullPolicy = QueueFullPolicy::DropNewest, Spec::ANY, Applied, Pondhawk;

    /// Unsent output of a connection above which QoS 0 messages to it are dropped.
    max_qos0_buffer_bytes: i64 = 1 << 20,
        Spec::between(0, i64::MAX).unit("bytes").zero("no limit"), Applied, Pondhawk;
}

//! The one list of what is measured.

/// Whether a value only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// What a value is called and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Name without prefix or unit suffix conventions of any one exporter.
    pub name: &'static str,
    /// One sentence without a full stop.
    pub help: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
}

/// Calls the macro `$callback` with every `Kind name "help"` line.
///
/// Order is the order of export. Counters of dropped messages are apart, in
/// [`super::DropReason`].
macro_rules! for_each_metric {
    ($callback:ident) => {
        $callback! {
            Counter bytes_received "Bytes read from clients";
            Counter bytes_sent "Bytes written to clients";
            Counter messages_received "Control Packets received";
            Counter messages_sent "Control Packets sent";
            Counter publish_received_qos0 "PUBLISH packets received with QoS 0";
            Counter publish_received_qos1 "PUBLISH packets received with QoS 1";
            Counter publish_received_qos2 "PUBLISH packets received with QoS 2";
            Counter publish_sent_qos0 "PUBLISH packets sent with QoS 0";
            Counter publish_sent_qos1 "PUBLISH packets sent with QoS 1";
            Counter publish_sent_qos2 "PUBLISH packets sent with QoS 2";
            Counter publish_bytes_received "Payload bytes of PUBLISH packets received";
            Counter publish_bytes_sent "Payload bytes of PUBLISH packets sent";
            Counter publish_redelivered "PUBLISH packets sent again with DUP set";
            Counter connections_opened "Network connections accepted";
            Counter connections_closed "Network connections that ended";
            Gauge connections "Network connections open";
            Gauge clients_connected "Clients past CONNACK";
            Gauge connections_paused "Connections not read because a mailbox they feed is full";
            Counter connects_refused "CONNECT packets answered with a refusal";
            Counter passwords_checked "Passwords handed over to be checked";
            Counter passwords_remembered "Passwords found right without a check, shortly after one";
            Counter passwords_refused_busy "CONNECTs refused since too many passwords waited";
            Counter connects_timed_out "Connections closed for want of a complete CONNECT";
            Counter connects_taken_over "Connections ended because their Client connected again";
            Counter keep_alive_expired "Connections closed for want of traffic";
            Counter wills_sent "Will Messages published";
            Counter accept_errors "Failures to accept a connection";
            Counter connections_refused "Connections closed at once for a limit";
            Counter accepts_refused "Connections closed at once for want of file descriptors";
            Counter transport_refused "Connections closed before MQTT: PROXY, TLS, WebSocket";
            Counter protocol_errors "Connections closed for a breach of the protocol";
            Counter receive_maximum_exceeded "Clients that broke the Receive Maximum";
            Gauge sessions "Sessions held, connected or not";
            Gauge session_bytes "Bytes of sessions, without their queues";
            Counter sessions_expired "Sessions ended by their expiry interval";
            Gauge subscriptions "Subscriptions, shared ones included";
            Gauge subscriptions_shared "Shared subscriptions";
            Gauge subscription_bytes "Bytes of subscription tables";
            Gauge retained_messages "Retained Messages held";
            Gauge retained_from_clients "Retained Messages held that are not the broker's own";
            Gauge retained_bytes "Bytes of Retained Messages held";
            Gauge queued_messages "Messages waiting in sessions' rings";
            Gauge queued_bytes "Bytes waiting in sessions' rings";
            Gauge inflight_messages "Messages sent at QoS 1 or 2 whose exchange is not over";
            Gauge inflight_bytes "Bytes kept of them, to be sent again";
            Gauge output_bytes "Bytes waiting for clients' sockets";
            Gauge connection_bytes "Bytes of connections, without what waits in them";
            Gauge cache_bytes "Bytes of routes remembered and of buffers kept for later use";
            Gauge transport_bytes "Bytes held below MQTT: TLS sessions, partial records and frames";
            Gauge input_bytes "Bytes of incomplete packets held for connections";
            Counter mailbox_pushes "Batches pushed to other shards";
            Counter mailbox_commands "Commands taken from the mailbox";
            Counter wakes_sent "Sleeping shards woken";
            Counter reads "Read calls on sockets";
            Counter writes "Write calls on sockets";
            Counter turns "Turns of the event loop";
        }
    };
}

pub(super) use for_each_metric;

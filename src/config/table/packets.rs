//! Options about what a single connection may send.

use crate::config::Config;
use crate::config::options::{Spec, options};

options! {
    /// Packets: sizes and flow control.
    struct Packets(config: Config => config.packets);

    /// The largest Control Packet accepted, counted as the whole packet and told to MQTT 5
    /// Clients. A Client that sends a larger one is disconnected.
    max_packet_size: i64 = 0,
        Spec::between(20, 268_435_460).unit("bytes").zero("no limit but the protocol's"),
        Applied, Mosquitto;

    /// The largest payload of a message. A larger one is acknowledged, with 0x95 in MQTT 5, and
    /// goes no further.
    message_size_limit: i64 = 0,
        Spec::between(0, 268_435_455).unit("bytes").zero("no limit"), Applied, Mosquitto;

    /// How many QoS 1 and QoS 2 messages an MQTT 5 Client may have under way to the broker.
    receive_maximum: Option<i64> = None,
        Spec::between(1, 65_535).unit("messages").unset("the same as `max_inflight_messages`"),
        Applied, Pondhawk;

    /// Whether a Client that exceeds the Receive Maximum is disconnected (reason code 0x93). When
    /// false its messages are accepted and counted, with a warning for each connection.
    strict: bool = false, Spec::ANY, Applied, Pondhawk;

    /// How many User Properties a packet may carry.
    max_user_properties: i64 = 1000,
        Spec::between(0, 65_535).unit("properties"), Applied, Pondhawk;

    /// The largest header of an HTTP request on a WebSocket listener.
    websockets_headers_size: i64 = 4096,
        Spec::between(1024, 65_535).unit("bytes"), Applied, Mosquitto;
}

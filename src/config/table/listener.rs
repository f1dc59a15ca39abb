//! Options of one listener.

use crate::config::options::{Spec, options};
use crate::config::words::Versions;

options! {
    /// A listener: an address that Clients connect to.
    struct Listener(listener: Listener => listener);

    /// The TCP port. With 0 the system picks one, which the log names.
    port: i64 = 1883, Spec::between(0, 65_535), Restart, Mosquitto, flag "-p, --port";

    /// The address or host name to listen on.
    bind_address: Option<String> = None,
        Spec::bytes_long(1, 255).unset("every address of the machine, IPv4 and IPv6"),
        Restart, Mosquitto;

    /// How many connections the listener may have at a time; -1 and 0 mean no limit.
    max_connections: i64 = -1,
        Spec::between(-1, 4_294_967_294).unit("connections"), Restart, Mosquitto;

    /// The highest QoS a Client may publish with; subscriptions above it are lowered to it.
    max_qos: i64 = 2, Spec::between(0, 2), Restart, Mosquitto;

    /// How many Topic Aliases an MQTT 5 Client may set.
    max_topic_alias: i64 = 10, Spec::between(0, 65_535).unit("aliases"), Restart, Mosquitto;

    /// How many Topic Aliases the broker sets towards an MQTT 5 Client that allows as many.
    max_topic_alias_broker: i64 = 10,
        Spec::between(0, 65_535).unit("aliases"), Restart, Mosquitto;

    /// The protocol versions accepted.
    accept_protocol_versions: Versions = Versions::ALL, Spec::ANY, Restart, Mosquitto;
}

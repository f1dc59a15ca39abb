//! Options of one listener.

use super::{Access, Tls, Web};
use crate::config::options::{Spec, options};
use crate::config::words::{ListenerProtocol, SocketDomain, Versions};

options! {
    /// A listener: an address that Clients connect to.
    struct Listener(listener: Listener => listener) with {
        /// Who may connect.
        access: Access,
        /// TLS.
        tls: Tls,
        /// WebSocket, HTTP and proxies.
        web: Web,
    };

    /// The TCP port. With 0 the system picks one, which the log names.
    port: i64 = 1883, Spec::between(0, 65_535), Applied, Mosquitto, flag "-p, --port";

    /// The address or host name to listen on.
    bind_address: Option<String> = None,
        Spec::bytes_long(1, 255).unset("every address of the machine"),
        Applied, Mosquitto;

    /// The Unix domain socket to listen on, instead of a port.
    unix_socket: Option<String> = None,
        // The system's own limit on such names.
        Spec::bytes_long(1, 107).unset("TCP"), Applied, Pondhawk;

    /// The permissions of the Unix domain socket, best written in octal such as `0o660`.
    unix_socket_mode: Option<i64> = None,
        Spec::between(0, 0o777).unset("0o777, everybody who can reach the directory"),
        Applied, Pondhawk;

    /// The network interface that connections have to come in by.
    bind_interface: Option<String> = None,
        // IFNAMSIZ without its final null.
        Spec::bytes_long(1, 15).unset("any"), Applied, Mosquitto;

    /// Which addresses are listened on where `bind_address` does not say.
    socket_domain: SocketDomain = SocketDomain::Both, Spec::ANY, Applied, Mosquitto;

    /// What connections speak.
    protocol: ListenerProtocol = ListenerProtocol::Mqtt, Spec::ANY, Applied, Mosquitto;

    /// How many connections the listener may have at a time; -1 and 0 mean no limit.
    max_connections: i64 = -1,
        Spec::between(-1, 4_294_967_294).unit("connections"), Applied, Mosquitto;

    /// The highest QoS a Client may publish with; subscriptions above it are lowered to it.
    max_qos: i64 = 2, Spec::between(0, 2), Applied, Mosquitto;

    /// How many Topic Aliases an MQTT 5 Client may set.
    max_topic_alias: i64 = 10, Spec::between(0, 65_535).unit("aliases"), Applied, Mosquitto;

    /// How many Topic Aliases the broker sets towards an MQTT 5 Client that allows as many.
    max_topic_alias_broker: i64 = 10,
        Spec::between(0, 65_535).unit("aliases"), Applied, Mosquitto;

    /// The protocol versions accepted.
    accept_protocol_versions: Versions = Versions::ALL, Spec::ANY, Applied, Mosquitto;
}

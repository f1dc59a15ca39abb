//! Options about who may connect and how.

use crate::config::Config;
use crate::config::options::{Spec, options};
use crate::config::value::Expiry;

options! {
    /// Clients: CONNECT, keep alive, session lifetime.
    struct Clients(config: Config => config.clients);

    /// How long a connection may take from being accepted to a complete CONNECT.
    connect_timeout: i64 = 10, Spec::between(1, 3600).unit("seconds"), Applied, Pondhawk;

    /// The largest CONNECT accepted, counted as the whole packet.
    max_connect_packet_size: i64 = 100_000,
        Spec::between(64, 268_435_460).unit("bytes"), Applied, Pondhawk;

    /// How many connections of one address may wait for their CONNECT to complete.
    max_unauthenticated_per_address: i64 = 0,
        Spec::between(0, 4_294_967_294).unit("connections").zero("no limit"), Applied, Pondhawk;

    /// The longest Keep Alive. An MQTT 5 Client that asks for more, or for none, is told this one
    /// as Server Keep Alive; an older one is refused.
    max_keepalive: i64 = 0, Spec::between(0, 65_535).unit("seconds").zero("no limit"),
        Applied, Mosquitto;

    /// How many connections the broker may have at a time; -1 and 0 mean no limit.
    global_max_connections: i64 = -1,
        Spec::between(-1, 4_294_967_294).unit("connections"), Applied, Mosquitto;

    /// How many Sessions the broker may have, of connected Clients and of others; -1 and 0 mean no
    /// limit. Beyond it a Client without a Session is refused.
    global_max_clients: i64 = -1,
        Spec::between(-1, 4_294_967_294).unit("Sessions"), Applied, Mosquitto;

    /// How long the Session of a Client that is not connected is kept. It caps the Session Expiry
    /// Interval of MQTT 5 Clients and ends the Sessions of older ones.
    persistent_client_expiration: Expiry = Expiry(None), Spec::ANY, Applied, Mosquitto;

    /// Another server to name to MQTT 5 Clients that are refused or sent away.
    server_reference: Option<String> = None,
        Spec::bytes_long(1, 1024).unset("none is named"), Applied, Pondhawk;

    /// What MQTT 5 Clients that request Response Information get.
    response_information: Option<String> = None,
        Spec::bytes_long(1, 1024).unset("none is sent"), Applied, Pondhawk;
}

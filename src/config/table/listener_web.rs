//! Options of one listener about WebSocket and proxies in front of it.

use super::Listener;
use super::security::PATH_MAX;
use crate::config::lists::{Networks, Texts};
use crate::config::options::{Spec, options};
use crate::config::words::ProxyVersion;

options! {
    /// WebSocket, HTTP and proxies of a listener.
    struct Web(listener: Listener => listener.web);

    /// The values of the Origin header that WebSocket Clients may come with.
    websockets_origin: Texts = Texts::default(),
        Spec::bytes_long(1, 4096).unset("any, and none"), Applied, Mosquitto;

    /// The directory whose files answer plain HTTP requests on a WebSocket listener.
    http_dir: Option<String> = None,
        Spec::bytes_long(1, PATH_MAX).unset("such requests are refused"), Applied, Mosquitto;

    /// The proxies whose X-Forwarded-For header is believed.
    websockets_trusted_proxies: Networks = Networks::default(),
        Spec::ANY.unset("none: the address is that of the connection"), Applied, Pondhawk;

    /// The PROXY protocol header that every connection must begin with.
    enable_proxy_protocol: Option<ProxyVersion> = None,
        Spec::ANY.unset("none is expected"), Applied, Mosquitto;

    /// The proxies that may send it; connections from elsewhere are closed.
    proxy_protocol_trusted: Networks = Networks::default(),
        Spec::ANY.unset("every address, as in Mosquitto"), Applied, Pondhawk;

    /// Whether a connection is closed whose PROXY header, version 2, does not say that the Client
    /// came over TLS.
    proxy_protocol_v2_require_tls: bool = false, Spec::ANY, Applied, Mosquitto;
}

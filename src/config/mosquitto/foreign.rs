//! Mosquitto's options that have no place in our table, and what becomes of each.

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has no meaning here: one warning.
    Meaningless,
    /// The start is refused.
    Refused,
    /// This value is what happens anyway; any other one gets a warning.
    Always(&'static str),
    /// This value is what happens anyway; with any other one the start is refused.
    Must(&'static str),
    /// It belongs to persistence, which has its own warning.
    Persistence,
    /// It belongs to a bridge; refused once for each bridge.
    Bridge,
    /// It belongs to a plugin; refused once for each plugin.
    Plugin,
}

/// An option without a place in our table.
pub struct Foreign {
    /// Mosquitto's name; one that ends in `_` is the beginning of names.
    pub name: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// Why, as a sentence.
    pub why: &'static str,
    /// What to do instead, as a sentence; empty where there is nothing to do.
    pub mend: &'static str,
}

const fn other(name: &'static str, fate: Fate, why: &'static str, mend: &'static str) -> Foreign {
    Foreign { name, fate, why, mend }
}

const fn bridge(name: &'static str) -> Foreign {
    other(name, Fate::Bridge, BRIDGE, BRIDGE_MEND)
}

const fn plugin(name: &'static str) -> Foreign {
    other(name, Fate::Plugin, PLUGIN, PLUGIN_MEND)
}

const fn stored(name: &'static str) -> Foreign {
    other(name, Fate::Persistence, "This version keeps state in memory only", "")
}

const BRIDGE: &str = "This version has no bridges";
const BRIDGE_MEND: &str = "Remove the bridge and run one beside the broker, for example with \
                           mosquitto, until a version has them";
const PLUGIN: &str = "This version loads no plugins, dynamic security included";
const PLUGIN_MEND: &str = "Remove the plugin with its options; password_file and acl_file say who \
                           may connect and do what";
const PSK: &str = "TLS with pre-shared keys is not offered by the TLS library";
const PSK_MEND: &str = "Use certificates: certfile, keyfile and, for clients, cafile with \
                        require_certificate";
const ENGINE: &str = "Keys are read from PEM files; there are no OpenSSL engines";
const ENGINE_MEND: &str = "Export the key to a PEM file and name it with keyfile";

const DH: &str = "Diffie-Hellman parameters are chosen by the TLS library";
const CONTROL: &str = "This version has no $CONTROL topics";
const LOG_ENTRIES: &str = "Log lines go out as they come; none are kept back";
const RETRY: &str = "Messages are sent again when the Client comes back, as MQTT 5 demands, and \
                     never by time";
const NODELAY: &str = "TCP_NODELAY is always set: what a turn writes is gathered into one segment \
                       already, so holding it back would only delay it";
const STORE: &str = "What nobody needs any more is freed at once";
const WEB_LOG: &str = "It sets the log of a library that is not used here; log_type covers \
                       WebSocket connections too";

/// Every one, in the order of their names.
pub const FOREIGN: [Foreign; 73] = [
    bridge("address"),
    bridge("addresses"),
    plugin("auth_opt_"),
    plugin("auth_plugin"),
    plugin("auth_plugin_deny_special_chars"),
    stored("autosave_interval"),
    stored("autosave_on_changes"),
    bridge("bridge_alpn"),
    bridge("bridge_attempt_unsubscribe"),
    bridge("bridge_bind_address"),
    bridge("bridge_cafile"),
    bridge("bridge_capath"),
    bridge("bridge_certfile"),
    bridge("bridge_ciphers"),
    bridge("bridge_ciphers_tls1.3"),
    bridge("bridge_identity"),
    bridge("bridge_insecure"),
    bridge("bridge_keyfile"),
    bridge("bridge_max_packet_size"),
    bridge("bridge_max_topic_alias"),
    bridge("bridge_outgoing_retain"),
    bridge("bridge_protocol_version"),
    bridge("bridge_psk"),
    bridge("bridge_receive_maximum"),
    bridge("bridge_reload_type"),
    bridge("bridge_require_ocsp"),
    bridge("bridge_session_expiry_interval"),
    bridge("bridge_tcp_keepalive"),
    bridge("bridge_tcp_user_timeout"),
    bridge("bridge_tls_use_os_certs"),
    bridge("bridge_tls_version"),
    bridge("cleansession"),
    bridge("clientid"),
    bridge("connection"),
    other("dhparamfile", Fate::Meaningless, DH, ""),
    other("enable_control_api", Fate::Must("false"), CONTROL, "Remove it"),
    plugin("global_plugin"),
    bridge("idle_timeout"),
    bridge("keepalive_interval"),
    bridge("local_cleansession"),
    bridge("local_clientid"),
    bridge("local_password"),
    bridge("local_username"),
    other("max_log_entries", Fate::Meaningless, LOG_ENTRIES, ""),
    bridge("notification_topic"),
    bridge("notifications"),
    bridge("notifications_local_only"),
    bridge("password"),
    stored("persistence_file"),
    stored("persistence_location"),
    plugin("plugin"),
    plugin("plugin_load"),
    plugin("plugin_opt_"),
    plugin("plugin_use"),
    other("psk_file", Fate::Refused, PSK, PSK_MEND),
    other("psk_hint", Fate::Refused, PSK, PSK_MEND),
    bridge("remote_clientid"),
    bridge("remote_password"),
    bridge("remote_username"),
    bridge("restart_timeout"),
    other("retry_interval", Fate::Meaningless, RETRY, ""),
    bridge("round_robin"),
    other("set_tcp_nodelay", Fate::Always("true"), NODELAY, ""),
    bridge("start_type"),
    other("store_clean_interval", Fate::Meaningless, STORE, ""),
    bridge("threshold"),
    other("tls_engine", Fate::Refused, ENGINE, ENGINE_MEND),
    other("tls_engine_kpass_sha1", Fate::Refused, ENGINE, ENGINE_MEND),
    other("tls_keyform", Fate::Must("pem"), ENGINE, ENGINE_MEND),
    bridge("topic"),
    bridge("try_private"),
    bridge("username"),
    other("websockets_log_level", Fate::Meaningless, WEB_LOG, ""),
];

/// The entry of that name.
pub fn find(name: &str) -> Option<&'static Foreign> {
    FOREIGN.iter().find(|foreign| match foreign.name.ends_with('_') {
        true => name.starts_with(foreign.name),
        false => name == foreign.name,
    })
}

/// Whether Mosquitto has an option of this name that has no place in our table.
pub fn is_foreign(name: &str) -> bool {
    find(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::{global, of_listeners};

    #[test]
    fn no_name_is_both_ours_and_foreign() {
        let mut ours = global().map(|o| o.name).chain(of_listeners().map(|o| o.name));
        assert_eq!(ours.find(|name| is_foreign(name)), None);
    }

    #[test]
    fn names_are_in_order_and_whoever_is_refused_hears_what_to_do() {
        assert!(FOREIGN.windows(2).all(|pair| pair[0].name < pair[1].name));
        for foreign in &FOREIGN {
            let refused =
                !matches!(foreign.fate, Fate::Meaningless | Fate::Always(_) | Fate::Persistence);
            assert_eq!(refused, !foreign.mend.is_empty(), "{}", foreign.name);
        }
    }
}

//! Mosquitto's spellings and their places.

/// Mosquitto's names that differ from ours, or that Mosquitto has replaced itself.
pub const ALIASES: [(&str, &str); 6] = [
    ("ciphers_tls1.3", "ciphers_tls13"),
    ("listener_allow_anonymous", "allow_anonymous"),
    ("listener_auto_id_prefix", "auto_id_prefix"),
    ("maximum_qos", "max_qos"),
    ("packet_buffer_size", "websockets_headers_size"),
    ("retained_persistence", "persistence"),
];

/// Old spellings, and what is written today.
pub const OLD: [(&str, &str); 4] = [
    ("bind_address", "'listener PORT ADDRESS'"),
    ("maximum_qos", "'max_qos'"),
    ("port", "'listener PORT'"),
    ("retained_persistence", "'persistence'"),
];

/// The rules that belong to the whole broker, or to a listener with `per_listener_settings`.
pub const RULES: [&str; 5] = [
    "acl_file",
    "allow_anonymous",
    "allow_zero_length_clientid",
    "auto_id_prefix",
    "password_file",
];

/// The same for one listener, whatever `per_listener_settings` says.
pub const LISTENER_RULES: [&str; 2] = ["listener_allow_anonymous", "listener_auto_id_prefix"];

/// Options of a listener that need a line `listener` above them; others make a default listener.
pub const NEED_LISTENER: [&str; 11] = [
    "accept_protocol_versions",
    "cafile",
    "disable_client_cert_date_checks",
    "enable_proxy_protocol",
    "http_dir",
    "max_topic_alias",
    "max_topic_alias_broker",
    "mount_point",
    "proxy_protocol_v2_require_tls",
    "tls_version",
    "websockets_origin",
];

/// Texts that a second line replaces; a second line of any other text is a mistake.
pub const REPLACED: [&str; 10] = [
    "acl_file",
    "cafile",
    "capath",
    "ciphers",
    "ciphers_tls13",
    "clientid_prefixes",
    "crlfile",
    "mount_point",
    "password_file",
    "user",
];

/// Numbers of which a negative one means what 0 does.
pub const NEGATIVE_IS_ZERO: [&str; 4] =
    ["max_inflight_bytes", "max_inflight_messages", "max_queued_bytes", "max_queued_messages"];

/// Whether an option has to stand below a line `listener`.
pub fn needs_listener(name: &str) -> bool {
    LISTENER_RULES.contains(&name) || (!RULES.contains(&name) && NEED_LISTENER.contains(&name))
}

/// Our name of an option that Mosquitto calls `name`.
pub fn ours(name: &str) -> &str {
    ALIASES.iter().find(|(theirs, _)| *theirs == name).map_or(name, |(_, ours)| ours)
}

/// What is written today instead of an old spelling.
pub fn today(name: &str) -> Option<&'static str> {
    OLD.iter().find(|(old, _)| *old == name).map(|(_, today)| *today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::{global, of_listeners};

    #[test]
    fn every_name_here_is_one_of_the_table() {
        let known = |name: &str| {
            global().any(|option| option.name == name)
                || of_listeners().any(|option| option.name == name)
        };
        let named = ALIASES.iter().map(|(_, ours)| ours);
        let named = named.chain(&RULES).chain(&NEED_LISTENER).chain(&REPLACED);
        for name in named.chain(&NEGATIVE_IS_ZERO) {
            assert!(known(name), "{name}");
        }
    }
}

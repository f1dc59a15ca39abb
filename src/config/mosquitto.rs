//! Knowing Mosquitto's configuration format and option names when they turn up.

use super::table::{global, of_listeners};

/// Mosquitto's options that have no counterpart here (yet), so that a message can say so.
const OTHER_OPTIONS: &[&str] = &[
    "address",
    "addresses",
    "auth_plugin",
    "auth_plugin_deny_special_chars",
    "autosave_interval",
    "autosave_on_changes",
    "bridge_alpn",
    "bridge_attempt_unsubscribe",
    "bridge_bind_address",
    "bridge_cafile",
    "bridge_capath",
    "bridge_certfile",
    "bridge_identity",
    "bridge_insecure",
    "bridge_keyfile",
    "bridge_max_packet_size",
    "bridge_outgoing_retain",
    "bridge_protocol_version",
    "bridge_psk",
    "bridge_require_ocsp",
    "bridge_tls_version",
    "ciphers_tls1.3",
    "cleansession",
    "clientid",
    "connection",
    "dhparamfile",
    "enable_control_api",
    "global_max_clients",
    "global_max_connections",
    "global_plugin",
    "idle_timeout",
    "include_dir",
    "keepalive_interval",
    "listener_allow_anonymous",
    "listener_auto_id_prefix",
    "local_cleansession",
    "local_clientid",
    "local_password",
    "local_username",
    "message_size_limit",
    "notification_topic",
    "notifications",
    "notifications_local_only",
    "packet_buffer_size",
    "persistence",
    "persistence_file",
    "persistence_location",
    "pid_file",
    "plugin",
    "psk_file",
    "psk_hint",
    "remote_clientid",
    "remote_password",
    "remote_username",
    "restart_timeout",
    "retain_expiry_interval",
    "round_robin",
    "set_tcp_nodelay",
    "start_type",
    "threshold",
    "topic",
    "try_private",
    "upgrade_outgoing_qos",
    "user",
    "websockets_log_level",
];

/// Whether Mosquitto has an option of this name that Pondhawk has not.
pub(super) fn is_unsupported(name: &str) -> bool {
    OTHER_OPTIONS.contains(&name)
        || ["plugin_opt_", "auth_opt_"].iter().any(|start| name.starts_with(start))
}

/// The first line in Mosquitto's format, `option value` without an equals sign, and its number.
pub(super) fn first_line(text: &str) -> Option<(usize, &str)> {
    text.lines().zip(1..).map(|(line, number)| (number, line.trim())).find(|(_, line)| {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        !value.trim_start().starts_with('=') && (is_known(name) || is_unsupported(name))
    })
}

fn is_known(name: &str) -> bool {
    name == "listener"
        || global().any(|option| option.name == name)
        || of_listeners().any(|option| option.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_lines_are_told_from_toml() {
        assert_eq!(first_line("# x\n\nlistener 1883\n"), Some((3, "listener 1883")));
        assert_eq!(first_line("password_file /etc/p"), Some((1, "password_file /etc/p")));
        assert_eq!(first_line("plugin_opt_x y"), Some((1, "plugin_opt_x y")));
        for toml in ["[[listener]]\nport = 1883", "max_qos=1", "max_qos = 1", "who knows"] {
            assert_eq!(first_line(toml), None, "{toml}");
        }
    }

    #[test]
    fn no_name_is_both_ours_and_unsupported() {
        assert_eq!(OTHER_OPTIONS.iter().find(|name| is_known(name)), None);
    }
}

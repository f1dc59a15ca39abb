//! Options about who may connect and what they may do.

use crate::config::Config;
use crate::config::options::{Spec, options};

/// The longest name of a file in bytes, as Linux has it.
pub(super) const PATH_MAX: i64 = 4095;

options! {
    /// Security: who may connect, and do what.
    struct Security(config: Config => config.security);

    /// Whether Clients without credentials are accepted.
    allow_anonymous: Option<bool> = None,
        Spec::ANY.unset("true while no listener is configured, false as soon as one is"),
        Applied, Mosquitto;

    /// The file with user names and hashes of passwords.
    password_file: Option<String> = None,
        Spec::bytes_long(1, PATH_MAX).unset("none"), Applied, Mosquitto;

    /// The file that says who may publish and subscribe to what. With one, whatever it does not
    /// grant is refused.
    acl_file: Option<String> = None,
        Spec::bytes_long(1, PATH_MAX).unset("none: whoever may connect may use every topic"),
        Applied, Mosquitto;

    /// Whether each listener has its own `allow_anonymous`, `allow_zero_length_clientid`,
    /// `auto_id_prefix`, `password_file` and `acl_file` and takes none of the global ones.
    per_listener_settings: bool = false, Spec::ANY, Applied, Mosquitto;

    /// Whether an empty Client Identifier is accepted; the broker then makes one.
    allow_zero_length_clientid: bool = true, Spec::ANY, Applied, Mosquitto;

    /// What Client Identifiers made by the broker begin with.
    auto_id_prefix: String = "auto-".into(), Spec::bytes_long(0, 50), Applied, Mosquitto;

    /// What every Client Identifier has to begin with.
    clientid_prefixes: Option<String> = None,
        Spec::bytes_long(1, 65_535).unset("anything is accepted"), Applied, Mosquitto;

    /// Whether a Retained Message is sent only while the Client that retained it may still publish
    /// to its topic.
    check_retain_source: bool = true, Spec::ANY, Applied, Mosquitto;

    /// Whether a Session belongs to the user who made it: another user, or none, who connects with
    /// its Client Identifier is refused. When false the newcomer takes it over, whoever it is.
    bind_sessions_to_users: bool = true, Spec::ANY, Applied, Pondhawk;
}

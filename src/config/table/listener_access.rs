//! Options of one listener about who may connect to it.

use super::Listener;
use super::security::PATH_MAX;
use crate::config::options::{Spec, options};

options! {
    /// Who may connect to a listener. What is not set is as in the global options, or, with
    /// `per_listener_settings`, as their default says.
    struct Access(listener: Listener => listener.access);

    /// Whether Clients without credentials are accepted on this listener.
    allow_anonymous: Option<bool> = None,
        Spec::ANY.unset("the global one; with `per_listener_settings` false"), Applied, Mosquitto;

    /// The file with user names and hashes of passwords for this listener.
    password_file: Option<String> = None,
        Spec::bytes_long(1, PATH_MAX).unset("the global one; with `per_listener_settings` none"),
        Applied, Mosquitto;

    /// The file that says who may publish and subscribe to what through this listener.
    acl_file: Option<String> = None,
        Spec::bytes_long(1, PATH_MAX).unset("the global one; with `per_listener_settings` none"),
        Applied, Mosquitto;

    /// Whether an empty Client Identifier is accepted on this listener.
    allow_zero_length_clientid: Option<bool> = None,
        Spec::ANY.unset("the global one; with `per_listener_settings` true"), Applied, Mosquitto;

    /// What Client Identifiers made by the broker for this listener begin with.
    auto_id_prefix: Option<String> = None,
        Spec::bytes_long(0, 50).unset("the global one; with `per_listener_settings` `auto-`"),
        Applied, Mosquitto;

    /// Whether the User Name becomes the Client Identifier. Clients without one are refused.
    use_username_as_clientid: bool = false, Spec::ANY, Applied, Mosquitto;

    /// What is put in front of every topic that Clients of this listener use, and taken off what
    /// they are sent.
    mount_point: Option<String> = None,
        Spec::bytes_long(1, 65_535).unset("topics are as the Clients say"), Applied, Mosquitto;
}

//! Under which ClientId a Client is known.

use super::{Close, Host};
use crate::auth::Identity;
use crate::config::ListenerRuntime;
use crate::protocol::{Connect, ReasonCode, Version};

/// A ClientId and where it comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientName<'a> {
    /// The Client's own, or its User Name in place of it.
    Given(&'a str),
    /// Found by the broker, since the Client sent none; version 5 is told [MQTT-3.2.2-16].
    Assigned(String),
}

impl ClientName<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Given(name) => name,
            Self::Assigned(name) => name,
        }
    }

    pub(super) fn assigned(&self) -> Option<&str> {
        match self {
            Self::Given(_) => None,
            Self::Assigned(name) => Some(name),
        }
    }
}

/// Chooses the ClientId by the listener's rules, and refuses one that they exclude.
pub(super) fn choose<'a, H: Host>(
    listener: &ListenerRuntime,
    host: &mut H,
    connect: &Connect<'a>,
    identity: &'a Identity,
) -> Result<ClientName<'a>, Close> {
    let name = if listener.use_username_as_client_id {
        let Some(username) = identity.username.as_deref() else {
            let what = "no user name to take as client identifier";
            return Err(Close::refused(ReasonCode::NOT_AUTHORIZED, what));
        };
        match connect.client_id.is_empty() {
            true => ClientName::Assigned(username.into()),
            false => ClientName::Given(username),
        }
    } else if !connect.client_id.is_empty() {
        ClientName::Given(connect.client_id)
    } else if may_assign(connect, listener.security.allow_zero_length_client_id) {
        ClientName::Assigned(generate(host.random(), &listener.security.auto_id_prefix))
    } else {
        ClientName::Given("")
    };
    if name.as_str().is_empty() {
        // [MQTT-3.1.3-8], [MQTT-3.1.3-9]
        let reason = ReasonCode::CLIENT_IDENTIFIER_NOT_VALID;
        return Err(Close::refused(reason, "empty client identifier"));
    }
    let prefix = host.config().client_id_prefix.as_deref();
    if prefix.is_some_and(|prefix| !name.as_str().starts_with(prefix)) {
        let what = "client identifier without the prefix asked for";
        return Err(Close::refused(ReasonCode::NOT_AUTHORIZED, what));
    }
    Ok(name)
}

fn may_assign(connect: &Connect<'_>, allowed: bool) -> bool {
    match connect.version {
        Version::V5 => allowed,
        Version::V311 => allowed && connect.clean_start,
        Version::V31 => false,
    }
}

/// A UUID-shaped random identifier behind the configured prefix, as Mosquitto makes it.
fn generate(random: u128, prefix: &str) -> String {
    let hex = format!("{random:032X}");
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("{prefix}{a}-{b}-{c}-{d}-{e}")
}

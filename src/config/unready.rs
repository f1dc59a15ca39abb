//! Options that this build reads but cannot carry out yet: a configuration that uses one is
//! refused rather than half obeyed.

use super::error::Mistake;
use super::schema::Config;
use super::table::Listener;
use super::words::ListenerProtocol;

/// Every use of such an option.
pub(super) fn unready(config: &Config) -> Vec<Mistake> {
    let mut found = Vec::new();
    let mut check = |used: bool, option: &str| {
        if used {
            found.push(Mistake {
                file: String::new(),
                line: 0,
                option: option.into(),
                what: format!("option '{option}' cannot be carried out by this build"),
                mend: "Remove it, or wait for a later version".into(),
            });
        }
    };
    let security = &config.security;
    check(security.password_file.is_some(), "password_file");
    check(security.acl_file.is_some(), "acl_file");
    check(security.clientid_prefixes.is_some(), "clientid_prefixes");
    for listener in &config.listeners {
        of_listener(listener, &mut check);
    }
    found
}

fn of_listener(listener: &Listener, check: &mut impl FnMut(bool, &str)) {
    let Listener { access, tls, web, .. } = listener;
    check(access.password_file.is_some(), "password_file");
    check(access.acl_file.is_some(), "acl_file");
    check(access.use_username_as_clientid, "use_username_as_clientid");
    check(access.mount_point.is_some(), "mount_point");
    check(listener.unix_socket.is_some(), "unix_socket");
    check(listener.protocol == ListenerProtocol::Websockets, "protocol");
    check(*tls != Default::default(), "certfile");
    check(*web != Default::default(), "enable_proxy_protocol");
}

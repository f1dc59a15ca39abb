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
    for listener in &config.listeners {
        of_listener(listener, &mut check);
    }
    found
}

fn of_listener(listener: &Listener, check: &mut impl FnMut(bool, &str)) {
    let Listener { tls, web, .. } = listener;
    check(listener.unix_socket.is_some(), "unix_socket");
    check(listener.protocol == ListenerProtocol::Websockets, "protocol");
    check(*tls != Default::default(), "certfile");
    check(*web != Default::default(), "enable_proxy_protocol");
}

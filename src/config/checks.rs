//! What options have to be like in the light of each other, whatever format they came from.

use super::places::{Fault, LISTENER};
use super::schema::Config;
use super::table::{Listener, Tls};
use super::words::ProxyVersion;

/// Everything that is wrong.
pub(super) fn check(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, listener) in config.listeners.iter().enumerate() {
        let mut report = |option: &'static str, what: &str, mend: &str| {
            let (what, mend) = (what.into(), mend.into());
            faults.push(Fault { listener: Some(index), option, what, mend });
        };
        certificates(&listener.tls, &mut report);
        proxies(listener, &mut report);
        socket(listener, &mut report);
        if config.listeners[..index].iter().any(|other| same_socket(other, listener)) {
            let (what, mend) = taken(listener);
            report(LISTENER, &what, mend);
        }
    }
    faults
}

type Report<'r> = dyn FnMut(&'static str, &str, &str) + 'r;

fn certificates(tls: &Tls, report: &mut Report<'_>) {
    let (chains, keys) = (tls.certfile.0.len(), tls.keyfile.0.len());
    if chains != keys {
        let option = if chains == 0 { "keyfile" } else { "certfile" };
        report(
            option,
            &format!("{chains} certfile and {keys} keyfile do not make pairs"),
            "Name a keyfile for each certfile, in the same order",
        );
    }
    if chains > 0 || keys > 0 {
        let trusts = tls.cafile.is_some() || tls.capath.is_some();
        if tls.require_certificate && !trusts {
            report(
                "require_certificate",
                "require_certificate has no authority to check certificates against",
                "Name one with cafile or capath",
            );
        }
        return;
    }
    for (option, set) in [
        ("cafile", tls.cafile.is_some()),
        ("capath", tls.capath.is_some()),
        ("crlfile", tls.crlfile.is_some()),
        ("ciphers", tls.ciphers.is_some()),
        ("ciphers_tls13", tls.ciphers_tls13.is_some()),
    ] {
        if set {
            report(
                option,
                &format!("option '{option}' is set on a listener without TLS"),
                "Add certfile and keyfile, or remove it",
            );
        }
    }
}

fn proxies(listener: &Listener, report: &mut Report<'_>) {
    let Listener { web, tls, .. } = listener;
    let Some(version) = web.enable_proxy_protocol else {
        let unused = [
            ("proxy_protocol_trusted", !web.proxy_protocol_trusted.0.is_empty()),
            ("proxy_protocol_v2_require_tls", web.proxy_protocol_v2_require_tls),
        ];
        for (option, _) in unused.into_iter().filter(|(_, set)| *set) {
            let what = format!("option '{option}' is set without enable_proxy_protocol");
            report(option, &what, "Add enable_proxy_protocol, or remove it");
        }
        if tls.certfile.0.is_empty() {
            without_tls(tls, report);
        }
        return;
    };
    if !tls.certfile.0.is_empty() {
        report(
            "enable_proxy_protocol",
            "a listener with the PROXY protocol cannot have TLS of its own",
            "Let the proxy end TLS, or remove certfile and keyfile",
        );
    }
    if tls.use_subject_as_username {
        report(
            "use_subject_as_username",
            "a PROXY header does not carry the subject of a certificate",
            "Use use_identity_as_username, or remove it",
        );
    }
    if version == ProxyVersion::V1 {
        without_tls(tls, report);
        if web.proxy_protocol_v2_require_tls {
            report(
                "proxy_protocol_v2_require_tls",
                "version 1 of the PROXY protocol does not say whether the client came over TLS",
                "Use enable_proxy_protocol 2",
            );
        }
    }
}

/// Certificates of clients are known through TLS, or a PROXY header of version 2.
fn without_tls(tls: &Tls, report: &mut Report<'_>) {
    for (option, set) in [
        ("require_certificate", tls.require_certificate),
        ("use_identity_as_username", tls.use_identity_as_username),
        ("use_subject_as_username", tls.use_subject_as_username),
    ] {
        if set {
            report(
                option,
                &format!("option '{option}' needs TLS, which this listener has not"),
                "Add certfile and keyfile, or remove it",
            );
        }
    }
}

fn socket(listener: &Listener, report: &mut Report<'_>) {
    if listener.unix_socket.is_some() {
        for (option, set) in [
            ("bind_address", listener.bind_address.is_some()),
            ("bind_interface", listener.bind_interface.is_some()),
        ] {
            if set {
                let what = format!("option '{option}' has no meaning for a Unix domain socket");
                report(option, &what, "Remove it, or unix_socket");
            }
        }
    } else if listener.unix_socket_mode.is_some() {
        report(
            "unix_socket_mode",
            "option 'unix_socket_mode' is set on a listener without unix_socket",
            "Add unix_socket, or remove it",
        );
    }
    let mount_point = listener.access.mount_point.as_deref().unwrap_or("");
    if mount_point.contains(['+', '#']) {
        report("mount_point", "option 'mount_point' has a wildcard", "Write it without + and #");
    }
}

fn same_socket(one: &Listener, other: &Listener) -> bool {
    match (&one.unix_socket, &other.unix_socket) {
        (Some(one), Some(other)) => one == other,
        (None, None) => {
            // The system picks another port each time.
            one.port != 0
                && one.port == other.port
                && one.bind_address == other.bind_address
                && one.bind_interface == other.bind_interface
                && one.socket_domain == other.socket_domain
        }
        _ => false,
    }
}

fn taken(listener: &Listener) -> (String, &'static str) {
    match &listener.unix_socket {
        Some(path) => {
            (format!("another listener has {path} already"), "Give each listener its own socket")
        }
        None => (
            format!("another listener has port {} already", listener.port),
            "Give each listener its own port or bind_address",
        ),
    }
}

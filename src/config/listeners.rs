//! A listener as the data plane reads it.

use std::path::PathBuf;
use std::sync::Arc;

use super::lists::Network;
use super::runtime::limit32;
use super::schema::Config;
use super::table::{Listener, Tls};
use super::words::{ListenerProtocol, ProxyVersion, SocketDomain, TlsVersion, Versions};

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerRuntime {
    /// Its number; a listener keeps it over reloads, and no other one gets it.
    pub id: u32,
    /// Where it binds.
    pub bind: Bind,
    /// The TCP port; 0 lets the system pick.
    pub port: u16,
    /// The permissions of its Unix domain socket, if they are not left to the umask.
    pub unix_socket_mode: Option<u32>,
    /// The network interface it is tied to.
    pub bind_interface: Option<Box<str>>,
    /// The families of addresses it binds.
    pub socket_domain: SocketDomain,
    /// What its connections speak.
    pub protocol: ListenerProtocol,
    /// Connections at a time; `u32::MAX` is no limit.
    pub max_connections: u32,
    /// Maximum QoS, 0 to 2.
    pub max_qos: u8,
    /// Topic Alias Maximum told to Clients.
    pub topic_alias_maximum: u16,
    /// Topic Aliases the broker sets, if the Client allows as many.
    pub topic_alias_maximum_out: u16,
    /// Protocol versions accepted.
    pub versions: Versions,
    /// Who may connect and do what. Listeners with the same rules share it.
    pub security: Arc<SecurityRuntime>,
    /// Whether the User Name becomes the Client Identifier.
    pub use_username_as_client_id: bool,
    /// What is put in front of topics.
    pub mount_point: Option<Box<str>>,
    /// What of the Client's certificate becomes its User Name.
    pub identity: Identity,
    /// TLS, if the listener has it.
    pub tls: Option<TlsRuntime>,
    /// WebSocket and HTTP.
    pub websocket: WebRuntime,
    /// The PROXY protocol, if the listener expects it.
    pub proxy_protocol: Option<ProxyRuntime>,
}

/// Which addresses a listener binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Every address, IPv4 and IPv6.
    Any,
    /// 127.0.0.1 and, where there is one, ::1.
    Loopback,
    /// An address or a host name.
    Host(Box<str>),
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// Who may connect, and do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityRuntime {
    /// Whether Clients without credentials are accepted.
    pub allow_anonymous: bool,
    /// User names and hashes of passwords.
    pub password_file: Option<PathBuf>,
    /// Who may publish and subscribe to what.
    pub acl_file: Option<PathBuf>,
    /// What Client Identifiers made by the broker begin with.
    pub auto_id_prefix: Box<str>,
    /// Whether an empty Client Identifier is accepted.
    pub allow_zero_length_client_id: bool,
}

/// TLS of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRuntime {
    /// The server's certificates; at least one. The first is for Clients that name no server.
    pub certificates: Box<[CertificateFiles]>,
    /// Authorities of Clients' certificates, one file with all.
    pub cafile: Option<PathBuf>,
    /// A directory of authorities.
    pub capath: Option<PathBuf>,
    /// Revoked certificates.
    pub crlfile: Option<PathBuf>,
    /// Whether Clients must show a certificate.
    pub require_certificate: bool,
    /// Whether the dates of Clients' certificates are left aside.
    pub disable_client_cert_date_checks: bool,
    /// The least version.
    pub version: TlsVersion,
    /// Cipher suites of TLS 1.2, as configured.
    pub ciphers: Option<Box<str>>,
    /// Cipher suites of TLS 1.3, as configured.
    pub ciphers_tls13: Option<Box<str>>,
}

/// A certificate chain and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain.
    pub certfile: PathBuf,
    /// The private key.
    pub keyfile: PathBuf,
}

/// What of a Client's certificate becomes its User Name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nothing: the User Name is that of CONNECT.
    None,
    /// The Common Name.
    CommonName,
    /// The Subject.
    Subject,
}

/// WebSocket and HTTP of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebRuntime {
    /// Values of Origin that are accepted; empty is any.
    pub origins: Box<[Box<str>]>,
    /// Files for plain HTTP requests.
    pub http_dir: Option<PathBuf>,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Box<[Network]>,
    /// Bytes that the header of a request may have.
    pub header_bytes: usize,
}

/// The PROXY protocol of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRuntime {
    /// Which header is expected.
    pub version: ProxyVersion,
    /// Who may send one; empty is anyone.
    pub trusted: Box<[Network]>,
    /// Whether the header must say that the Client came over TLS.
    pub require_tls: bool,
    /// Whether the header must say that the Client's certificate was verified.
    pub require_certificate: bool,
}

impl Config {
    pub(super) fn listener_runtimes(&self) -> Box<[Arc<ListenerRuntime>]> {
        let shared = Arc::new(self.global_security());
        let compile = |(id, listener): (u32, &Listener)| {
            let own = self.security_of(listener);
            let security = if own == *shared { Arc::clone(&shared) } else { Arc::new(own) };
            Arc::new(self.listener_runtime(id, listener, security))
        };
        (0..).zip(&self.listeners).map(compile).collect()
    }

    fn global_security(&self) -> SecurityRuntime {
        let security = &self.security;
        SecurityRuntime {
            allow_anonymous: self.allow_anonymous(),
            password_file: security.password_file.as_ref().map(PathBuf::from),
            acl_file: security.acl_file.as_ref().map(PathBuf::from),
            auto_id_prefix: security.auto_id_prefix.as_str().into(),
            allow_zero_length_client_id: security.allow_zero_length_clientid,
        }
    }

    /// With `per_listener_settings` a listener takes nothing of the global settings, else it
    /// takes what it does not set itself.
    fn security_of(&self, listener: &Listener) -> SecurityRuntime {
        let base = match self.security.per_listener_settings {
            true => Self { local_only: self.local_only, ..Self::default() }.global_security(),
            false => self.global_security(),
        };
        let own = &listener.access;
        SecurityRuntime {
            allow_anonymous: own.allow_anonymous.unwrap_or(base.allow_anonymous),
            password_file: own.password_file.as_ref().map(PathBuf::from).or(base.password_file),
            acl_file: own.acl_file.as_ref().map(PathBuf::from).or(base.acl_file),
            auto_id_prefix: own.auto_id_prefix.as_deref().map_or(base.auto_id_prefix, Box::from),
            allow_zero_length_client_id: own
                .allow_zero_length_clientid
                .unwrap_or(base.allow_zero_length_client_id),
        }
    }

    fn listener_runtime(
        &self,
        id: u32,
        listener: &Listener,
        security: Arc<SecurityRuntime>,
    ) -> ListenerRuntime {
        ListenerRuntime {
            id,
            bind: self.bind(listener),
            port: listener.port as u16,
            unix_socket_mode: listener.unix_socket_mode.map(|mode| mode as u32),
            bind_interface: listener.bind_interface.as_deref().map(Box::from),
            socket_domain: listener.socket_domain,
            protocol: listener.protocol,
            max_connections: limit32(listener.max_connections.max(0)),
            max_qos: listener.max_qos as u8,
            topic_alias_maximum: listener.max_topic_alias as u16,
            topic_alias_maximum_out: listener.max_topic_alias_broker as u16,
            versions: listener.accept_protocol_versions,
            security,
            use_username_as_client_id: listener.access.use_username_as_clientid,
            mount_point: listener.access.mount_point.as_deref().map(Box::from),
            identity: identity(&listener.tls),
            tls: tls(&listener.tls),
            websocket: self.web(listener),
            proxy_protocol: proxy(listener),
        }
    }

    fn bind(&self, listener: &Listener) -> Bind {
        match (&listener.unix_socket, &listener.bind_address) {
            (Some(path), _) => Bind::Unix(path.into()),
            (None, Some(host)) => Bind::Host(host.as_str().into()),
            (None, None) if self.local_only => Bind::Loopback,
            (None, None) => Bind::Any,
        }
    }

    fn web(&self, listener: &Listener) -> WebRuntime {
        let web = &listener.web;
        WebRuntime {
            origins: web.websockets_origin.0.iter().map(|origin| origin.as_str().into()).collect(),
            http_dir: web.http_dir.as_ref().map(PathBuf::from),
            trusted_proxies: web.websockets_trusted_proxies.0.as_slice().into(),
            header_bytes: self.packets.websockets_headers_size as usize,
        }
    }
}

fn identity(tls: &Tls) -> Identity {
    match (tls.use_identity_as_username, tls.use_subject_as_username) {
        (true, _) => Identity::CommonName,
        (false, true) => Identity::Subject,
        (false, false) => Identity::None,
    }
}

fn tls(tls: &Tls) -> Option<TlsRuntime> {
    let path = |path: &Option<String>| path.as_ref().map(PathBuf::from);
    let pairs = tls.certfile.paths().into_iter().zip(tls.keyfile.paths());
    let certificates: Box<[_]> =
        pairs.map(|(certfile, keyfile)| CertificateFiles { certfile, keyfile }).collect();
    (!certificates.is_empty()).then(|| TlsRuntime {
        certificates,
        cafile: path(&tls.cafile),
        capath: path(&tls.capath),
        crlfile: path(&tls.crlfile),
        require_certificate: tls.require_certificate,
        disable_client_cert_date_checks: tls.disable_client_cert_date_checks,
        version: tls.tls_version,
        ciphers: tls.ciphers.as_deref().map(Box::from),
        ciphers_tls13: tls.ciphers_tls13.as_deref().map(Box::from),
    })
}

fn proxy(listener: &Listener) -> Option<ProxyRuntime> {
    Some(ProxyRuntime {
        version: listener.web.enable_proxy_protocol?,
        trusted: listener.web.proxy_protocol_trusted.0.as_slice().into(),
        require_tls: listener.web.proxy_protocol_v2_require_tls,
        require_certificate: listener.tls.require_certificate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::lists::Texts;

    fn of(config: &Config) -> Arc<ListenerRuntime> {
        Arc::clone(&config.compile(1).listeners[0])
    }

    #[test]
    fn anonymous_clients_are_for_local_use_unless_configured() {
        let mut config = Config { local_only: true, ..Config::default() };
        config.listeners.push(Listener::default());
        assert!(of(&config).security.allow_anonymous);
        assert_eq!(of(&config).bind, Bind::Loopback);
        config.security.allow_anonymous = Some(false);
        assert!(!of(&config).security.allow_anonymous);
        config.local_only = false;
        assert_eq!(of(&config).bind, Bind::Any);
        config.security.allow_anonymous = Some(true);
        assert!(of(&config).security.allow_anonymous);
    }

    #[test]
    fn listeners_share_the_global_rules_and_may_set_some_of_their_own() {
        let mut config = Config::default();
        config.security.password_file = Some("global".into());
        config.listeners = vec![Listener::default(), Listener::default(), Listener::default()];
        config.listeners[2].access.allow_anonymous = Some(true);
        let listeners = config.compile(1).listeners;
        assert!(Arc::ptr_eq(&listeners[0].security, &listeners[1].security));
        assert!(listeners[2].security.allow_anonymous && !listeners[0].security.allow_anonymous);
        assert_eq!(listeners[2].security.password_file, Some("global".into()));
    }

    #[test]
    fn with_per_listener_settings_a_listener_takes_no_global_rule() {
        let mut config = Config::default();
        config.security.per_listener_settings = true;
        config.security.password_file = Some("global".into());
        config.security.allow_anonymous = Some(true);
        config.security.auto_id_prefix = "global-".into();
        config.security.allow_zero_length_clientid = false;
        config.listeners = vec![Listener::default()];
        let bare = of(&config);
        assert_eq!(bare.security.password_file, None);
        assert!(!bare.security.allow_anonymous);
        assert_eq!(&*bare.security.auto_id_prefix, "auto-");
        assert!(bare.security.allow_zero_length_client_id);
        config.listeners[0].access.acl_file = Some("own".into());
        assert_eq!(of(&config).security.acl_file, Some("own".into()));
    }

    #[test]
    fn a_certificate_turns_tls_on() {
        let mut config = Config { listeners: vec![Listener::default()], ..Config::default() };
        assert_eq!(of(&config).tls, None);
        let tls = &mut config.listeners[0].tls;
        tls.certfile = Texts(vec!["a.pem".into(), "b.pem".into()]);
        tls.keyfile = Texts(vec!["a.key".into(), "b.key".into()]);
        tls.use_subject_as_username = true;
        let listener = of(&config);
        let tls = listener.tls.as_ref().expect("it has TLS");
        assert_eq!(tls.certificates[1].keyfile, PathBuf::from("b.key"));
        assert_eq!(listener.identity, Identity::Subject);
    }
}

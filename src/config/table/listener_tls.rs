//! Options of one listener about TLS.

use super::Listener;
use super::security::PATH_MAX;
use crate::config::lists::Texts;
use crate::config::options::{Spec, options};
use crate::config::words::TlsVersion;

options! {
    /// TLS of a listener; on as soon as there is a certificate.
    struct Tls(listener: Listener => listener.tls);

    /// The server's certificate with its chain, in PEM. Several make a list in the order of
    /// `keyfile`; the Client's Server Name Indication chooses, and the first is for everyone else.
    certfile: Texts = Texts::default(),
        Spec::bytes_long(1, PATH_MAX).unset("no TLS"), Applied, Mosquitto;

    /// The private key of the certificate, in PEM; as many as `certfile` has.
    keyfile: Texts = Texts::default(),
        Spec::bytes_long(1, PATH_MAX).unset("no TLS"), Applied, Mosquitto;

    /// The authorities that Clients' certificates have to come from, in PEM.
    cafile: Option<String> = None,
        Spec::bytes_long(1, PATH_MAX).unset("none"), Applied, Mosquitto;

    /// A directory of such authorities, one file each.
    capath: Option<String> = None,
        Spec::bytes_long(1, PATH_MAX).unset("none"), Applied, Mosquitto;

    /// Revoked certificates, in PEM.
    crlfile: Option<String> = None,
        Spec::bytes_long(1, PATH_MAX).unset("none"), Applied, Mosquitto;

    /// Whether Clients must show a certificate.
    require_certificate: bool = false, Spec::ANY, Applied, Mosquitto;

    /// Whether a Client's certificate counts before it begins and after it has ended.
    disable_client_cert_date_checks: bool = false, Spec::ANY, Applied, Mosquitto;

    /// Whether the Common Name of the Client's certificate becomes the User Name; passwords are
    /// then not looked at.
    use_identity_as_username: bool = false, Spec::ANY, Applied, Mosquitto;

    /// Whether the whole Subject of the Client's certificate becomes the User Name.
    /// `use_identity_as_username` comes first.
    use_subject_as_username: bool = false, Spec::ANY, Applied, Mosquitto;

    /// The oldest version of TLS that is spoken.
    tls_version: TlsVersion = TlsVersion::V12, Spec::ANY, Applied, Mosquitto;

    /// The cipher suites of TLS 1.2 in the order of preference, by their OpenSSL or IANA names
    /// with colons between them.
    ciphers: Option<String> = None,
        Spec::bytes_long(1, 4096).unset("all that the TLS library takes for secure"),
        Applied, Mosquitto;

    /// The cipher suites of TLS 1.3 likewise. Mosquitto's file spells it `ciphers_tls1.3`.
    ciphers_tls13: Option<String> = None,
        Spec::bytes_long(1, 4096).unset("all that the TLS library takes for secure"),
        Applied, Mosquitto;
}

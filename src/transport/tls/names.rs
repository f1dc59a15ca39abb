//! Which certificate a server shows: by the name that the Client asks for (SNI).

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::sync::Arc;

/// One certificate with the names it is for, in lower case.
#[derive(Debug)]
struct Named {
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

/// The certificates of a listener. The first is for those who ask for no name, or for one that
/// none has: Clients that check names refuse it then, and others, as with Mosquitto, may go on.
#[derive(Debug, Default)]
pub(super) struct Certificates(Vec<Named>);

impl Certificates {
    pub(super) fn add(&mut self, key: CertifiedKey) {
        let names = key.cert.first().map(|leaf| names(leaf)).unwrap_or_default();
        self.0.push(Named { names, key: Arc::new(key) });
    }

    /// The best one for a name and for the signatures that the Client can check.
    fn pick(&self, name: Option<&str>, can: impl Fn(&CertifiedKey) -> bool) -> Option<&Named> {
        let has = |one: &&Named| name.is_some_and(|name| one.names.iter().any(|n| fits(n, name)));
        let can = |one: &&Named| can(&one.key);
        let all = || self.0.iter();
        all()
            .filter(has)
            .find(can)
            .or_else(|| all().find(has))
            .or_else(|| all().find(can))
            .or_else(|| all().next())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let can = |key: &CertifiedKey| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.pick(name.as_deref(), can).map(|one| Arc::clone(&one.key))
    }
}

/// The DNS names of a certificate; its common name if it has none.
fn names(leaf: &[u8]) -> Vec<String> {
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return Vec::new() };
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let listed = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let dns = listed.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    let names: Vec<String> = dns.collect();
    if !names.is_empty() {
        return names;
    }
    let common = leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    common.map(str::to_ascii_lowercase).collect()
}

/// Whether a certificate's name, whose first label may be `*`, is for the name asked for.
fn fits(own: &str, asked: &str) -> bool {
    match (own.strip_prefix("*."), asked.split_once('.')) {
        (Some(own), Some((first, rest))) => !first.is_empty() && own == rest,
        _ => own == asked,
    }
}

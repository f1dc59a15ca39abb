//! A listener's TLS, made of its files.

use std::fmt;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::clients::Clients;
use super::names::Certificates;
use super::problem::Problem;
use super::{ciphers, files, subject};
use crate::config::{
    CertificateFiles, Identity, ListenerProtocol, ListenerRuntime, TlsRuntime, TlsVersion,
};
use crate::sync::Arc;
use crate::transport::{Introduction, KeyLog};

/// Session tickets sent after a handshake. A Client has one connection; browsers that want more
/// get one with each.
const TICKETS: usize = 1;

/// See the module's documentation.
pub(in crate::transport) struct Tls {
    config: Arc<ServerConfig>,
    clients: Option<Arc<Clients>>,
    identity: Identity,
    /// Of the options and all that was read.
    digest: [u8; 32],
}

/// Everything read from files, before anything is made of it.
struct Material {
    certificates: Vec<CertifiedKey>,
    clients: Option<Clients>,
    digest: Sha256,
}

impl Tls {
    /// Reads the files. What has not changed since `previous` stays, with its session tickets.
    ///
    /// # Errors
    /// What is wrong, with the option and the file.
    pub(in crate::transport) fn prepare(
        listener: &ListenerRuntime,
        options: &TlsRuntime,
        key_log: &KeyLog,
        previous: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Problem> {
        let provider = Arc::new(provider(options)?);
        let material = Material::read(options, &provider)?;
        let mut digest = material.digest;
        digest.update(format!("{options:?} {:?} {:?}", listener.identity, listener.protocol));
        let digest: [u8; 32] = digest.finalize().into();
        if let Some(previous) = previous.filter(|previous| previous.digest == digest) {
            return Ok(Arc::clone(previous));
        }
        let clients = material.clients.map(Arc::new);
        let verifier: Arc<dyn ClientCertVerifier> = match &clients {
            Some(clients) => Arc::<Clients>::clone(clients),
            None => Arc::new(NoClientAuth),
        };
        let mut certificates = Certificates::default();
        material.certificates.into_iter().for_each(|one| certificates.add(one));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(options))
            .map_err(|error| Problem::of("ciphers", error, "Allow suites of the tls_version"))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(certificates));
        // Tickets hold all that resumption needs; nothing is kept here. Their keys are new with
        // each change of the files, so that a session does not outlive the CA it was opened by.
        config.ticketer =
            ring::Ticketer::new().map_err(|error| Problem::of("certfile", error, ""))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = TICKETS;
        config.alpn_protocols = vec![match listener.protocol {
            ListenerProtocol::Mqtt => b"mqtt".to_vec(),
            ListenerProtocol::Websockets => b"http/1.1".to_vec(),
        }];
        if let Some(key_log) = &key_log.0 {
            config.key_log = Arc::clone(key_log);
        }
        let config = Arc::new(config);
        Ok(Arc::new(Self { config, clients, identity: listener.identity, digest }))
    }

    pub(super) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// Whether a Client with this certificate chain would be let in at that time.
    pub(super) fn accepts(&self, chain: &[CertificateDer<'_>], now_s: u64) -> bool {
        let (Some(clients), Some((leaf, rest))) = (&self.clients, chain.split_first()) else {
            return true;
        };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now_s));
        clients.verify_client_cert(leaf, rest, now).is_ok()
    }

    /// What the listener wants to know of a certificate.
    pub(super) fn introduction(&self, leaf: &CertificateDer<'_>) -> Introduction {
        let mut introduction = Introduction::default();
        match self.identity {
            Identity::None => {}
            Identity::CommonName => introduction.common_name = subject::common_name(leaf),
            Identity::Subject => introduction.subject = subject::subject(leaf),
        }
        introduction
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Material {
    fn read(options: &TlsRuntime, provider: &Arc<CryptoProvider>) -> Result<Self, Problem> {
        let mut digest = Sha256::new();
        let mut certificates = Vec::new();
        for pair in &options.certificates {
            certificates.push(certified(pair, provider, &mut digest)?);
        }
        let clients = match options.require_certificate {
            true => Some(clients(options, provider, &mut digest)?),
            false => None,
        };
        Ok(Self { certificates, clients, digest })
    }
}

fn certified(
    pair: &CertificateFiles,
    provider: &CryptoProvider,
    digest: &mut Sha256,
) -> Result<CertifiedKey, Problem> {
    let chain = files::chain(&pair.certfile)?;
    let key = files::key(&pair.keyfile)?;
    chain.iter().for_each(|one| digest.update(one));
    digest.update(key.secret_der());
    let key = provider.key_provider.load_private_key(key).map_err(|error| {
        let mend = "Use an RSA key of 2048 bits or more, or one of P-256, P-384 or Ed25519";
        Problem::with("keyfile", &pair.keyfile, error, mend)
    })?;
    // Not rustls's own comparison: it wants certificates of version 3, and Clients decide
    // themselves what they accept.
    let (_, own) = X509Certificate::from_der(&chain[0]).map_err(|error| {
        Problem::with("certfile", &pair.certfile, error, "Name a file with a certificate")
    })?;
    if key.public_key().is_some_and(|public| public.as_ref() != own.public_key().raw) {
        let what = format!("is not the key of certfile {}", pair.certfile.display());
        let mend = "Name certificate and key that were made together, in the same order";
        return Err(Problem::with("keyfile", &pair.keyfile, what, mend));
    }
    Ok(CertifiedKey::new(chain, key))
}

fn clients(
    options: &TlsRuntime,
    provider: &Arc<CryptoProvider>,
    digest: &mut Sha256,
) -> Result<Clients, Problem> {
    let (cafile, capath) = (options.cafile.as_deref(), options.capath.as_deref());
    if cafile.is_none() && capath.is_none() {
        let what = "it is not said whose certificates are accepted";
        return Err(Problem::of("require_certificate", what, "Set cafile or capath"));
    }
    let (roots, authorities) = files::roots(cafile, capath)?;
    authorities.iter().for_each(|one| digest.update(one));
    let crls = options.crlfile.as_deref().map(files::crls).transpose()?.unwrap_or_default();
    crls.iter().for_each(|one| digest.update(one));
    let undated = options.disable_client_cert_date_checks;
    Clients::new(roots, authorities, crls, undated, provider).map_err(|error| {
        let crlfile = options.crlfile.as_deref().unwrap_or(std::path::Path::new(""));
        let mend = "Name a file with one list of each CA whose certificates are used";
        Problem::with("crlfile", crlfile, error, mend)
    })
}

fn provider(options: &TlsRuntime) -> Result<CryptoProvider, Problem> {
    let mend = "Name suites that there are, or leave the option out";
    let tls13 = match &options.ciphers_tls13 {
        Some(list) => ciphers::tls13(list).map_err(|e| Problem::of("ciphers_tls1.3", e, mend))?,
        None => ciphers::all_tls13(),
    };
    let tls12 = match &options.ciphers {
        Some(list) => ciphers::tls12(list).map_err(|e| Problem::of("ciphers", e, mend))?,
        None => ciphers::all_tls12(),
    };
    let cipher_suites = tls13.into_iter().chain(tls12).collect();
    Ok(CryptoProvider { cipher_suites, ..ring::default_provider() })
}

fn versions(options: &TlsRuntime) -> &'static [&'static SupportedProtocolVersion] {
    const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
    match options.version {
        TlsVersion::V12 => BOTH,
        TlsVersion::V13 => &BOTH[..1],
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;
    use crate::config::Config;
    use crate::config::table::Listener;

    fn listener() -> ListenerRuntime {
        let config = Config { listeners: vec![Listener::default()], ..Config::default() };
        (*config.compile(1).listeners[0]).clone()
    }

    /// A certificate of its own making, valid in these years, with its key.
    fn write(directory: &Path, name: &str, years: (i32, i32)) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["broker.example".into()]).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        let files = CertificateFiles {
            certfile: directory.join(format!("{name}.crt")),
            keyfile: directory.join(format!("{name}.key")),
        };
        fs::write(&files.certfile, params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(&files.keyfile, key.serialize_pem()).unwrap();
        files
    }

    fn options(files: CertificateFiles) -> TlsRuntime {
        TlsRuntime {
            certificates: Box::new([files]),
            cafile: None,
            capath: None,
            crlfile: None,
            require_certificate: false,
            disable_client_cert_date_checks: false,
            version: TlsVersion::V12,
            ciphers: None,
            ciphers_tls13: None,
        }
    }

    fn prepare(options: &TlsRuntime, last: Option<&Arc<Tls>>) -> Result<Arc<Tls>, Problem> {
        Tls::prepare(&listener(), options, &KeyLog::default(), last)
    }

    #[test]
    fn what_is_wrong_is_named_with_its_option_and_file() {
        let directory = tempfile::tempdir().unwrap();
        let good = write(directory.path(), "good", (2020, 2080));
        let other = write(directory.path(), "other", (2020, 2080));
        let empty = directory.path().join("empty");
        let locked = directory.path().join("locked");
        fs::write(&empty, "").unwrap();
        fs::write(&locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n").unwrap();
        let with = |certfile: &Path, keyfile: &Path| {
            options(CertificateFiles { certfile: certfile.into(), keyfile: keyfile.into() })
        };
        let missing = directory.path().join("missing");
        let base = options(good.clone());
        let clients = TlsRuntime { require_certificate: true, ..base.clone() };
        for (wrong, option, word) in [
            (with(&missing, &good.keyfile), "certfile", "missing"),
            (with(&empty, &good.keyfile), "certfile", "no certificate"),
            (with(&good.certfile, &empty), "keyfile", "no private key"),
            (with(&good.certfile, &locked), "keyfile", "passphrase"),
            (with(&good.certfile, &other.keyfile), "keyfile", "is not the key of"),
            (clients.clone(), "require_certificate", "whose certificates"),
            (TlsRuntime { cafile: Some(empty.clone()), ..clients.clone() }, "cafile", "no CA"),
            (TlsRuntime { ciphers: Some("BEST".into()), ..base.clone() }, "ciphers", "BEST"),
        ] {
            let problem = prepare(&wrong, None).unwrap_err();
            assert_eq!(problem.option, option);
            assert!(problem.what.contains(word) && !problem.mend.is_empty(), "{problem:?}");
        }
        let list = TlsRuntime { cafile: Some(good.certfile), crlfile: Some(empty), ..clients };
        assert_eq!(prepare(&list, None).unwrap_err().option, "crlfile");
    }

    #[test]
    fn what_has_not_changed_stays_with_its_tickets() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(write(directory.path(), "a", (2020, 2080)));
        let first = prepare(&options, None).unwrap();
        assert!(Arc::ptr_eq(&first, &prepare(&options, Some(&first)).unwrap()));
        let newer = TlsRuntime { version: TlsVersion::V13, ..options.clone() };
        assert!(!Arc::ptr_eq(&first, &prepare(&newer, Some(&first)).unwrap()));
        write(directory.path(), "a", (2020, 2081));
        assert!(!Arc::ptr_eq(&first, &prepare(&options, Some(&first)).unwrap()));
    }

    #[test]
    fn dates_of_clients_count_unless_they_are_left_aside() {
        let directory = tempfile::tempdir().unwrap();
        let server = write(directory.path(), "server", (2020, 2080));
        let authorities = directory.path().join("authorities");
        fs::create_dir(&authorities).unwrap();
        let now_s = 1_700_000_000;
        for (years, counts) in [((2020, 2080), true), ((2001, 2002), false), ((2070, 2080), false)]
        {
            let client = write(&authorities, "client", years);
            let chain = files::chain(&client.certfile).unwrap();
            for undated in [false, true] {
                let tls = prepare(
                    &TlsRuntime {
                        // A directory, whatever the names in it.
                        capath: Some(authorities.clone()),
                        require_certificate: true,
                        disable_client_cert_date_checks: undated,
                        ..options(server.clone())
                    },
                    None,
                );
                assert_eq!(tls.unwrap().accepts(&chain, now_s), counts || undated, "{years:?}");
            }
        }
    }
}

//! Certificates made for the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SerialNumber, SigningKey, date_time_ymd,
};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// A certification authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    pub pem: String,
    pub key: String,
    serial: u64,
}

/// What may be wrong with a client's certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    Now,
    Past,
    Future,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A server's certificate for these names.
    pub fn server(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, 1)
    }

    /// A client's certificate.
    pub fn client(&self, name: &str, serial: u64, dates: Dates) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "Lamps, Inc.");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (from, to) = match dates {
            Dates::Now => (2020, 2080),
            Dates::Past => (2019, 2020),
            Dates::Future => (2070, 2080),
        };
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        self.sign(params, serial)
    }

    fn sign(&self, mut params: CertificateParams, serial: u64) -> Identity {
        params.serial_number = Some(SerialNumber::from_slice(&serial.to_be_bytes()));
        let key = KeyPair::generate().expect("a key");
        let pem = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Identity { pem, key: key.serialize_pem(), serial }
    }

    /// A client's certificate of version 1, as `openssl x509 -req` makes it without extensions:
    /// rcgen knows none, so one of version 3 loses what is new in it and is signed again.
    pub fn client_of_version1(&self, name: &str, serial: u64, dates: Dates) -> Identity {
        let identity = self.client(name, serial, dates);
        let newer = CertificateDer::from_pem_slice(identity.pem.as_bytes()).expect("PEM");
        let parts = der_parts(der_content(&newer));
        // The version and the extensions have tags of their own.
        let tbs: Vec<&[u8]> = der_parts(der_content(parts[0]))
            .into_iter()
            .filter(|part| ![0xA0, 0xA3].contains(&part[0]))
            .collect();
        let tbs = der(0x30, &tbs);
        let signature = self.issuer.key().sign(&tbs).expect("a signature");
        let signature = der(0x03, &[&[0][..], &signature]);
        let certificate = der(0x30, &[&tbs, parts[1], &signature]);
        Identity { pem: pem(&certificate), ..identity }
    }

    /// An authority below this one whose own certificate is of version 1, which says of nobody
    /// that he may sign others'.
    pub fn below_of_version1(&self, name: &str) -> Authority {
        let identity = self.client_of_version1(name, 90, Dates::Now);
        let key = KeyPair::from_pem(&identity.key).expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "Lamps, Inc.");
        params.distinguished_name.push(DnType::CommonName, name);
        Authority { issuer: Issuer::new(params, key), pem: identity.pem }
    }

    /// A list that revokes these.
    pub fn crl(&self, revoked: &[&Identity]) -> String {
        let revoked = revoked.iter().map(|one| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&one.serial.to_be_bytes()),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2079, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("a list").pem().expect("PEM")
    }
}

/// An element of DER.
fn der(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let [.., high, low] = content.len().to_be_bytes();
    let length = if content.len() < 128 { vec![low] } else { vec![0x82, high, low] };
    [vec![tag], length, content].concat()
}

/// Where an element's content begins and ends.
fn der_bounds(element: &[u8]) -> (usize, usize) {
    let digits = match element[1] {
        length if length < 128 => return (2, 2 + usize::from(length)),
        digits => usize::from(digits & 0x7F),
    };
    let begin = 2 + digits;
    let length = element[2..begin].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    (begin, begin + length)
}

fn der_content(element: &[u8]) -> &[u8] {
    let (begin, end) = der_bounds(element);
    &element[begin..end]
}

/// The elements inside a content.
fn der_parts(mut content: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while !content.is_empty() {
        let (part, rest) = content.split_at(der_bounds(content).1);
        parts.push(part);
        content = rest;
    }
    parts
}

fn pem(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

impl Identity {
    /// The certificate with one byte of its signature turned.
    pub fn forged(&self) -> Identity {
        let mut der = CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("PEM").to_vec();
        *der.last_mut().expect("it is not empty") ^= 1;
        Identity { pem: pem(&der), ..self.clone() }
    }

    /// Its certificate, and the one of who signed it.
    pub fn with_chain(&self, authority: &Authority) -> Identity {
        Identity { pem: format!("{}{}", self.pem, authority.pem), ..self.clone() }
    }

    /// Writes `name.crt` and `name.key`.
    pub fn write(&self, directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let paths = (directory.join(format!("{name}.crt")), directory.join(format!("{name}.key")));
        fs::write(&paths.0, &self.pem).expect("write");
        fs::write(&paths.1, &self.key).expect("write");
        paths
    }
}

/// How a client speaks TLS.
pub struct Tls<'a> {
    /// Whose servers it trusts.
    pub trusts: &'a str,
    /// What it shows.
    pub shows: Option<&'a Identity>,
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub alpn: &'a [&'a str],
}

impl<'a> Tls<'a> {
    pub fn new(trusts: &'a str) -> Tls<'a> {
        Tls { trusts, shows: None, versions: rustls::DEFAULT_VERSIONS, alpn: &[] }
    }

    pub fn showing(self, identity: &'a Identity) -> Tls<'a> {
        Tls { shows: Some(identity), ..self }
    }

    pub fn config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(self.trusts.as_bytes()) {
            roots.add(root.expect("PEM")).expect("a root");
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(self.versions)
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match self.shows {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.pem.as_bytes());
                let chain = chain.collect::<Result<Vec<_>, _>>().expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
                // Whether certificate and key fit is the server's business to find out.
                let key = ring::sign::any_supported_type(&key).expect("a key");
                let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(8);
        Arc::new(config)
    }
}

//! Which certificates of Clients are accepted.

use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::version1::{self, Authorities};
use crate::sync::Arc;

/// As OpenSSL does it for Mosquitto: the chain has to lead to a trusted CA; with revocation lists
/// the Client's own certificate has to be covered by one that is current, and not on it.
#[derive(Debug)]
pub(super) struct Clients {
    inner: Arc<dyn ClientCertVerifier>,
    authorities: Authorities,
    algorithms: WebPkiSupportedAlgorithms,
    /// Dates don't matter.
    undated: bool,
}

impl Clients {
    /// Certificates from these CAs, less those on the lists.
    ///
    /// # Errors
    /// When a list cannot be used, or there is no CA.
    pub(super) fn new(
        roots: RootCertStore,
        authorities: Vec<CertificateDer<'static>>,
        crls: Vec<CertificateRevocationListDer<'static>>,
        undated: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let algorithms = provider.signature_verification_algorithms;
        let authorities = Authorities::new(authorities, crls.clone());
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let mut builder = builder.only_check_end_entity_revocation();
        if !crls.is_empty() {
            builder = builder.with_crls(crls);
            if !undated {
                builder = builder.enforce_revocation_expiration();
            }
        }
        let inner = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { inner, authorities, algorithms, undated })
    }

    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if is_version1(leaf) {
            self.authorities.check(leaf, now, self.undated)?;
            return Ok(ClientCertVerified::assertion());
        }
        let result = self.inner.verify_client_cert(leaf, chain, now);
        if matches!(&result, Err(Error::InvalidCertificate(CertificateError::BadEncoding)))
            && chain.iter().any(is_version1)
        {
            let why = OtherError(Arc::new(Version1InBetween));
            return Err(Error::InvalidCertificate(CertificateError::Other(why)));
        }
        if !self.undated || result.is_ok() {
            return result;
        }
        // Dates are checked first, so another time has to be named: one at which it was valid.
        let Ok((_, parsed)) = X509Certificate::from_der(leaf) else { return result };
        let validity = parsed.validity();
        let times = [validity.not_before.timestamp(), validity.not_after.timestamp()];
        let times = times.into_iter().filter_map(|seconds| u64::try_from(seconds).ok());
        let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        times
            .map(|seconds| self.inner.verify_client_cert(leaf, chain, at(seconds)))
            .find(Result::is_ok)
            .unwrap_or(result)
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(leaf, chain, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_version1(leaf) {
            return version1::check_signature(message, leaf, signature, &self.algorithms);
        }
        self.inner.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_version1(leaf) {
            return version1::check_signature13(message, leaf, signature, &self.algorithms);
        }
        self.inner.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// OpenSSL takes none in between either: without extensions it does not say that it may sign.
#[derive(Debug, thiserror::Error)]
#[error("a certificate of version 1 between it and its CA; the CA in between needs version 3")]
struct Version1InBetween;

fn is_version1(leaf: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(leaf).is_ok_and(|(_, leaf)| leaf.version() == X509Version::V1)
}

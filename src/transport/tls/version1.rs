//! Certificates of version 1.
//!
//! `openssl x509 -req` without extensions makes them, and so do the tutorials by which many sites
//! gave their Clients certificates. OpenSSL accepts them; rustls's verifier wants version 3. They
//! have no extensions, so that there is little to check: one that a trusted CA itself has signed,
//! within its dates, not revoked.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, SubjectPublicKeyInfoDer, UnixTime,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

/// Signatures over SHA-1: by RSA, and by ECDSA.
const SHA1: [&str; 2] = ["1.2.840.113549.1.1.5", "1.2.840.10045.4.1"];

/// CAs with their revocation lists.
#[derive(Debug)]
pub(super) struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
}

fn refused(error: CertificateError) -> Error {
    Error::InvalidCertificate(error)
}

impl Authorities {
    pub(super) fn new(
        certificates: Vec<CertificateDer<'static>>,
        crls: Vec<CertificateRevocationListDer<'static>>,
    ) -> Self {
        Self { certificates, crls }
    }

    /// Checks a certificate of version 1; `undated`: whatever the time.
    pub(super) fn check(
        &self,
        leaf: &CertificateDer<'_>,
        now: UnixTime,
        undated: bool,
    ) -> Result<(), Error> {
        let (_, leaf) =
            X509Certificate::from_der(leaf).map_err(|_| refused(CertificateError::BadEncoding))?;
        let now = ASN1Time::from_timestamp(now.as_secs().try_into().unwrap_or(i64::MAX))
            .map_err(|_| Error::FailedToGetCurrentTime)?;
        // Nobody should rely on SHA-1 any more.
        let algorithm = leaf.signature_algorithm.algorithm.to_id_string();
        if SHA1.contains(&algorithm.as_str()) {
            return Err(refused(CertificateError::BadSignature));
        }
        let mut error = CertificateError::UnknownIssuer;
        for authority in &self.certificates {
            let Ok((_, authority)) = X509Certificate::from_der(authority) else { continue };
            if authority.subject().as_raw() != leaf.issuer().as_raw() {
                continue;
            }
            if leaf.verify_signature(Some(authority.public_key())).is_err() {
                error = CertificateError::BadSignature;
                continue;
            }
            if !undated {
                dates(&leaf, now)?;
                dates(&authority, now)?;
            }
            return self.revocation(&leaf, &authority, now, undated);
        }
        Err(refused(error))
    }

    fn revocation(
        &self,
        leaf: &X509Certificate<'_>,
        authority: &X509Certificate<'_>,
        now: ASN1Time,
        undated: bool,
    ) -> Result<(), Error> {
        if self.crls.is_empty() {
            return Ok(());
        }
        let mut error = CertificateError::UnknownRevocationStatus;
        for list in &self.crls {
            let Ok((_, list)) = CertificateRevocationList::from_der(list) else { continue };
            if list.issuer().as_raw() != leaf.issuer().as_raw()
                || list.verify_signature(authority.public_key()).is_err()
            {
                continue;
            }
            if !undated && list.next_update().is_some_and(|next| next < now) {
                error = CertificateError::ExpiredRevocationList;
                continue;
            }
            let mut revoked = list.iter_revoked_certificates();
            return match revoked.any(|one| one.raw_serial() == leaf.raw_serial()) {
                true => Err(refused(CertificateError::Revoked)),
                false => Ok(()),
            };
        }
        Err(refused(error))
    }
}

fn dates(certificate: &X509Certificate<'_>, now: ASN1Time) -> Result<(), Error> {
    let validity = certificate.validity();
    if now < validity.not_before {
        return Err(refused(CertificateError::NotValidYet));
    }
    if now > validity.not_after {
        return Err(refused(CertificateError::Expired));
    }
    Ok(())
}

/// Checks a Client's signature in a handshake of TLS 1.2.
pub(super) fn check_signature(
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let (_, leaf) =
        X509Certificate::from_der(leaf).map_err(|_| refused(CertificateError::BadEncoding))?;
    let key = &*leaf.public_key().subject_public_key.data;
    let scheme = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signature.scheme);
    let Some((_, possible)) = scheme else {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    };
    // A key of another kind than the algorithm's is not parsed by it.
    let mut checks =
        possible.iter().map(|one| one.verify_signature(key, message, signature.signature()));
    match checks.any(|checked| checked.is_ok()) {
        true => Ok(HandshakeSignatureValid::assertion()),
        false => Err(refused(CertificateError::BadSignature)),
    }
}

/// Checks a Client's signature in a handshake of TLS 1.3.
pub(super) fn check_signature13(
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let (_, leaf) =
        X509Certificate::from_der(leaf).map_err(|_| refused(CertificateError::BadEncoding))?;
    let key = SubjectPublicKeyInfoDer::from(leaf.public_key().raw);
    verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
}

//! Certificates, keys and revocation lists from PEM files.

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::pem::{Error, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::problem::Problem;

/// For files with the wrong things in them.
const PEM: &str = "Name a file in PEM format (-----BEGIN ...)";

/// Trust anchors, and the certificates that they are of.
type Roots = (RootCertStore, Vec<CertificateDer<'static>>);

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, Problem> {
    let mend = "Name a file that is there and that the broker's user may read";
    fs::read(path).map_err(|error| Problem::with(option, path, error, mend))
}

fn all<T: PemObject>(option: &'static str, path: &Path, pem: &[u8]) -> Result<Vec<T>, Problem> {
    let items: Result<Vec<T>, Error> = T::pem_slice_iter(pem).collect();
    items.map_err(|error| Problem::with(option, path, error, PEM))
}

/// A server's certificate and those that lead to its CA, in this order.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let chain: Vec<CertificateDer<'static>> = all("certfile", path, &read("certfile", path)?)?;
    if chain.is_empty() {
        return Err(Problem::with("certfile", path, "no certificate in PEM format in it", PEM));
    }
    Ok(chain)
}

/// A private key.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    let pem = read("keyfile", path)?;
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => Ok(key),
        Err(_) if String::from_utf8_lossy(&pem).contains("ENCRYPTED") => {
            let what = "the key is protected by a passphrase, which nobody is there to type";
            let mend = "Write it without one (openssl pkey -in old.key -out new.key) and let \
                        only the broker read it";
            Err(Problem::with("keyfile", path, what, mend))
        }
        Err(Error::NoItemsFound) => {
            Err(Problem::with("keyfile", path, "no private key in PEM format in it", PEM))
        }
        Err(error) => Err(Problem::with("keyfile", path, error, PEM)),
    }
}

/// The CAs of a bundle and of a directory, as rustls takes them and as they are.
pub(super) fn roots(cafile: Option<&Path>, capath: Option<&Path>) -> Result<Roots, Problem> {
    let mut roots = RootCertStore::empty();
    let mut all_found = Vec::new();
    if let Some(path) = cafile {
        let found: Vec<CertificateDer<'static>> = all("cafile", path, &read("cafile", path)?)?;
        if roots.add_parsable_certificates(found.iter().cloned()).0 == 0 {
            let what = "no CA certificate in PEM format in it";
            return Err(Problem::with("cafile", path, what, PEM));
        }
        all_found.extend(found);
    }
    if let Some(path) = capath {
        let found = directory(path)?;
        if roots.add_parsable_certificates(found.iter().cloned()).0 == 0 {
            let what = "no file with a CA certificate in it";
            return Err(Problem::with("capath", path, what, PEM));
        }
        all_found.extend(found);
    }
    Ok((roots, all_found))
}

/// The certificates of all files in a directory, whatever their names: OpenSSL wants them named by
/// hashes, and often they stand there under another name, too.
fn directory(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let mend = "Name a directory that is there and that the broker's user may read";
    let entries = fs::read_dir(path).map_err(|error| Problem::with("capath", path, error, mend))?;
    let mut files: Vec<_> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        // Other things may lie there, too.
        let Ok(pem) = fs::read(file) else { continue };
        found.extend(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    }
    found.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    found.dedup();
    Ok(found)
}

/// Revocation lists.
pub(super) fn crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Problem> {
    let crls: Vec<_> = all("crlfile", path, &read("crlfile", path)?)?;
    if crls.is_empty() {
        return Err(Problem::with("crlfile", path, "no revocation list in PEM format in it", PEM));
    }
    Ok(crls)
}

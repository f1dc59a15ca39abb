//! Certificates of a tour: an authority, a server and a client, as `openssl` would make them.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData,
};

/// Files in a directory.
pub struct Pki {
    directory: PathBuf,
    /// The server's public key in DER, for whoever pins it.
    pub server_key: Vec<u8>,
}

impl Pki {
    /// Makes everything.
    pub fn make(directory: &Path) -> Self {
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority(), key).expect("an authority");
        let write = |name: &str, text: &str| {
            fs::write(directory.join(name), text).expect("write a file");
        };
        write("ca.crt", &authority.pem());
        let mut server_key = Vec::new();
        for (name, usage) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let names = ["localhost".to_string(), "127.0.0.1".to_string()];
            let mut parameters = CertificateParams::new(names).expect("names");
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.extended_key_usages.push(usage);
            let key = KeyPair::generate().expect("a key");
            let certificate = parameters.signed_by(&key, &authority).expect("a certificate");
            write(&format!("{name}.crt"), &certificate.pem());
            write(&format!("{name}.key"), &key.serialize_pem());
            if name == "server" {
                server_key = key.subject_public_key_info();
            }
        }
        Self { directory: directory.into(), server_key }
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

fn authority() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "Test authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages.push(KeyUsagePurpose::KeyCertSign);
    parameters
}

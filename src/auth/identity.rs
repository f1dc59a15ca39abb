//! Who a Client is, and what vouches for it.

use super::Credential;
use crate::sync::Arc;

/// What the transport knows about the peer before the first Control Packet: the names in its
/// certificate, or those that a trusted proxy has passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Common Name of the certificate's subject.
    pub common_name: Option<Box<str>>,
    /// The subject as in RFC 2253, most specific part first: `CN=…,OU=…,O=…`.
    pub subject: Option<Box<str>>,
}

/// Which name in the certificate becomes the User Name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateName {
    /// None: User Name and Password count.
    #[default]
    Unused,
    /// The Common Name (`use_identity_as_username`).
    CommonName,
    /// The whole subject (`use_subject_as_username`).
    Subject,
}

impl CertificateName {
    /// The name of this kind that the peer has.
    pub fn of(self, peer: &PeerIdentity) -> Option<&str> {
        match self {
            Self::Unused => None,
            Self::CommonName => peer.common_name.as_deref(),
            Self::Subject => peer.subject.as_deref(),
        }
    }
}

/// What vouches for a Client's name.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Nothing: there is no name, or nobody was asked to prove it.
    None,
    /// The password that this entry of the password file was made from.
    Password(Arc<Credential>),
    /// The certificate of its connection.
    Certificate,
    /// An enhanced authentication method.
    Method,
}

/// Who a Client is. The default is a Client without a name.
#[derive(Clone, Debug)]
pub struct Identity {
    /// User Name, by which the access control list is read; `None` for an anonymous Client.
    pub username: Option<Arc<str>>,
    /// What vouches for it.
    pub proof: Proof,
}

impl Default for Identity {
    fn default() -> Self {
        Self { username: None, proof: Proof::None }
    }
}

impl Identity {
    /// A Client with this name, vouched for by `proof`.
    pub fn new(username: Option<&str>, proof: Proof) -> Self {
        Self { username: username.map(Arc::from), proof }
    }

    /// The name, if something vouches for it. Sessions belong to that: a name that anyone may
    /// give protects nothing.
    pub fn proven(&self) -> Option<&str> {
        match self.proof {
            Proof::None => None,
            Proof::Password(_) | Proof::Certificate | Proof::Method => self.username.as_deref(),
        }
    }
}

/// Who an access control list is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// User Name; `None` for an anonymous Client.
    pub username: Option<&'a str>,
    /// ClientId.
    pub client_id: &'a str,
}

/// Who published a message: kept with Retained Messages, and with Wills until they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// User Name; `None` for an anonymous Client.
    pub username: Option<Arc<str>>,
    /// ClientId.
    pub client_id: Arc<str>,
    /// The listener it came by, whose policy counts.
    pub zone: u32,
}

impl Source {
    /// For the access control list.
    pub fn who(&self) -> Who<'_> {
        Who { username: self.username.as_deref(), client_id: &self.client_id }
    }
}

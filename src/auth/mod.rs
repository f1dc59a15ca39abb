//! Who may connect, and do what. Decisions only: no files, clocks or threads.
//!
//! - [`Policy`] is what a listener lets in and allows, [`Policies`] those of all listeners under
//!   one generation number. They are made from files ([`parse_password_file`],
//!   [`parse_acl_file`]) elsewhere and replaced as a whole.
//! - [`Policy::decide`] judges a CONNECT. Where the answer depends on a password it only says
//!   what to check it against: hashing takes too long for a shard, which hands it to a
//!   [`Verifier`].
//! - [`Acl`] judges topics, [`Decisions`] remembers what it said to one Client.
//! - [`Method`] is enhanced authentication. It keeps its state as bytes that the connection owns,
//!   so that a half-done exchange is plain data.

mod acl;
mod acl_file;
mod decisions;
#[cfg(feature = "broker")]
mod encoded;
mod file;
mod grants;
mod identity;
mod method;
#[cfg(test)]
mod naive;
#[cfg(feature = "broker")]
mod password_file;
mod policy;
mod rules;
mod users;
mod verifier;

pub use acl::Acl;
pub use acl_file::parse_acl_file;
pub use decisions::Decisions;
#[cfg(feature = "broker")]
pub use encoded::{PBKDF2_ITERATIONS, SALT_LEN, Scheme};
pub use file::{FileError, FileWarning};
pub use grants::{Access, Grants};
pub use identity::{CertificateName, Identity, PeerIdentity, Proof, Source, Who};
pub use method::{Method, Methods, Request, Step};
#[cfg(feature = "broker")]
pub use password_file::parse_password_file;
pub use policy::{Attempt, Decision, Policies, Policy, Refusal};
pub use users::{Credential, Users};
pub use verifier::{Busy, Job, Reply, Verifier};

//! TLS with rustls.
//!
//! The control plane prepares a listener's [`Tls`] from files, which may fail; connections then
//! only share it. A [`Session`] is one connection's state: it keeps no buffers of its own.

mod ciphers;
mod clients;
mod files;
mod key_log;
mod names;
mod problem;
mod session;
mod settings;
mod subject;
mod version1;

pub(super) use key_log::KeyLogFile;
pub(super) use session::Session;
pub(super) use settings::Tls;

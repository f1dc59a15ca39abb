//! The users of a password file, their passwords as hashes.

use std::collections::HashMap;

use crate::sync::Arc;

/// One entry's password as the file has it: `$7$…` and the like, found to be well formed.
///
/// Two entries with the same text are the same credential: that is how a reload tells a user
/// whose password has changed without knowing any password.
#[derive(PartialEq, Eq)]
pub struct Credential(Box<str>);

impl Credential {
    /// Keeps an encoded hash that was checked.
    #[cfg(feature = "broker")]
    pub(super) fn new(encoded: &str) -> Self {
        Self(encoded.into())
    }

    /// The encoded hash.
    pub fn encoded(&self) -> &str {
        &self.0
    }
}

/// Says no more than that there is one: hashes don't belong into logs.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// User Name → credential.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Users {
    by_name: HashMap<Box<str>, Arc<Credential>>,
    /// Checked in place of the password of a user that does not exist, so that both take the
    /// same time; the costliest of the file.
    decoy: Option<Arc<Credential>>,
}

impl Users {
    /// Adds a user; false when there is one of that name.
    #[cfg(feature = "broker")]
    pub(super) fn add(&mut self, name: &str, credential: Credential) -> bool {
        if self.by_name.contains_key(name) {
            return false;
        }
        self.by_name.insert(name.into(), Arc::new(credential));
        true
    }

    /// Sets what stands in for users that do not exist.
    #[cfg(feature = "broker")]
    pub(super) fn set_decoy(&mut self, decoy: Credential) {
        self.decoy = Some(Arc::new(decoy));
    }

    /// The credential of a user.
    pub fn find(&self, name: &str) -> Option<&Arc<Credential>> {
        self.by_name.get(name)
    }

    /// What stands in for a user that does not exist; `None` in an empty file.
    pub fn decoy(&self) -> Option<&Arc<Credential>> {
        self.decoy.as_ref()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

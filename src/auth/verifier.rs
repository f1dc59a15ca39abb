//! Checking passwords somewhere else: a shard never hashes.

use super::Credential;
use crate::sync::Arc;

/// A password to check. It owns what it needs: the connection may be gone before the answer.
pub struct Job {
    /// User Name.
    pub username: Box<str>,
    /// The password sent.
    pub password: Box<[u8]>,
    /// What it is checked against.
    pub credential: Arc<Credential>,
    /// False: there is no such user. The work is done all the same, and the answer is no.
    pub known: bool,
    /// Generation of the policies that the credential is from.
    pub generation: u64,
    /// Who gets the answer.
    pub reply: Reply,
}

/// Takes the answer to a [`Job`] to whoever asked. Called at most once; dropping it gives none.
pub struct Reply(Box<dyn FnOnce(bool) + Send>);

impl Reply {
    /// An answer makes `deliver` run, on the thread that answers.
    pub fn new(deliver: impl FnOnce(bool) + Send + 'static) -> Self {
        Self(Box::new(deliver))
    }

    /// Gives the answer: whether the password is right.
    pub fn send(self, right: bool) {
        (self.0)(right);
    }
}

/// Too many passwords wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Checks passwords beside the shards. Every call returns at once.
pub trait Verifier: Send + Sync {
    /// Whether this password of this user was found right a short while ago, under the same
    /// generation of policies and against the same credential.
    fn remembers(&self, username: &str, password: &[u8], of: &Credential, generation: u64) -> bool;

    /// Takes the job; the answer comes by its reply.
    ///
    /// # Errors
    /// [`Busy`] when it has too much to do. The job is dropped without an answer.
    fn submit(&self, job: Job) -> Result<(), Busy>;
}

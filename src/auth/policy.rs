//! The rules in force: who may connect, and what for.

use super::{
    Access, Acl, CertificateName, Credential, Identity, PeerIdentity, Proof, Source, Users,
};
use crate::sync::Arc;

/// What one listener, or all of them, lets in and allows. Everything is allowed by default.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether Clients without a User Name are let in.
    pub allow_anonymous: bool,
    /// The users of the password file; without one nobody's name is checked.
    pub users: Option<Arc<Users>>,
    /// The access control list; without one every topic is open.
    pub acl: Option<Arc<Acl>>,
}

/// A CONNECT, as far as the decision needs it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// User Name.
    pub username: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
    /// What the transport knows of the peer.
    pub peer: Option<&'a PeerIdentity>,
    /// Which name of the peer's certificate counts as its User Name.
    pub certificate_name: CertificateName,
}

/// Why a CONNECT is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// User Name or password are wrong.
    BadCredentials,
    /// The peer has no certificate, or none with the name that is wanted.
    NoCertificate,
    /// Clients without a User Name, or unknown ones, are not let in.
    NotAuthorised,
}

/// What follows from a policy for a CONNECT.
#[derive(Debug)]
pub enum Decision<'p> {
    /// It may come in, as this.
    Admit(Identity),
    /// It may not.
    Refuse(Refusal),
    /// It depends on the password.
    Verify {
        /// What to check it against.
        credential: &'p Arc<Credential>,
        /// False: there is no such user, and whatever the check finds, the answer is no. It is
        /// made all the same, so that the time does not tell which names exist.
        known: bool,
    },
}

impl Policy {
    /// Nobody's name is checked and every topic is open.
    pub fn open(allow_anonymous: bool) -> Self {
        Self { allow_anonymous, users: None, acl: None }
    }

    /// Nobody gets in and nothing is allowed: what stands in for files that were not read.
    pub fn closed() -> Self {
        Self { allow_anonymous: false, users: Some(Arc::default()), acl: Some(Arc::default()) }
    }

    /// Decides about a CONNECT without an authentication method.
    pub fn decide(&self, attempt: Attempt<'_>) -> Decision<'_> {
        if attempt.certificate_name != CertificateName::Unused {
            let name = attempt.peer.and_then(|peer| attempt.certificate_name.of(peer));
            return match name {
                Some(name) => Decision::Admit(Identity::new(Some(name), Proof::Certificate)),
                None => Decision::Refuse(Refusal::NoCertificate),
            };
        }
        match (&self.users, attempt.username) {
            // With nothing to check it against, a name counts for no more than none.
            (None, username) if self.allow_anonymous => {
                Decision::Admit(Identity::new(username, Proof::None))
            }
            (Some(_), None) if self.allow_anonymous => Decision::Admit(Identity::default()),
            (None, _) | (_, None) => Decision::Refuse(Refusal::NotAuthorised),
            (Some(users), Some(name)) => decide_user(users, name, attempt.password),
        }
    }

    /// Whether a Client that was let in as `identity` would be let in again, as far as that can
    /// be told without its password: a user whose entry has changed has to prove itself anew.
    pub fn still_admits(&self, identity: &Identity) -> bool {
        match (&identity.proof, &self.users) {
            (Proof::Certificate | Proof::Method, _) => true,
            (Proof::Password(was), Some(users)) => {
                let name = identity.username.as_deref();
                name.and_then(|name| users.find(name)).is_some_and(|is| is == was)
            }
            (Proof::None, Some(_)) if identity.username.is_some() => false,
            (Proof::None, _) | (Proof::Password(_), None) => self.allow_anonymous,
        }
    }

    /// Whether a session of `identity` may still be somebody's: its owner can come back for it.
    /// Unlike [`Policy::still_admits`], a user with a new password is the same user.
    pub fn still_knows(&self, identity: &Identity) -> bool {
        match (&identity.proof, &self.users, identity.username.as_deref()) {
            (Proof::Password(_), Some(users), Some(name)) => users.find(name).is_some(),
            _ => self.still_admits(identity),
        }
    }
}

fn decide_user<'p>(users: &'p Users, name: &str, password: Option<&[u8]>) -> Decision<'p> {
    if password.is_none() {
        return Decision::Refuse(Refusal::BadCredentials);
    }
    match (users.find(name), users.decoy()) {
        (Some(credential), _) => Decision::Verify { credential, known: true },
        (None, Some(credential)) => Decision::Verify { credential, known: false },
        (None, None) => Decision::Refuse(Refusal::BadCredentials),
    }
}

/// The policies of all listeners, replaced as a whole.
#[derive(Clone, Debug)]
pub struct Policies {
    generation: u64,
    /// By the listener's id. Few, so looked through one by one.
    zones: Box<[(u32, Arc<Policy>)]>,
    restricted: bool,
}

impl Policies {
    /// The policy of each listener, by its id. `generation` is greater than that of whatever
    /// these replace.
    pub fn new(generation: u64, zones: impl IntoIterator<Item = (u32, Arc<Policy>)>) -> Self {
        let zones: Box<[_]> = zones.into_iter().collect();
        let restricted = zones.iter().any(|(_, policy)| policy.acl.is_some());
        Self { generation, zones, restricted }
    }

    /// Names this set of policies: a decision made under another one counts no more.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The policy of a listener; `None` for one that is gone, which lets nobody in.
    pub fn zone(&self, listener: u32) -> Option<&Arc<Policy>> {
        self.zones.iter().find(|(id, _)| *id == listener).map(|(_, policy)| policy)
    }

    /// All policies with their listeners' ids.
    pub fn zones(&self) -> &[(u32, Arc<Policy>)] {
        &self.zones
    }

    /// Some policy has an access control list. When none has, nobody needs to be asked.
    pub fn restricted(&self) -> bool {
        self.restricted
    }

    /// Whether the access control list of its listener lets `source` do that with `topic`.
    pub fn allows(&self, source: &Source, topic: &str, access: Access) -> bool {
        let Some(policy) = self.zone(source.zone) else { return false };
        policy.acl.as_ref().is_none_or(|acl| acl.allows(source.who(), topic, access))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::parse_password_file;

    const BOB: &str = "bob:$6$AAECAwQFBgcICQoL$JqsxEv/ucyxjA5DKsQ+Y8CDWaQDNQI9FpAkmfwAqWfwZLk/JEGg\
                       M0EpylrJHAZKKyFQjJeZ3nFaHjPzOzPPmPw==";

    fn with_bob(allow_anonymous: bool) -> Policy {
        let (users, _) = parse_password_file(BOB.as_bytes()).expect("is good");
        Policy { users: Some(Arc::new(users)), ..Policy::open(allow_anonymous) }
    }

    fn attempt<'a>(username: Option<&'a str>, password: Option<&'a str>) -> Attempt<'a> {
        Attempt {
            username,
            password: password.map(str::as_bytes),
            peer: None,
            certificate_name: CertificateName::Unused,
        }
    }

    /// What is decided, in one word.
    fn word(policy: &Policy, attempt: Attempt<'_>) -> &'static str {
        match policy.decide(attempt) {
            Decision::Admit(identity) if identity.proven().is_some() => "proven",
            Decision::Admit(_) => "in",
            Decision::Refuse(Refusal::BadCredentials) => "bad",
            Decision::Refuse(Refusal::NoCertificate) => "no certificate",
            Decision::Refuse(Refusal::NotAuthorised) => "out",
            Decision::Verify { known: true, .. } => "verify",
            Decision::Verify { known: false, .. } => "decoy",
        }
    }

    #[test]
    fn the_table_of_decisions() {
        let empty = Policy { users: Some(Arc::default()), ..Policy::open(false) };
        for (username, password, open, closed, file, file_and_open, nobody) in [
            (None, None, "in", "out", "out", "in", "out"),
            (None, Some("secret"), "in", "out", "out", "in", "out"),
            (Some("bob"), None, "in", "out", "bad", "bad", "bad"),
            (Some("bob"), Some("secret"), "in", "out", "verify", "verify", "bad"),
            (Some("eve"), Some("secret"), "in", "out", "decoy", "decoy", "bad"),
            (Some(""), Some(""), "in", "out", "decoy", "decoy", "bad"),
        ] {
            let try_it = |policy: &Policy| word(policy, attempt(username, password));
            assert_eq!(try_it(&Policy::open(true)), open, "{username:?}");
            assert_eq!(try_it(&Policy::open(false)), closed, "{username:?}");
            assert_eq!(try_it(&with_bob(false)), file, "{username:?}");
            assert_eq!(try_it(&with_bob(true)), file_and_open, "{username:?}");
            assert_eq!(try_it(&empty), nobody, "{username:?}");
        }
    }

    #[test]
    fn a_certificates_name_takes_the_place_of_user_and_password() {
        let peer = PeerIdentity { common_name: Some("dev1".into()), subject: None };
        let named = |peer, certificate_name| Attempt {
            peer,
            certificate_name,
            ..attempt(Some("bob"), Some("wrong"))
        };
        let none = "no certificate";
        for policy in [with_bob(false), Policy::open(false)] {
            let found = policy.decide(named(Some(&peer), CertificateName::CommonName));
            let Decision::Admit(identity) = found else { panic!("{found:?}") };
            assert_eq!(identity.proven(), Some("dev1"));
            assert_eq!(word(&policy, named(Some(&peer), CertificateName::Subject)), none);
            assert_eq!(word(&policy, named(None, CertificateName::CommonName)), none);
        }
    }

    #[test]
    fn a_reload_drops_whose_right_is_gone_and_nobody_else() {
        let before = with_bob(false);
        let Decision::Verify { credential, .. } = before.decide(attempt(Some("bob"), Some("s")))
        else {
            panic!("bob has to be verified");
        };
        let bob = Identity::new(Some("bob"), Proof::Password(Arc::clone(credential)));
        let anonymous = Identity::default();
        let claimed = Identity::new(Some("bob"), Proof::None);
        let certified = Identity::new(Some("dev1"), Proof::Certificate);
        let changed = {
            let text = BOB.replacen("Jqsx", "Jqsy", 1);
            let (users, _) = parse_password_file(text.as_bytes()).expect("is good");
            Policy { users: Some(Arc::new(users)), ..Policy::open(true) }
        };
        let empty = Policy { users: Some(Arc::default()), ..Policy::open(true) };
        for (policy, name, expected) in [
            (&with_bob(false), "the same file read again", [true, false, false, true]),
            (&with_bob(true), "anonymous allowed too", [true, true, false, true]),
            (&changed, "another password", [false, true, false, true]),
            (&empty, "bob deleted", [false, true, false, true]),
            (&Policy::open(true), "no file any more", [true, true, true, true]),
            (&Policy::open(false), "nobody without a certificate", [false, false, false, true]),
        ] {
            let found =
                [&bob, &anonymous, &claimed, &certified].map(|one| policy.still_admits(one));
            assert_eq!(found, expected, "{name}");
        }
        assert!(changed.still_knows(&bob) && !empty.still_knows(&bob));
    }
}

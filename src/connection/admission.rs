//! Who is let in: the step of CONNECT that judges its Client, and may wait for the answer.
//!
//! Nothing of a session is touched before the Client is admitted. Where its password has to be
//! checked the answer takes long: the connection then waits as [`Pending`] with its CONNECT kept.
//! A verdict counts only as long as the policies that it was made under: when they change
//! meanwhile, or when the connection moves to a shard that has others, it is made anew.

use super::machine::State;
use super::{Close, Connection, Flow, Host, Verdict, auth};
use crate::auth::{Attempt, CertificateName, Identity, Proof, Refusal};
use crate::config;
use crate::protocol::{Connect, Packet, ReasonCode, Role, Version, decode, split};

/// Authentication is done; it isn't repeated when the connection moves to another shard.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    /// Who the Client is.
    pub(super) identity: Identity,
    /// Authentication Data for the CONNACK, from an enhanced method.
    pub(super) data: Option<Box<[u8]>>,
    /// Of the policies it was decided under.
    pub(super) generation: u64,
}

/// A CONNECT whose password is being checked.
#[derive(Debug)]
pub(super) struct Pending {
    connect: Vec<u8>,
    check: u64,
    identity: Identity,
    generation: u64,
    /// Whether the password is right, once that is known.
    right: Option<bool>,
}

impl Connection {
    /// `Ok(None)`: the answer has to be waited for.
    pub(super) fn authenticate<H: Host>(
        &mut self,
        host: &mut H,
        connect: &Connect<'_>,
        raw: &[u8],
    ) -> Result<Option<Admitted>, Close> {
        if let Some(name) = connect.properties.authentication_method {
            return auth::begin(self, host, connect, name, raw);
        }
        let peer = self.connecting.as_ref().and_then(|one| one.peer_identity.as_deref());
        let attempt = Attempt {
            username: connect.username,
            password: connect.password,
            peer,
            certificate_name: certificate_name(self.listener.identity),
        };
        let generation = host.policy_generation();
        match host.authenticate(self.key, &self.listener, attempt) {
            Verdict::Admitted(identity) => Ok(Some(Admitted { identity, data: None, generation })),
            Verdict::Refused(refusal) => Err(self.refused(refusal)),
            Verdict::Busy => {
                Err(Close::refused(ReasonCode::SERVER_BUSY, "too many passwords to check"))
            }
            Verdict::Pending { check, identity } => {
                let connect = raw.to_vec();
                let pending = Pending { connect, check, identity, generation, right: None };
                self.state = State::Pending(Box::new(pending));
                Ok(None)
            }
        }
    }

    /// Version 3.1.1 tells a malformed name or password (4) from one that is not authorised (5);
    /// a wrong password is the latter.
    fn refused(&self, refusal: Refusal) -> Close {
        let reason = match refusal {
            Refusal::BadCredentials if self.version == Version::V5 => {
                ReasonCode::BAD_USER_NAME_OR_PASSWORD
            }
            Refusal::NoCertificate => ReasonCode::BAD_USER_NAME_OR_PASSWORD,
            Refusal::BadCredentials | Refusal::NotAuthorised => ReasonCode::NOT_AUTHORIZED,
        };
        Close::refused(reason, "not authorised")
    }

    /// The answer to a check. False when the connection does not wait for it (any more).
    pub fn checked(&mut self, check: u64, right: bool) -> bool {
        match &mut self.state {
            State::Pending(pending) if pending.check == check => {
                pending.right = Some(right);
                true
            }
            _ => false,
        }
    }

    /// A password is being checked.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Pending(_))
    }

    /// The answer has not come in time: the Client is told to come again.
    pub fn give_up<H: Host>(&mut self, host: &mut H) -> Close {
        let what = "its password was not checked in time";
        self.refuse_connect(host, ReasonCode::SERVER_BUSY, what);
        Close::refused(ReasonCode::SERVER_BUSY, what)
    }

    /// Goes on with a CONNECT whose password has been checked; nothing otherwise.
    pub(super) fn go_on_pending<H: Host>(&mut self, host: &mut H) -> Flow {
        let right = match &self.state {
            State::Pending(pending) => pending.right,
            _ => None,
        };
        let Some(right) = right else { return Flow::Continue };
        let State::Pending(pending) = std::mem::replace(&mut self.state, State::AwaitConnect)
        else {
            return Flow::Continue;
        };
        let Pending { connect: raw, identity, generation, .. } = *pending;
        let current = generation == host.policy_generation();
        if current && !right {
            return self.refused(Refusal::BadCredentials).into();
        }
        self.with_held_connect(host, &raw, |connection, host, connect| {
            if current {
                let admitted = Admitted { identity, data: None, generation };
                return connection.connect_admitted(host, connect, &raw, admitted);
            }
            match connection.authenticate(host, connect, &raw) {
                Ok(Some(admitted)) => connection.connect_admitted(host, connect, &raw, admitted),
                Ok(None) => Flow::Continue,
                Err(close) => close.into(),
            }
        })
    }

    /// A CONNECT that was kept is decoded once more; it was found good before.
    pub(super) fn with_held_connect<H: Host>(
        &mut self,
        host: &mut H,
        raw: &[u8],
        go_on: impl FnOnce(&mut Self, &mut H, &Connect<'_>) -> Flow,
    ) -> Flow {
        let decoded = split(raw, u32::MAX)
            .ok()
            .flatten()
            .and_then(|frame| decode(frame, self.version, Role::Server).ok());
        match decoded {
            Some(Packet::Connect(connect)) => go_on(self, host, &connect),
            _ => auth::unexpected(),
        }
    }

    /// Remembers that authentication is done, for the journey to another shard.
    pub(super) fn admit(&mut self, admitted: Admitted) {
        self.connecting.get_or_insert_default().admitted = Some(admitted);
    }

    /// Who the Client is, if that was decided before it came to this shard and still counts.
    pub(super) fn take_admitted<H: Host>(&mut self, host: &H) -> Option<Admitted> {
        let admitted = self.connecting.as_mut()?.admitted.take()?;
        let lasts = matches!(admitted.identity.proof, Proof::Method);
        (lasts || admitted.generation == host.policy_generation()).then_some(admitted)
    }
}

fn certificate_name(identity: config::Identity) -> CertificateName {
    match identity {
        config::Identity::None => CertificateName::Unused,
        config::Identity::CommonName => CertificateName::CommonName,
        config::Identity::Subject => CertificateName::Subject,
    }
}

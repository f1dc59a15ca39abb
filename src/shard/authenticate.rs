//! Judging a CONNECT, with the help of whoever checks passwords.

use super::Command;
use super::core::Core;
use crate::auth::{Attempt, Credential, Decision, Identity, Job, Proof, Refusal, Reply};
use crate::connection::Verdict;
use crate::sync::Arc;
use crate::util::Key;

impl Core {
    /// What becomes of a CONNECT on that listener.
    pub(super) fn judge(
        &mut self,
        connection: Key,
        listener: u32,
        attempt: Attempt<'_>,
    ) -> Verdict {
        let policies = Arc::clone(&self.policies);
        let Some(policy) = policies.zone(listener) else {
            return Verdict::Refused(Refusal::NotAuthorised);
        };
        match policy.decide(attempt) {
            Decision::Admit(identity) => Verdict::Admitted(identity),
            Decision::Refuse(refusal) => Verdict::Refused(refusal),
            Decision::Verify { credential, known } => {
                self.verify(connection, attempt, credential, known)
            }
        }
    }

    fn verify(
        &mut self,
        connection: Key,
        attempt: Attempt<'_>,
        credential: &Arc<Credential>,
        known: bool,
    ) -> Verdict {
        let name = attempt.username.unwrap_or_default();
        let password = attempt.password.unwrap_or_default();
        let identity = Identity::new(Some(name), Proof::Password(Arc::clone(credential)));
        let generation = self.policies.generation();
        let Some(verifier) = self.shared.methods.verifier() else { return Verdict::Busy };
        if known && verifier.remembers(name, password, credential, generation) {
            self.metrics().passwords_remembered.increment();
            return Verdict::Admitted(identity);
        }
        self.checks += 1;
        let check = self.checks;
        let job = Job {
            username: name.into(),
            password: password.into(),
            credential: Arc::clone(credential),
            known,
            generation,
            reply: self.reply(connection, check),
        };
        if verifier.submit(job).is_err() {
            self.metrics().passwords_refused_busy.increment();
            return Verdict::Busy;
        }
        self.metrics().passwords_checked.increment();
        Verdict::Pending { check, identity }
    }

    /// The answer comes into this shard's mailbox.
    fn reply(&self, connection: Key, check: u64) -> Reply {
        let (shared, shard) = (Arc::clone(&self.shared), usize::from(self.id));
        Reply::new(move |right| {
            let command = Command::Checked { connection, check, right };
            let weight = command.weight();
            shared.mailboxes[shard].push(vec![command], weight);
        })
    }
}

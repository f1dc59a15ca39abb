//! Threads that check passwords, so that no shard hashes.
//!
//! Hashing is slow on purpose. The jobs wait in a bounded queue; when it is full the shard is told
//! so at once and its Client comes again later. A password that was found right is remembered for
//! a short while, so that a crowd that reconnects costs one hash for each Client and not one for
//! each attempt. What was found wrong is never remembered.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use sha2::{Digest, Sha512};

use super::random;
use crate::auth::{Busy, Credential, Job, Verifier};
use crate::config::PasswordLimits;

/// How long a right password is remembered: long enough for a Client that loses its connection and
/// tries again, short enough that nothing is kept for those who stay away. A choice.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Passwords remembered at a time, of 72 bytes each with the table's slack; past it all are
/// forgotten.
const REMEMBERED_MAX: usize = 16 * 1024;

/// See the module's documentation. The threads end when it is dropped and the queue is empty.
pub struct Passwords {
    jobs: Sender<Job>,
    memory: Arc<Memory>,
}

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system refuses a thread or has no random bytes.
    pub fn start(limits: PasswordLimits) -> io::Result<Self> {
        let mut key = [0; 32];
        random::fill(&mut key)?;
        let memory = Arc::new(Memory { key, right: Mutex::default() });
        let (jobs, queue) = bounded(limits.queue);
        for number in 0..limits.threads {
            let (queue, memory) = (queue.clone(), Arc::clone(&memory));
            let work = move || work(&queue, &memory);
            thread::Builder::new().name(format!("passwords-{number}")).spawn(work)?;
        }
        Ok(Self { jobs, memory })
    }
}

impl Verifier for Passwords {
    fn remembers(&self, username: &str, password: &[u8], of: &Credential, generation: u64) -> bool {
        self.memory.has(username, password, of, generation)
    }

    fn submit(&self, job: Job) -> Result<(), Busy> {
        self.jobs.try_send(job).map_err(|_| Busy)
    }
}

fn work(queue: &Receiver<Job>, memory: &Memory) {
    for job in queue {
        let Job { username, password, credential, generation, .. } = &job;
        // Another of the same user may have been found right while this one waited.
        if job.known && memory.has(username, password, credential, *generation) {
            job.reply.send(true);
            continue;
        }
        // A job that panics must not take the thread with it.
        let matches = catch_unwind(AssertUnwindSafe(|| job.credential.verify(&job.password)));
        let right = matches.unwrap_or(false) && job.known;
        if right {
            memory.add(&job.username, &job.password, &job.credential, job.generation);
        }
        job.reply.send(right);
    }
}

/// Passwords found right. It holds digests under a key that only this process knows.
struct Memory {
    key: [u8; 32],
    /// Lock: held for one operation on the table; taken by shards at CONNECT and by the threads.
    right: Mutex<Right>,
}

#[derive(Default)]
struct Right {
    /// Of the policies; what was found under older ones is gone.
    generation: u64,
    until: HashMap<[u8; 32], Instant>,
}

impl Memory {
    fn has(&self, username: &str, password: &[u8], of: &Credential, generation: u64) -> bool {
        let digest = self.digest(username, password, of);
        let right = self.right.lock();
        right.generation == generation
            && right.until.get(&digest).is_some_and(|until| *until > Instant::now())
    }

    fn add(&self, username: &str, password: &[u8], of: &Credential, generation: u64) {
        let digest = self.digest(username, password, of);
        let now = Instant::now();
        let mut right = self.right.lock();
        if generation < right.generation {
            return;
        }
        if generation > right.generation {
            right.generation = generation;
            right.until.clear();
        }
        if right.until.len() >= REMEMBERED_MAX {
            right.until.retain(|_, until| *until > now);
        }
        if right.until.len() >= REMEMBERED_MAX {
            right.until.clear();
        }
        right.until.insert(digest, now + REMEMBERED);
    }

    /// Each part goes in with its length, so that no two triples give the same bytes.
    fn digest(&self, username: &str, password: &[u8], of: &Credential) -> [u8; 32] {
        let mut hasher = Sha512::new();
        hasher.update(self.key);
        for part in [username.as_bytes(), password, of.encoded().as_bytes()] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&hasher.finalize()[..32]);
        digest
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::auth::{Reply, Scheme};

    fn credential(password: &str) -> Arc<Credential> {
        Arc::new(Credential::make(Scheme::Pbkdf2(1), password.as_bytes(), &[3; 64]))
    }

    fn ask(passwords: &Passwords, password: &str, of: &Arc<Credential>, known: bool) -> bool {
        let (sender, answers) = channel();
        let reply = Reply::new(move |right| sender.send(right).expect("the test waits"));
        let job = Job {
            username: "bob".into(),
            password: password.as_bytes().into(),
            credential: Arc::clone(of),
            known,
            generation: 1,
            reply,
        };
        passwords.submit(job).expect("there is room");
        answers.recv().expect("an answer")
    }

    fn start(threads: usize, queue: usize) -> Passwords {
        Passwords::start(PasswordLimits { threads, queue }).expect("threads start")
    }

    #[test]
    fn a_right_password_is_remembered_and_a_wrong_one_never() {
        let passwords = start(1, 4);
        let bob = credential("pw");
        let knows = |password: &str, of: &Credential, generation| {
            passwords.remembers("bob", password.as_bytes(), of, generation)
        };
        assert!(!ask(&passwords, "wrong", &bob, true));
        assert!(!knows("wrong", &bob, 1));
        assert!(!ask(&passwords, "pw", &bob, false), "there is no such user");
        assert!(!knows("pw", &bob, 1));
        assert!(ask(&passwords, "pw", &bob, true));
        assert!(knows("pw", &bob, 1));
        assert!(!knows("pw", &bob, 2), "the policies have changed");
        assert!(!knows("pw", &credential("other"), 1), "so has the user's entry");
        assert!(!passwords.remembers("eve", b"pw", &bob, 1));
        assert!(!passwords.remembers("bo", b"bpw", &bob, 1));
    }

    #[test]
    fn newer_policies_forget_what_was_found_under_older_ones() {
        let memory = Memory { key: [0; 32], right: Mutex::default() };
        let bob = credential("pw");
        memory.add("bob", b"pw", &bob, 1);
        memory.add("ann", b"pw", &bob, 2);
        memory.add("late", b"pw", &bob, 1);
        assert!(!memory.has("bob", b"pw", &bob, 1) && !memory.has("bob", b"pw", &bob, 2));
        assert!(memory.has("ann", b"pw", &bob, 2) && !memory.has("late", b"pw", &bob, 2));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let memory = Memory { key: [0; 32], right: Mutex::default() };
        let bob = credential("pw");
        for n in 0..REMEMBERED_MAX + 10 {
            memory.add(&n.to_string(), b"pw", &bob, 1);
        }
        assert!(memory.right.lock().until.len() <= REMEMBERED_MAX);
    }

    #[test]
    fn a_full_queue_says_so_at_once() {
        let passwords = start(1, 1);
        let slow = Arc::new(Credential::make(Scheme::Argon2id, b"pw", &[3; 64]));
        let (sender, answers) = channel();
        let mut busy = 0;
        for _ in 0..8 {
            let sender = sender.clone();
            let reply = Reply::new(move |right| sender.send(right).expect("the test waits"));
            let job = Job {
                username: "bob".into(),
                password: b"pw"[..].into(),
                credential: Arc::clone(&slow),
                known: true,
                generation: 1,
                reply,
            };
            busy += usize::from(passwords.submit(job) == Err(Busy));
        }
        drop(sender);
        assert!(busy > 0, "one at work and one waiting is all there is room for");
        assert_eq!(answers.iter().filter(|right| *right).count(), 8 - busy);
    }
}

//! A shard's inbox for commands from other threads.
//!
//! # Bounds
//! A push never fails: refusing a delivery half-way would lose it. The bound is kept by the
//! sources, which look at [`Mailbox::over_high_water`] and stop reading from what feeds them, so
//! the depth is at most the high-water mark plus one turn's mail of each source.
//!
//! # No lost wake
//! Waking a sleeping thread costs more than a small message, so it is done only if needed. Both
//! sides write, pass a `SeqCst` fence, and then read what the other wrote:
//!
//! | owner, [`Mailbox::prepare_sleep`] | pusher, [`Mailbox::push`] |
//! |---|---|
//! | `sleeping = true` | link the batch |
//! | fence | fence |
//! | mail? then do not sleep | sleeping? then wake |
//!
//! One fence comes first in the order of all `SeqCst` fences, and the side with the later one sees
//! the other's write. So either the owner sees the mail, or the pusher sees the owner asleep.
//! Between the check and the kernel's wait the wake is not lost either: it leaves the poll ready.
//! Only the pusher that found the queue empty looks: the others' mail lies on top of a batch that
//! the owner has not taken, and so does not sleep on. [`Mailbox::nudge`] and the pair
//! [`Mailbox::register_waiter`], [`Mailbox::done`] rest on the same argument.
//!
//! The remaining orders: batches are published by the queue itself (`Release`, `Acquire`); depths
//! are statistics and use `Relaxed`, except that the fences above order them against waiters.

use std::sync::OnceLock;

use crossbeam::utils::CachePadded;
use mio::Waker;

use crate::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, BatchQueue, Batches, Ordering, fence};

/// Highest number of shards that can wait on one mailbox.
pub const SHARDS_MAX: usize = 256;

const WAITER_WORDS: usize = SHARDS_MAX / u64::BITS as usize;

/// When a mailbox counts as full. It counts as having room again at half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Commands.
    pub commands: usize,
    /// Bytes, as the pushers count them.
    pub bytes: usize,
}

/// A shard's bounded, metered inbox of commands `C`.
#[derive(Debug)]
pub struct Mailbox<C> {
    name: String,
    high: Marks,
    waker: OnceLock<Arc<Waker>>,
    queue: CachePadded<BatchQueue<C>>,
    depth: CachePadded<Depth>,
    sleep: CachePadded<Sleep>,
    /// One bit per shard that stopped reading because of this mailbox.
    waiters: CachePadded<[AtomicU64; WAITER_WORDS]>,
}

/// Pushed and not yet done, whether still in the queue or taken.
#[derive(Debug, Default)]
struct Depth {
    commands: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Sleep {
    /// The owner sleeps or is about to. Set by the owner, cleared by it or by whoever wakes it.
    sleeping: AtomicBool,
    /// Something other than mail wants the owner's attention.
    nudged: AtomicBool,
}

impl<C> Mailbox<C> {
    /// An empty mailbox. `name` appears in metrics and logs.
    pub fn new(name: impl Into<String>, high: Marks) -> Self {
        Self {
            name: name.into(),
            high,
            waker: OnceLock::new(),
            queue: CachePadded::default(),
            depth: CachePadded::default(),
            sleep: CachePadded::default(),
            waiters: CachePadded::default(),
        }
    }

    /// What the mailbox is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells how to wake the owner. Mail may come before: an owner without a waker has not slept.
    ///
    /// # Panics
    /// If called twice.
    pub fn attach(&self, waker: Arc<Waker>) {
        assert!(self.waker.set(waker).is_ok(), "mailbox {} has an owner already", self.name);
    }

    /// Appends a batch that counts for `bytes`. Returns whether this woke the owner.
    pub fn push(&self, batch: Vec<C>, bytes: usize) -> bool {
        if batch.is_empty() {
            return false;
        }
        // Before the batch can be seen, so that `done` never takes off more than was added.
        self.depth.commands.fetch_add(batch.len(), Ordering::Relaxed);
        self.depth.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.queue.push(batch) && self.wake_if_asleep()
    }

    /// Makes the owner run a turn, mail or not. Returns whether this woke it.
    pub fn nudge(&self) -> bool {
        self.sleep.nudged.store(true, Ordering::Release);
        self.wake_if_asleep()
    }

    /// The pusher's half of the argument in the module's documentation.
    fn wake_if_asleep(&self) -> bool {
        #[cfg(feature = "canary")]
        if crate::util::canary::Canary::LostWake.sings() {
            return false;
        }
        fence(Ordering::SeqCst);
        // A plain load first: an owner that is awake keeps its cache line to itself.
        if !self.sleep.sleeping.load(Ordering::Relaxed)
            || !self.sleep.sleeping.swap(false, Ordering::Relaxed)
        {
            return false;
        }
        let waker = self.waker.get().expect("an owner attaches its waker before it sleeps");
        // Writing to an event descriptor fails only if the descriptor is not one: our own bug.
        waker.wake().expect("the poll of a sleeping owner can be woken");
        true
    }

    /// Owner only: announces that it is going to sleep. If false, there is something to do and it
    /// must not. If true, it must call [`Mailbox::awake`] after.
    pub fn prepare_sleep(&self) -> bool {
        debug_assert!(self.waker.get().is_some(), "nothing could wake the owner of {}", self.name);
        self.sleep.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let idle = self.queue.is_empty() && !self.sleep.nudged.load(Ordering::Acquire);
        if !idle {
            self.awake();
        }
        idle
    }

    /// Owner only: it is awake, and looks at its mail before it sleeps again.
    pub fn awake(&self) {
        self.sleep.sleeping.store(false, Ordering::Relaxed);
        self.sleep.nudged.swap(false, Ordering::AcqRel);
    }

    /// Whether the owner sleeps and nobody has woken it; for whoever steps through shards on one
    /// thread and has no poll that would say so.
    pub fn is_asleep(&self) -> bool {
        self.sleep.sleeping.load(Ordering::Relaxed)
    }

    /// Whether a take would find mail; a hint.
    pub fn has_mail(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Owner only: takes all batches, oldest first. Their depth stays until [`Mailbox::done`].
    pub fn take(&self) -> Batches<C> {
        // Spares a swap, and with it the pushers' cache line, on turns without mail.
        if self.queue.is_empty() { Batches::none() } else { self.queue.take_all() }
    }

    /// Owner only: so much of what was taken has been handled. Returns the shards to
    /// [`nudge`](Mailbox::nudge) because there is room again; usually none.
    #[must_use = "the shards returned wait for a nudge"]
    pub fn done(&self, commands: usize, bytes: usize) -> Waiters {
        let held = self.depth.commands.fetch_sub(commands, Ordering::Relaxed);
        debug_assert!(held >= commands, "more commands done than pushed");
        let held = self.depth.bytes.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(held >= bytes, "more bytes done than pushed");
        fence(Ordering::SeqCst);
        let mut words = [0; WAITER_WORDS];
        if self.has_room() {
            for (word, waiters) in words.iter_mut().zip(self.waiters.iter()) {
                if waiters.load(Ordering::Relaxed) != 0 {
                    *word = waiters.swap(0, Ordering::Relaxed);
                }
            }
        }
        Waiters { words }
    }

    /// Commands pushed and not yet done.
    pub fn depth_commands(&self) -> usize {
        self.depth.commands.load(Ordering::Relaxed)
    }

    /// Bytes pushed and not yet done.
    pub fn depth_bytes(&self) -> usize {
        self.depth.bytes.load(Ordering::Relaxed)
    }

    /// Whether sources should stop feeding this mailbox.
    pub fn over_high_water(&self) -> bool {
        self.depth_commands() > self.high.commands || self.depth_bytes() > self.high.bytes
    }

    /// Whether sources that stopped may go on.
    pub fn has_room(&self) -> bool {
        self.depth_commands() <= self.high.commands / 2 && self.depth_bytes() <= self.high.bytes / 2
    }

    /// Asks that `shard` be nudged once there is room. False if there is room now; then there will
    /// be no nudge.
    ///
    /// Whoever is nudged asks again before it sleeps on: [`Mailbox::done`] looks for room first and
    /// for waiters then, so it may take this registration along with the room before the last push.
    ///
    /// # Panics
    /// If `shard` is not below [`SHARDS_MAX`].
    pub fn register_waiter(&self, shard: usize) -> bool {
        let word = &self.waiters[shard / 64];
        let bit = 1 << (shard % 64);
        word.fetch_or(bit, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let wait = !self.has_room();
        if !wait {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
        wait
    }
}

/// The shards that waited for room, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiters {
    words: [u64; WAITER_WORDS],
}

impl Iterator for Waiters {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let index = self.words.iter().position(|&word| word != 0)?;
        let word = &mut self.words[index];
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        Some(index * 64 + bit)
    }
}

#[cfg(test)]
mod tests;

//! The broker's own files, compiled against loom's atomics and locks; those in `tests/` run them.
//!
//! What those files import from other crates is put in their place here: the waker of a sleeping
//! shard, and the lock. The collector of what the trie retires is crossbeam's own, compiled against
//! loom, too.
#![allow(missing_docs, unsafe_code)]

#[cfg(not(crossbeam_loom))]
compile_error!("run cargo in tests/loom, whose .cargo/config.toml sets what crossbeam needs");

// The names the files import from; what is used of them is below.
extern crate self as crossbeam;
extern crate self as mio;
extern crate self as parking_lot;

use std::io;

pub use crossbeam_epoch as epoch;
pub use crossbeam_utils as utils;

use loom::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

#[path = "../../../src/sync/batch_stack.rs"]
mod batch_stack;

#[path = "../../../src/util/shrink.rs"]
mod shrink;

#[path = "../../../src/util/compact.rs"]
#[allow(dead_code)] // Of tables that no model here has.
mod compact;

/// In the place of `src/sync/mod.rs`.
pub mod sync {
    pub use crate::batch_stack::{BatchQueue, Batches};
    pub use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    // Not loom's: nothing here depends on the order of its counts.
    pub use std::sync::Arc;
}

/// The keys that the directory hands out, and its ways to give memory back.
pub mod util {
    pub use crate::compact::{Compact, Home};
    pub use crate::shrink::Shrink;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Key {
        pub index: u32,
        pub generation: u32,
    }

    impl Key {
        pub const NONE: Key = Key { index: u32::MAX, generation: 0 };
    }
}

#[path = "../../../src/reactor/mailbox.rs"]
pub mod mailbox;

#[path = "../../../src/session/directory.rs"]
pub mod directory;

pub mod trie;

/// In the place of mio's: a poll that was woken returns at once.
#[derive(Debug, Default)]
pub struct Waker {
    woken: AtomicBool,
}

impl Waker {
    pub fn wake(&self) -> io::Result<()> {
        self.woken.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Whether a wait would end, and takes that back.
    pub fn take(&self) -> bool {
        self.woken.swap(false, Ordering::SeqCst)
    }
}

pub use loom::sync::MutexGuard;

/// In the place of parking_lot's.
#[derive(Debug)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("no holder panics")
    }
}

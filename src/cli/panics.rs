//! Panics in the log rather than as a dump on standard error.

use std::panic;
use std::thread;

use crate::control::keeper::words;

/// From now on a panic is an error in the log, with where it happened.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let said = words(info.payload());
        tracing::error!("A fault in thread {thread} at {place}: {said}");
    }));
}

//! Ctrl-C and SIGTERM end a run, not the program: the result is still wanted.

use std::cell::Cell;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::failure::Failure;

/// The signals that ask for an end, blocked in this thread and in those it starts from now on.
pub struct Signals {
    inbox: SignalFd,
    caught: Cell<Option<&'static str>>,
}

impl Signals {
    /// Blocks the signals. A second one of them ends the wait for stragglers, too.
    ///
    /// # Errors
    /// As the system calls.
    pub fn block() -> Result<Self, Failure> {
        let mut set = SigSet::empty();
        [Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| set.add(signal));
        let of = |error| Failure::of("signals", error);
        set.thread_block().map_err(of)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let inbox = SignalFd::with_flags(&set, flags).map_err(of)?;
        Ok(Self { inbox, caught: Cell::new(None) })
    }

    /// Which signal asked for an end, if one did.
    pub fn caught(&self) -> Option<&'static str> {
        if let Ok(Some(signal)) = self.inbox.read_signal() {
            let interrupt = signal.ssi_signo == Signal::SIGINT as u32;
            self.caught.set(Some(if interrupt { "Ctrl-C" } else { "SIGTERM" }));
        }
        self.caught.get()
    }
}

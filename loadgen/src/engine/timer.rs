//! Waking up between milliseconds.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A timer that ends a poll on time; epoll's own timeout is rounded up to a whole millisecond.
///
/// Registered edge-triggered: setting it again arms it anew, so it is never read.
#[derive(Debug)]
pub struct SlotTimer(TimerFd);

impl SlotTimer {
    /// A timer that wakes the poll of `registry` with `token`.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let fd = timer.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Wakes the poll at `at_ns`, [`crate::clock::now_ns`]. A time gone by wakes it at once.
    ///
    /// # Errors
    /// As the system call.
    pub fn wake_at(&self, at_ns: u64) -> io::Result<()> {
        let at = TimeSpec::from_duration(Duration::from_nanos(at_ns.max(1)));
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        Ok(self.0.set(Expiration::OneShot(at), flags)?)
    }
}

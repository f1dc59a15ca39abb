//! What is due.

use super::core::Timer;
use super::engine::Shard;
use super::logging::NO_CONNECT;
use crate::connection::Close;
use crate::protocol::ReasonCode;
use crate::util::Key;

impl Shard {
    /// Handles every timer that is due now.
    pub fn timers(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.core.timers.advance(self.core.now.mono_ms, &mut due);
        for timer in due.drain(..) {
            match timer {
                Timer::Connection(key) => self.connection_due(key),
                Timer::Session(key) => self.core.session_due(key),
                Timer::RetainedSweep => self.core.sweep_retained(),
            }
            self.close_ended();
        }
        self.due = due;
        self.tidy();
    }

    /// When [`Shard::timers`] has something to do next, monotonic ms.
    pub fn next_deadline(&self) -> Option<u64> {
        let timer = self.core.timers.next_deadline(self.core.now.mono_ms);
        [timer, self.tidy.due_ms()].into_iter().flatten().min()
    }

    fn connection_due(&mut self, key: Key) {
        let now = self.core.now.mono_ms;
        let timeout = self.core.config.connect.timeout_ms;
        let Some(seat) = self.seat_mut(key) else { return };
        seat.armed_ms = u64::MAX;
        let Some(deadline) = seat.connection.deadline_ms(timeout) else { return };
        // A connection that the shard itself has not read from lately is not silent.
        if deadline > now || seat.waiting {
            let again = if seat.waiting { now + 1_000 } else { deadline };
            self.arm(key, again);
            return;
        }
        if seat.connection.session().is_some() {
            self.core.metrics().keep_alive_expired.increment();
            let close = Close::refused(ReasonCode::KEEP_ALIVE_TIMEOUT, "keep alive timeout");
            self.close_with_goodbye(key, close);
        } else {
            self.core.metrics().connects_timed_out.increment();
            let close = self.give_up(key);
            self.finish(key, close);
        }
    }

    /// A Client that has sent its CONNECT and still waits for its password to be checked is told
    /// to come again.
    fn give_up(&mut self, key: Key) -> Close {
        let seat = self.seats.get_mut(key.index);
        match seat.filter(|seat| seat.connection.is_waiting()) {
            Some(seat) => seat.connection.give_up(&mut self.core),
            None => Close::Silent { what: NO_CONNECT },
        }
    }

    /// Sets the connection's timer, unless an earlier one is set: that one will look again.
    pub(super) fn arm(&mut self, key: Key, deadline_ms: u64) {
        let Some(seat) = self.seat_mut(key) else { return };
        if deadline_ms < seat.armed_ms {
            seat.armed_ms = deadline_ms;
            self.core.timers.insert(deadline_ms, Timer::Connection(key));
        }
    }
}

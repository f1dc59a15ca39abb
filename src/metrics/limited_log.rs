//! Keeps a flood of drops from becoming a flood of log lines.

use super::drops::DropReason;

/// Permits one log line per reason and interval, and counts what was held back.
///
/// Pure: it neither logs nor reads a clock.
#[derive(Debug)]
pub struct LimitedLog {
    interval_ms: u64,
    reasons: [Window; DropReason::COUNT],
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// No line before this.
    closed_until_ms: u64,
    suppressed: u64,
}

impl LimitedLog {
    /// Permits a line per reason each `interval_ms`. 0 permits every line.
    pub fn new(interval_ms: u64) -> Self {
        Self { interval_ms, reasons: [Window::default(); DropReason::COUNT] }
    }

    /// Asks to log one event. `Some(n)`: do, and say that `n` events before it were not logged.
    pub fn permit(&mut self, reason: DropReason, now_ms: u64) -> Option<u64> {
        let window = &mut self.reasons[reason as usize];
        if now_ms < window.closed_until_ms {
            window.suppressed += 1;
            return None;
        }
        window.closed_until_ms = now_ms.saturating_add(self.interval_ms);
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::{DropReason, LimitedLog};

    #[test]
    fn the_first_line_passes_and_the_next_one_says_what_was_held_back() {
        let mut log = LimitedLog::new(10_000);
        assert_eq!(log.permit(DropReason::QueueFull, 0), Some(0));
        assert_eq!(log.permit(DropReason::QueueFull, 1), None);
        assert_eq!(log.permit(DropReason::QueueFull, 9_999), None);
        assert_eq!(log.permit(DropReason::QueueFull, 10_000), Some(2));
        assert_eq!(log.permit(DropReason::QueueFull, 20_000), Some(0));
    }

    #[test]
    fn reasons_do_not_hide_one_another() {
        let mut log = LimitedLog::new(10_000);
        assert_eq!(log.permit(DropReason::QueueFull, 0), Some(0));
        assert_eq!(log.permit(DropReason::Expired, 0), Some(0));
    }

    #[test]
    fn no_interval_permits_every_line() {
        let mut log = LimitedLog::new(0);
        assert_eq!(log.permit(DropReason::Expired, 5), Some(0));
        assert_eq!(log.permit(DropReason::Expired, 5), Some(0));
    }
}

//! Many lines alike as one.
//!
//! A stranger can cause a line for each connection that he opens. Lines that name the same thing
//! in the field `like` are written as they come up to a number in a time; what comes beyond is
//! counted, and the count is one line when the time is over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Lines of one name that are written in one window.
const LINES: u32 = 100;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(10);

/// What was kept back of one name.
#[derive(Debug, PartialEq, Eq)]
pub struct KeptBack {
    /// The name.
    pub like: Box<str>,
    /// How many lines.
    pub lines: u64,
}

#[derive(Debug)]
struct Window {
    ends: Instant,
    written: u32,
    kept_back: u64,
}

/// The open windows, by name. There are as many names as there are places in the code that use
/// one, so this stays small.
#[derive(Debug, Default)]
pub struct Limiter(BTreeMap<Box<str>, Window>);

impl Limiter {
    /// Whether one more line of this name is to be written.
    pub fn admit(&mut self, like: &str, now: Instant) -> bool {
        let Some(window) = self.0.get_mut(like) else {
            let window = Window { ends: now + WINDOW, written: 1, kept_back: 0 };
            self.0.insert(like.into(), window);
            return true;
        };
        if window.written < LINES {
            window.written += 1;
            return true;
        }
        window.kept_back += 1;
        false
    }

    /// Closes the windows whose time is over; `now` far enough ahead closes all.
    pub fn close(&mut self, now: Instant) -> Vec<KeptBack> {
        let mut closed = Vec::new();
        self.0.retain(|like, window| {
            if window.ends > now {
                return true;
            }
            if window.kept_back > 0 {
                closed.push(KeptBack { like: like.clone(), lines: window.kept_back });
            }
            false
        });
        closed
    }

    /// When the next window closes.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.values().map(|window| window.ends).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_fast_is_summed_up_once() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        let written = (0..5000).filter(|_| limiter.admit("handshake", now)).count();
        assert_eq!(written, LINES as usize);
        assert!(limiter.admit("proxy", now), "another name has its own window");
        assert_eq!(limiter.close(now + WINDOW / 2), []);
        assert_eq!(limiter.deadline(), Some(now + WINDOW));
        let closed = limiter.close(now + WINDOW);
        assert_eq!(closed, [KeptBack { like: "handshake".into(), lines: 5000 - 100 }]);
        assert_eq!(limiter.deadline(), None);
        assert!(limiter.admit("handshake", now + WINDOW), "a new window");
    }

    #[test]
    fn a_few_lines_are_written_without_a_word_more() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        assert!((0..LINES).all(|_| limiter.admit("one", now)));
        assert_eq!(limiter.close(now + WINDOW), []);
    }
}

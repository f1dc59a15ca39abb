//! A value that others can wait on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A shared value with a way to wait until it is as wanted, instead of sleeping.
///
/// The lock is held for the copy of a value only. Waiting blocks the thread: never on the control
/// plane's own.
pub struct Watch<T>(Arc<Cell<T>>);

struct Cell<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Clone for Watch<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Watch<T> {
    /// A watch on `value`.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Cell { value: Mutex::new(value), changed: Condvar::new() }))
    }

    /// The value now.
    pub fn get(&self) -> T {
        self.0.value.lock().clone()
    }

    /// Changes the value and wakes those who wait.
    pub fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.value.lock());
        self.0.changed.notify_all();
    }

    /// Blocks until the value satisfies `wanted`, and returns it; `None` if `patience` ran out.
    pub fn wait(&self, patience: Duration, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let until = Instant::now() + patience;
        let mut value = self.0.value.lock();
        while !wanted(&value) {
            if self.0.changed.wait_until(&mut value, until).timed_out() {
                break;
            }
        }
        wanted(&value).then(|| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_wakes_who_waits() {
        let watch = Watch::new(0);
        let other = watch.clone();
        let thread = std::thread::spawn(move || other.wait(Duration::from_secs(20), |n| *n == 3));
        for _ in 0..3 {
            watch.change(|n| *n += 1);
        }
        assert_eq!(thread.join().expect("no panic"), Some(3));
    }

    #[test]
    fn what_never_comes_is_given_up() {
        assert_eq!(Watch::new(1).wait(Duration::ZERO, |n| *n == 2), None);
    }
}

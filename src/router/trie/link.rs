//! A pointer that owns its target, and that readers follow without a lock.

#![allow(unsafe_code)] // Targets are freed by epoch, which the borrow checker cannot follow.

use std::marker::PhantomData;
use std::ptr;

use crossbeam::epoch::Guard;

use crate::sync::{AtomicPtr, Ordering};

/// An owned, optional `T`: set once, followed by any number of readers, and retired.
///
/// Every guard in this module is a pin of the default collector.
pub(super) struct Link<T> {
    /// Null, or a box that this link owns.
    target: AtomicPtr<T>,
    owned: PhantomData<Box<T>>,
}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Self { target: AtomicPtr::new(ptr::null_mut()), owned: PhantomData }
    }
}

impl<T> Link<T> {
    /// The target, which outlives `guard` even if it is retired meanwhile.
    #[inline]
    pub(super) fn load<'g>(&'g self, _guard: &'g Guard) -> Option<&'g T> {
        let target = self.target.load(Ordering::Acquire);
        // SAFETY: a non-null target came from a `Box` in `publish`, whose `Release` makes its
        // content visible here. It is freed by `retire` only after every guard pinned by now is
        // gone, or with the link, which is borrowed for `'g`. Nobody takes a `&mut` to it before.
        unsafe { target.as_ref() }
    }

    /// Whether there is no target.
    pub(super) fn is_empty(&self) -> bool {
        self.target.load(Ordering::Acquire).is_null()
    }

    /// Sets the target of an empty link.
    pub(super) fn publish<'g>(&'g self, value: Box<T>, guard: &'g Guard) -> &'g T {
        let target = Box::into_raw(value);
        let old = self.target.swap(target, Ordering::AcqRel);
        debug_assert!(old.is_null(), "the old target of a link is retired first");
        self.load(guard).expect("just set")
    }
}

impl<T: Send + 'static> Link<T> {
    /// Takes the target away and frees it when no reader can see it any more.
    pub(super) fn retire(&self, guard: &Guard) {
        let old = self.target.swap(ptr::null_mut(), Ordering::AcqRel);
        if !old.is_null() {
            // SAFETY: the swap gave this call alone the box, and no new reader can find it.
            unsafe { defer_drop(old, guard) };
        }
    }
}

impl<T> Link<T> {
    /// Takes the target out at once.
    pub(super) fn take(&mut self) -> Option<Box<T>> {
        // Not `get_mut`, which race models' atomics lack; with one owner, relaxed does the same.
        let target = self.target.load(Ordering::Relaxed);
        self.target.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: `&mut self` shows that no reader is left, and the link owned the box.
        (!target.is_null()).then(|| unsafe { Box::from_raw(target) })
    }
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Frees the box behind `target` once every guard pinned by now is gone.
///
/// # Safety
/// `target` came from `Box::into_raw`, belongs to the caller, and can no longer be reached by a
/// reader that pins from now on.
pub(super) unsafe fn defer_drop<T: Send + 'static>(target: *mut T, guard: &Guard) {
    // SAFETY: the caller passes ownership; `T: Send`, so that any thread may drop it; and the
    // collector runs this only when no guard that could have seen `target` is pinned.
    unsafe { guard.defer_unchecked(move || drop(Box::from_raw(target))) }
}

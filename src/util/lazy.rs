//! A value that takes memory only once it is written to.

use std::ops::{Deref, DerefMut};

/// A type with an empty value to read from where nothing was written.
pub trait Empty: Default + 'static {
    /// The empty value.
    fn empty() -> &'static Self;
}

impl Empty for Vec<u8> {
    fn empty() -> &'static Self {
        static EMPTY: Vec<u8> = Vec::new();
        &EMPTY
    }
}

/// Eight bytes until the first write, which allocates. For parts of a connection or session that
/// most of a large broker's Clients never use: read as freely as `T`, write only when it must be.
#[derive(Debug, Default)]
pub struct Lazy<T>(Option<Box<T>>);

impl<T: Empty> Deref for Lazy<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::empty())
    }
}

impl<T: Empty> DerefMut for Lazy<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Lazy;

    #[test]
    fn reading_takes_no_memory() {
        let mut lazy = Lazy::<Vec<u8>>::default();
        assert!(lazy.is_empty() && lazy.0.is_none());
        lazy.push(7);
        assert_eq!(**lazy, [7]);
        assert_eq!(size_of::<Lazy<Vec<u8>>>(), 8);
        assert_eq!(*std::mem::take(&mut lazy), [7]);
        assert!(lazy.0.is_none());
    }
}

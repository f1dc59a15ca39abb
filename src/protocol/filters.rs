//! The lists of Topic Filters in SUBSCRIBE and UNSUBSCRIBE.

use super::error::DecodeError;
use super::wire::Reader;

/// One entry of a list as it is read from the wire; implemented here only.
pub trait Entry<'a>: Copy {
    #[doc(hidden)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

impl<'a> Entry<'a> for &'a str {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.text()
    }
}

/// Topic Filters as received or to be sent. Copies share the bytes.
///
/// Received filters are valid UTF-8 without U+0000; whether each is a valid Topic Filter is for
/// the caller to ask, since the answer goes into SUBACK filter by filter.
#[derive(Clone, Copy)]
pub struct FilterList<'a, T> {
    /// Received entries, validated.
    wire: &'a [u8],
    /// Entries to be sent; one of the two is empty.
    entries: &'a [T],
    count: usize,
}

impl<'a, T> FilterList<'a, T> {
    /// A list to be sent.
    pub const fn from_slice(entries: &'a [T]) -> Self {
        Self { wire: &[], entries, count: entries.len() }
    }

    /// The number of entries, known without a walk.
    #[inline]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none; never so in a decoded packet.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a, T: Entry<'a>> FilterList<'a, T> {
    /// Takes the rest of the packet, which must be whole entries to its end.
    pub(super) fn take(reader: Reader<'a>) -> Result<Self, DecodeError> {
        let mut rest = reader;
        let mut count = 0;
        while !rest.is_empty() {
            T::read(&mut rest)?;
            count += 1;
        }
        Ok(Self { wire: reader.into_rest(), entries: &[], count })
    }

    /// The entries, in the order they stand in the packet.
    pub fn iter(&self) -> FilterIter<'a, T> {
        FilterIter { wire: Reader::new(self.wire), entries: self.entries, left: self.count }
    }
}

impl<'a, T: Entry<'a> + PartialEq> PartialEq for FilterList<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Entry<'a> + Eq> Eq for FilterList<'a, T> {}

impl<'a, T: Entry<'a> + std::fmt::Debug> std::fmt::Debug for FilterList<'a, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Entry<'a>> IntoIterator for FilterList<'a, T> {
    type Item = T;
    type IntoIter = FilterIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over the entries of a [`FilterList`].
#[derive(Clone)]
pub struct FilterIter<'a, T> {
    wire: Reader<'a>,
    entries: &'a [T],
    left: usize,
}

impl<'a, T: Entry<'a>> Iterator for FilterIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        if let [first, rest @ ..] = self.entries {
            self.entries = rest;
            return Some(*first);
        }
        T::read(&mut self.wire).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T: Entry<'a>> ExactSizeIterator for FilterIter<'a, T> {}

//! User Properties: name and value pairs that may repeat and keep their order.

use super::property::Property;
use super::wire::Reader;

/// The User Properties of one packet, as received or to be sent. Copies share the bytes.
#[derive(Clone, Copy)]
pub struct UserProperties<'a> {
    source: Source<'a>,
    count: usize,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    /// A property section that was validated; other properties stand between.
    Section(&'a [u8]),
    Pairs(&'a [(&'a str, &'a str)]),
}

impl<'a> UserProperties<'a> {
    /// User Properties to be sent. Names and values are at most 65 535 bytes each and hold no
    /// U+0000.
    pub const fn from_pairs(pairs: &'a [(&'a str, &'a str)]) -> Self {
        Self { source: Source::Pairs(pairs), count: pairs.len() }
    }

    /// The `count` User Properties of a validated section.
    pub(super) const fn from_section(section: &'a [u8], count: usize) -> Self {
        Self { source: Source::Section(section), count }
    }

    /// The number of pairs, known without a walk.
    #[inline]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The pairs, in the order they stand in the packet.
    pub fn iter(&self) -> UserPropertyIter<'a> {
        match self.source {
            Source::Section(section) => {
                UserPropertyIter { section: Reader::new(section), pairs: &[], left: self.count }
            }
            Source::Pairs(pairs) => {
                UserPropertyIter { section: Reader::default(), pairs, left: self.count }
            }
        }
    }

    /// Appends the properties.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for pair in self.iter() {
            Property::UserProperty(pair).write(out);
        }
    }
}

impl Default for UserProperties<'_> {
    fn default() -> Self {
        Self::from_pairs(&[])
    }
}

impl PartialEq for UserProperties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for UserProperties<'_> {}

impl std::fmt::Debug for UserProperties<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for UserProperties<'a> {
    type Item = (&'a str, &'a str);
    type IntoIter = UserPropertyIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over name and value pairs.
#[derive(Clone, Debug)]
pub struct UserPropertyIter<'a> {
    section: Reader<'a>,
    pairs: &'a [(&'a str, &'a str)],
    left: usize,
}

impl<'a> Iterator for UserPropertyIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if let [first, rest @ ..] = self.pairs {
            self.pairs = rest;
            return Some(*first);
        }
        loop {
            if let Property::UserProperty(pair) = Property::read(&mut self.section).ok()? {
                return Some(pair);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for UserPropertyIter<'_> {}

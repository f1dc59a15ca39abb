//! The text of one topic level, with its hash.

use triomphe::ThinArc;

/// Levels up to this many bytes lie in the node itself; longer ones in one allocation beside it.
const INLINE: usize = 14;

/// One level of a Topic Filter and 32 bits of its hash: 24 bytes.
pub(super) struct Key {
    hash: u32,
    text: Text,
}

/// A thin pointer keeps the long form within 16 bytes; the count of owners that comes with it is
/// always one.
enum Text {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(ThinArc<(), u8>),
}

const _: () = assert!(size_of::<Key>() == 24);

impl Key {
    pub(super) fn new(hash: u32, level: &str) -> Self {
        let text = if level.len() <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..level.len()].copy_from_slice(level.as_bytes());
            Text::Inline { len: level.len() as u8, bytes }
        } else {
            Text::Heap(ThinArc::from_header_and_slice((), level.as_bytes()))
        };
        Self { hash, text }
    }

    pub(super) fn hash(&self) -> u32 {
        self.hash
    }

    pub(super) fn is(&self, level: &str) -> bool {
        self.bytes() == level.as_bytes()
    }

    /// Bytes allocated beside the key.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.text {
            Text::Inline { .. } => 0,
            // The text behind its length and its count of owners.
            Text::Heap(text) => 2 * size_of::<usize>() + text.slice.len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.text {
            Text::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Text::Heap(text) => &text.slice,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_length_compares_whole() {
        for level in ["", "a", "exactly14bytes", "fifteen bytes!!", &"long".repeat(100)] {
            let key = Key::new(7, level);
            assert!(key.is(level));
            assert!(!key.is(&format!("{level}x")));
            assert_eq!(key.heap_bytes() == 0, level.len() <= 14);
        }
    }
}

//! Memory that layers write their output to before it goes to the socket.

/// Grows, and is never given back: one for a shard, not for a connection.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// All of it is initialised, so that libraries which want a slice to fill get one for nothing.
    bytes: Vec<u8>,
    len: usize,
}

impl Output {
    /// What was written.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Free memory of at least `len` bytes behind what was written.
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        let needed = self.len + len;
        if self.bytes.len() < needed {
            self.bytes.resize(needed.next_power_of_two(), 0);
        }
        &mut self.bytes[self.len..]
    }

    /// That much of [`Output::room`] was filled.
    pub(super) fn advance(&mut self, len: usize) {
        self.len += len;
        debug_assert!(self.len <= self.bytes.len());
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.advance(bytes.len());
    }
}

//! Writing what connections have, and closing them.

use std::io;

use super::Driver;
use crate::transport::Need;
use crate::util::Key;

/// Reads of unread input before a socket is closed: what is left unread makes the kernel reset
/// the connection, and the Client would lose our last words.
const CLOSE_DRAIN: usize = 16;

impl Driver {
    pub(super) fn flush_dirty(&mut self) {
        let spare = std::mem::take(&mut self.spare);
        let mut dirty = self.shard.take_dirty(spare);
        for key in dirty.drain(..) {
            self.flush_one(key);
        }
        self.spare = dirty;
    }

    /// Writes what a connection has, all of it in one call as far as the socket takes it.
    pub(super) fn flush_one(&mut self, key: Key) {
        let Some(link) = self.shard.link(key) else { return };
        link.dirty = false;
        let Some(wire) = self.wires.get_mut(key.index) else {
            return;
        };
        let mut writes = 0;
        let mut written = 0;
        let mut failed = false;
        match wire.stream.flush(&mut self.scratch) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => link.blocked = true,
            result => failed = result.is_err(),
        }
        while !link.out.is_empty() && !link.blocked && !failed {
            let result = {
                let slices = link.out.slices(64);
                wire.stream.write_vectored(&slices, &mut self.scratch)
            };
            writes += 1;
            match result {
                Ok(n) => {
                    written += n;
                    link.out.consume(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => link.blocked = true,
                Err(_) => failed = true,
            }
        }
        // Layers take more than the socket does: the rest is theirs.
        link.blocked |= wire.stream.is_backed_up();
        failed |= wire.stream.need() == Need::Close;
        let (closing, empty) = (link.closing, link.out.is_empty());
        self.count_layers(key);
        self.shard.flushed(key);
        self.shard.metrics().writes.add(writes);
        self.shard.metrics().bytes_sent.add(written as u64);
        if closing {
            self.close(key);
        } else if failed {
            self.gone(key);
        } else if empty {
            self.shard.drained(key);
        }
    }

    pub(super) fn close(&mut self, key: Key) {
        if let Some(mut wire) = self.wires.take(key.index) {
            // Our side ends first, so that what was written arrives before the end.
            let _ = wire.stream.shutdown(&mut self.scratch);
            self.forget_layers(&mut wire.stream);
            for _ in 0..CLOSE_DRAIN {
                if !matches!(wire.stream.discard(&mut self.buffer), Ok(n) if n > 0) {
                    break;
                }
            }
        }
        self.shard.remove(key);
    }
}

//! Files for plain HTTP requests. A shard does not wait for a disk: it asks, and whoever reads
//! files for the control plane answers into its mailbox.

use std::path::PathBuf;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::transport::PageRequest;
use crate::util::Key;

/// Requests that may wait to be read; who comes then is told to come back.
const WAITING: usize = 256;

/// What waits for an answer.
#[derive(Debug)]
pub struct Ask {
    /// The shard of the connection.
    pub shard: u16,
    /// The connection.
    pub connection: Key,
    /// Where the listener's files are.
    pub directory: PathBuf,
    /// The request.
    pub request: PageRequest,
}

/// The answer to an [`Ask`].
#[derive(Debug)]
pub struct Page {
    /// The connection that asked.
    pub connection: Key,
    /// HTTP's status code.
    pub status: u16,
    /// The file's path, whose ending tells its type.
    pub path: String,
    /// The file, or a few words.
    pub body: Vec<u8>,
    /// Only the head is sent.
    pub head_only: bool,
}

impl Ask {
    /// An answer.
    pub fn answer(self, status: u16, body: Vec<u8>) -> (u16, Page) {
        let PageRequest { path, head_only } = self.request;
        (self.shard, Page { connection: self.connection, status, path, body, head_only })
    }

    pub(super) fn busy(self) -> Page {
        self.answer(503, b"busy".to_vec()).1
    }
}

/// The bounded channel from shards to the reader of files.
#[derive(Debug)]
pub struct Pages {
    sender: Sender<Option<Ask>>,
    receiver: Receiver<Option<Ask>>,
}

impl Default for Pages {
    fn default() -> Self {
        let (sender, receiver) = bounded(WAITING);
        Self { sender, receiver }
    }
}

impl Pages {
    /// Gives the request back when too many wait.
    pub(super) fn ask(&self, ask: Ask) -> Result<(), Ask> {
        match self.sender.try_send(Some(ask)) {
            Err(full) => full.into_inner().map_or(Ok(()), Err),
            Ok(()) => Ok(()),
        }
    }

    /// Waits for the next request; `None` when the broker ends.
    pub fn next(&self) -> Option<Ask> {
        self.receiver.recv().ok().flatten()
    }

    /// Ends [`Pages::next`].
    pub(super) fn end(&self) {
        // A full channel is emptied by whoever would otherwise be ended.
        let _ = self.sender.send_timeout(None, std::time::Duration::from_millis(100));
    }
}

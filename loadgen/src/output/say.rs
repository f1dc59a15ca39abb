//! What a command prints as its result.

use std::io::{self, ErrorKind, Write};

/// Writes to standard output. A reader who has seen enough, as `head` has, is no fault of the
/// command: its verdict stands.
///
/// # Errors
/// If it cannot be written for another reason, such as a full disk.
pub fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

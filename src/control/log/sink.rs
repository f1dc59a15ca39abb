//! Where the writer thread writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::LogDest;

/// A request to open the file anew before the next line, so that it can be rotated.
#[derive(Clone, Default)]
pub(super) struct Reopen(Arc<Mutex<bool>>);

impl Reopen {
    pub(super) fn ask(&self) {
        *self.0.lock() = true;
    }

    fn take(&self) -> bool {
        std::mem::take(&mut self.0.lock())
    }
}

/// A stream, or a file that can be opened anew.
pub(super) enum Sink {
    Stderr(io::Stderr),
    Stdout(io::Stdout),
    File { path: PathBuf, file: File, reopen: Reopen },
}

impl Sink {
    /// Opens the destination.
    pub(super) fn open(dest: &LogDest, reopen: Reopen) -> io::Result<Self> {
        Ok(match dest {
            LogDest::Stderr => Self::Stderr(io::stderr()),
            LogDest::Stdout => Self::Stdout(io::stdout()),
            LogDest::File(path) => {
                Self::File { file: append_to(path)?, path: path.clone(), reopen }
            }
        })
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stderr(stream) => stream.write(line),
            Self::Stdout(stream) => stream.write(line),
            Self::File { path, file, reopen } => {
                // If it cannot be opened now, the old file still takes the lines.
                if reopen.take()
                    && let Ok(opened) = append_to(path)
                {
                    *file = opened;
                }
                file.write(line)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stderr(stream) => stream.flush(),
            Self::Stdout(stream) => stream.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}

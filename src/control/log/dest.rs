//! Where the writer thread writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::syslog::Syslog;
use crate::config::table::Logging;
use crate::config::{LogDest, LogType};

/// An open destination. Topics are the writer's own affair.
pub(super) enum Dest {
    Stderr,
    Stdout,
    Syslog(Syslog),
    File { path: PathBuf, file: File },
    Topic,
}

impl Dest {
    /// Opens every destination of the options.
    ///
    /// # Errors
    /// With what cannot be opened, and why.
    pub(super) fn open_all(program: &str, options: &Logging) -> io::Result<Vec<Self>> {
        options.log_dest.0.iter().map(|dest| Self::open(program, dest, options)).collect()
    }

    fn open(program: &str, dest: &LogDest, options: &Logging) -> io::Result<Self> {
        Ok(match dest {
            LogDest::Stderr => Self::Stderr,
            LogDest::Stdout => Self::Stdout,
            LogDest::Topic => Self::Topic,
            LogDest::Syslog => Self::Syslog(
                Syslog::open(program, options.log_facility)
                    .map_err(|error| with_name("the system's log, /dev/log", &error))?,
            ),
            LogDest::File(path) => Self::File {
                file: append_to(path).map_err(|error| with_name(path.display(), &error))?,
                path: path.clone(),
            },
        })
    }

    /// Writes one line.
    pub(super) fn write(&mut self, kind: LogType, line: &str, at: SystemTime) -> io::Result<()> {
        match self {
            Self::Stderr => whole(&mut io::stderr().lock(), line),
            Self::Stdout => whole(&mut io::stdout().lock(), line),
            Self::File { file, .. } => whole(file, line),
            Self::Syslog(syslog) => syslog.send(kind, line, at),
            Self::Topic => Ok(()),
        }
    }

    /// Opens a file anew, so that it can be rotated. If that fails the old one takes the lines.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Self::File { path, file } = self {
            *file = append_to(path).map_err(|error| with_name(path.display(), &error))?;
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn with_name(name: impl std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// One write for the line and its end, so that lines of other programs don't come between.
fn whole(out: &mut impl Write, line: &str) -> io::Result<()> {
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

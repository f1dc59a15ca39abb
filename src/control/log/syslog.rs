//! The system's log: a datagram a line to the socket that syslogd and journald listen on.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process;
use std::time::SystemTime;

use super::stamp::Stamp;
use crate::config::{LogType, TimeFormat};

/// Where the system's log listens.
const SOCKET: &str = "/dev/log";

/// The number of the facility DAEMON, and of LOCAL0.
const DAEMON: u32 = 3;
const LOCAL0: u32 = 16;

/// The system's log.
pub(super) struct Syslog {
    path: PathBuf,
    /// What a message begins with after its time: program and process.
    tag: String,
    facility: u32,
    stamp: Stamp,
    /// Connected as long as sending works: the daemon may be restarted at any time.
    socket: Option<UnixDatagram>,
}

impl Syslog {
    /// Opens it under LOCAL0 to LOCAL7, or DAEMON when `local` is not set.
    ///
    /// # Errors
    /// When nothing listens.
    pub(super) fn open(program: &str, local: Option<i64>) -> io::Result<Self> {
        Self::at(SOCKET.into(), program, local)
    }

    fn at(path: PathBuf, program: &str, local: Option<i64>) -> io::Result<Self> {
        let facility = local.map_or(DAEMON, |local| LOCAL0 + local as u32);
        let tag = format!("{program}[{}]", process::id());
        // The form of RFC 3164, which is what the C library sends.
        let stamp = Stamp::new(TimeFormat::parse("%b %e %H:%M:%S").ok().as_ref());
        let socket = Some(connect(&path)?);
        Ok(Self { path, tag, facility, stamp, socket })
    }

    /// Sends one line.
    ///
    /// # Errors
    /// When the daemon is not there or behind; this never waits for it.
    pub(super) fn send(&mut self, kind: LogType, line: &str, at: SystemTime) -> io::Result<()> {
        let priority = self.facility << 3 | severity(kind);
        let time = self.stamp.text(at);
        let text = format!("<{priority}>{time} {}: {line}", self.tag);
        let socket = match &self.socket {
            Some(socket) => socket,
            None => self.socket.insert(connect(&self.path)?),
        };
        let sent = socket.send(text.as_bytes());
        match sent {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                // It was restarted, perhaps: once more on a new socket.
                self.socket = None;
                let socket = self.socket.insert(connect(&self.path)?);
                socket.send(text.as_bytes()).map(drop)
            }
            other => other.map(drop),
        }
    }
}

fn connect(path: &PathBuf) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// syslog's severity of a kind, the one that Mosquitto gives it.
fn severity(kind: LogType) -> u32 {
    match kind {
        LogType::Error => 3,
        LogType::Warning => 4,
        LogType::Notice | LogType::Subscribe | LogType::Unsubscribe => 5,
        LogType::Information => 6,
        LogType::Debug | LogType::Websockets | LogType::Internal => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).expect("a datagram");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_line_is_a_datagram_with_priority_time_and_program() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("log");
        let daemon = UnixDatagram::bind(&path).expect("bind");
        let mut log = Syslog::at(path.clone(), "pondhawk", Some(2)).expect("it listens");
        log.send(LogType::Warning, "hello", SystemTime::now()).expect("sent");
        let text = received(&daemon);
        assert!(text.starts_with("<148>"), "{text}"); // LOCAL2 is 18, a warning 4.
        assert!(text.ends_with(&format!(" pondhawk[{}]: hello", process::id())), "{text}");
        let mut log = Syslog::at(path, "pondhawk", None).expect("it listens");
        log.send(LogType::Notice, "x", SystemTime::now()).expect("sent");
        assert!(received(&daemon).starts_with("<29>"));
    }

    #[test]
    fn a_daemon_that_was_restarted_is_found_again() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("log");
        let daemon = UnixDatagram::bind(&path).expect("bind");
        let mut log = Syslog::at(path.clone(), "p", None).expect("it listens");
        drop(daemon);
        std::fs::remove_file(&path).expect("remove the socket");
        assert!(log.send(LogType::Notice, "nobody hears this", SystemTime::now()).is_err());
        let daemon = UnixDatagram::bind(&path).expect("bind");
        log.send(LogType::Notice, "back", SystemTime::now()).expect("sent");
        assert!(received(&daemon).ends_with("back"));
    }

    #[test]
    fn a_daemon_that_is_behind_is_not_waited_for() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("log");
        let _daemon = UnixDatagram::bind(&path).expect("bind");
        let mut log = Syslog::at(path, "p", None).expect("it listens");
        let refused =
            (0..100_000).find_map(|_| log.send(LogType::Notice, "x", SystemTime::now()).err());
        assert_eq!(refused.expect("its queue is full").kind(), ErrorKind::WouldBlock);
    }
}

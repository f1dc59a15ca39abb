//! Session secrets in a file, for those who look at traffic with Wireshark.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use parking_lot::Mutex;

/// Writes each secret as a line, in the format that SSLKEYLOGFILE has.
#[derive(Debug)]
pub(in crate::transport) struct KeyLogFile {
    /// Lock: held for one write; taken at handshakes only, when the operator asks for the log.
    file: Mutex<File>,
}

impl KeyLogFile {
    /// Appends to the file.
    pub(in crate::transport) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: Mutex::new(options.open(path)?) })
    }
}

impl rustls::KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = format!("{label} ");
        for (bytes, end) in [(client_random, ' '), (secret, '\n')] {
            bytes.iter().for_each(|byte| line.push_str(&format!("{byte:02x}")));
            line.push(end);
        }
        // A handshake does not fail because a disk is full.
        let _ = self.file.lock().write_all(line.as_bytes());
    }
}

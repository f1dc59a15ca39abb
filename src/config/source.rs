//! Where a configuration comes from: a file and what the command line says.

use std::fs;
use std::path::{Path, PathBuf};

use super::checks::check;
use super::error::{Mistake, Mistakes};
use super::log::LogTypes;
use super::read::Read;
use super::schema::Config;
use super::table::Listener;
use super::{file, mosquitto};

/// The port of MQTT over TCP.
const DEFAULT_PORT: u16 = 1883;

/// A file and the options of the command line that override it. A reload reads it again.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// Ports to listen on at the loopback interface if the file configures no listener.
    pub ports: Vec<u16>,
    /// Log everything.
    pub verbose: bool,
    /// Log nothing, whatever else says what to log.
    pub quiet: bool,
    /// How many shards to run.
    pub shards: Option<i64>,
    /// The file that takes the keys of TLS connections.
    pub tls_keylog: Option<PathBuf>,
}

/// A configuration without mistakes, and what the operator should still know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Sentences for the log.
    pub warnings: Vec<String>,
}

impl Source {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// All mistakes of the file, or that it cannot be read.
    pub fn load(&self) -> Result<Loaded, Mistakes> {
        let Read { mut config, places, mut mistakes, mut warnings } = match &self.file {
            Some(path) => read_file(path)?,
            None => Read::default(),
        };
        if self.quiet {
            config.logging.log_type = LogTypes::NONE;
        } else if self.verbose {
            config.logging.log_type = LogTypes::ALL;
        }
        if self.shards.is_some() {
            config.process.shards = self.shards;
        }
        if config.listeners.is_empty() {
            config.local_only = true;
            config.listeners = self.local_listeners();
        } else if !self.ports.is_empty() {
            warnings.push("--port is ignored, because the configuration has a listener.".into());
        }
        // What could not be read would only seem to contradict the rest.
        if mistakes.is_empty() {
            mistakes.extend(check(&config).into_iter().map(|fault| places.mistake(fault)));
        }
        if !mistakes.is_empty() {
            sort(&mut mistakes);
            return Err(Mistakes(mistakes));
        }
        Ok(Loaded { config, warnings })
    }

    fn local_listeners(&self) -> Vec<Listener> {
        let ports: &[u16] = if self.ports.is_empty() { &[DEFAULT_PORT] } else { &self.ports };
        let listener = |port: &u16| Listener { port: i64::from(*port), ..Listener::default() };
        ports.iter().map(listener).collect()
    }
}

fn read_file(path: &Path) -> Result<Read, Mistakes> {
    let name = path.display().to_string();
    let unreadable = |what: String, mend: &str| Mistake {
        file: name.clone(),
        line: 0,
        option: String::new(),
        what,
        mend: mend.into(),
    };
    let bytes = fs::read(path).map_err(|error| {
        let what = format!("the configuration file cannot be read: {error}");
        unreadable(what, "Check its name and permissions")
    })?;
    if !mosquitto::is_toml(&name, &String::from_utf8_lossy(&bytes)) {
        return Ok(mosquitto::parse(&name, &bytes));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| unreadable("the file is not UTF-8 text".into(), "Write it in UTF-8"))?;
    Ok(file::parse(&name, text))
}

/// Puts mistakes into the order of the lines, file by file.
fn sort(mistakes: &mut [Mistake]) {
    let files: Vec<String> = mistakes.iter().map(|mistake| mistake.file.clone()).collect();
    let first = |file: &String| files.iter().position(|other| other == file);
    mistakes.sort_by_cached_key(|mistake| (first(&mistake.file), mistake.line));
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn with_file(text: &str) -> (tempfile::NamedTempFile, Source) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("write it");
        let source = Source { file: Some(file.path().into()), ..Source::default() };
        (file, source)
    }

    #[test]
    fn without_a_file_the_broker_is_local_and_open() {
        let loaded = Source::default().load().expect("defaults are valid");
        assert!(loaded.config.local_only);
        assert!(loaded.config.allow_anonymous());
        assert_eq!(loaded.config.listeners[0].port, 1883);
        assert!(loaded.warnings.is_empty());
    }

    #[test]
    fn a_file_without_listeners_stays_local_on_the_ports_given() {
        let (_file, mut source) = with_file("max_queued_messages = 9\n");
        source.ports = vec![1884, 1885];
        let config = source.load().expect("valid").config;
        assert!(config.local_only);
        assert_eq!(config.queues.max_queued_messages, 9);
        let ports: Vec<_> = config.listeners.iter().map(|listener| listener.port).collect();
        assert_eq!(ports, [1884, 1885]);
    }

    #[test]
    fn a_configured_listener_closes_the_broker_and_beats_the_ports() {
        let (_file, mut source) = with_file("[[listener]]\nport = 1900\n");
        source.ports = vec![1884];
        let loaded = source.load().expect("valid");
        assert!(!loaded.config.allow_anonymous());
        assert_eq!(loaded.config.listeners.len(), 1);
        assert!(loaded.warnings[0].contains("--port is ignored"), "{:?}", loaded.warnings);
    }

    #[test]
    fn the_command_line_beats_the_file() {
        let (_file, mut source) = with_file("shards = 2\nlog_type = \"none\"\n");
        source.shards = Some(3);
        source.verbose = true;
        let config = source.load().expect("valid").config;
        assert_eq!(config.process.shards, Some(3));
        assert_eq!(config.logging.log_type, LogTypes::ALL);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let source = Source { file: Some("/nowhere/p.toml".into()), ..Source::default() };
        let said = source.load().expect_err("there is no such file").to_string();
        assert!(
            said.starts_with("/nowhere/p.toml: the configuration file cannot be read: No such")
        );
    }
}

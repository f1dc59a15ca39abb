//! Starting the log and controlling it.

use std::io;

use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt};

use super::kinds::Kinds;
use super::line::Line;
use super::sink::{Reopen, Sink};
use crate::config::table::Logging;

/// Lines that may wait for the writer thread.
const QUEUED_LINES: usize = 16_384;

/// A log that is ready to take events.
pub struct Log {
    /// Takes the events.
    pub subscriber: Box<dyn Subscriber + Send + Sync>,
    /// Its controls.
    pub handle: LogHandle,
    /// Writes the last lines when dropped.
    pub guard: LogGuard,
}

/// Ends the writer thread once it has written what waits, for about a second at most.
pub struct LogGuard {
    _worker: WorkerGuard,
}

/// Controls of a running log.
#[derive(Clone)]
pub struct LogHandle {
    kinds: Kinds,
    reopen: Reopen,
    lost: ErrorCounter,
}

impl Log {
    /// Opens the destination and starts the writer thread.
    ///
    /// # Errors
    /// When the log file cannot be opened.
    pub fn start(options: &Logging) -> io::Result<Self> {
        let reopen = Reopen::default();
        let sink = Sink::open(&options.log_dest, reopen.clone())?;
        let (writer, worker) = NonBlockingBuilder::default()
            .buffered_lines_limit(QUEUED_LINES)
            .lossy(true)
            .thread_name("log")
            .finish(sink);
        let lost = writer.error_counter();
        let kinds = Kinds::new(options.log_type);
        let line = Line { format: options.log_format, timestamp: options.log_timestamp };
        let lines = fmt::layer().event_format(line).with_writer(writer).with_ansi(false);
        let subscriber = Registry::default().with(lines).with(kinds.clone());
        let handle = LogHandle { kinds, reopen, lost };
        let guard = LogGuard { _worker: worker };
        Ok(Self { subscriber: Box::new(subscriber), handle, guard })
    }
}

impl LogHandle {
    /// Applies what may change while running, and opens a log file anew.
    pub fn reload(&self, options: &Logging) {
        self.reopen.ask();
        self.kinds.choose(options.log_type);
    }

    /// Lines dropped so far because the writer thread was behind.
    pub fn lost_lines(&self) -> usize {
        self.lost.dropped_lines()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tracing::subscriber::with_default;

    use super::*;
    use crate::config::{LogDest, LogFormat, LogType, LogTypes};

    fn options(file: &Path) -> Logging {
        Logging { log_dest: LogDest::File(file.into()), log_timestamp: false, ..Logging::default() }
    }

    /// What a log with these options writes of what `act` logs.
    fn written(change: impl FnOnce(&mut Logging), act: impl FnOnce(&LogHandle)) -> String {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("log");
        let mut options = options(&file);
        change(&mut options);
        let log = Log::start(&options).expect("the file can be opened");
        with_default(log.subscriber, || act(&log.handle));
        drop(log.guard);
        fs::read_to_string(file).expect("the file is there")
    }

    fn one_of_each() {
        tracing::error!("e");
        tracing::warn!("w");
        tracing::info!(target: "notice", "n");
        tracing::info!("i");
        tracing::debug!("d");
        tracing::debug!(target: "subscribe", "s");
        tracing::debug!(target: "unsubscribe", "u");
        tracing::info!(target: "mio::poll", "chatter");
    }

    #[test]
    fn by_default_errors_warnings_notices_and_information_are_written() {
        let text = written(|_| {}, |_| one_of_each());
        assert_eq!(text, "Error: e\nWarning: w\nn\ni\n");
    }

    #[test]
    fn every_kind_can_be_chosen_alone() {
        let kinds = [
            (LogType::Error, "Error: e\n"),
            (LogType::Warning, "Warning: w\n"),
            (LogType::Notice, "n\n"),
            (LogType::Information, "i\n"),
            (LogType::Debug, "d\n"),
            (LogType::Subscribe, "s\n"),
            (LogType::Unsubscribe, "u\n"),
        ];
        for (kind, line) in kinds {
            let text =
                written(|options| options.log_type = LogTypes::of(&[kind]), |_| one_of_each());
            assert_eq!(text, line);
        }
    }

    #[test]
    fn a_reload_changes_the_kinds() {
        let text = written(
            |options| options.log_type = LogTypes::NONE,
            |handle| {
                one_of_each();
                let all = Logging { log_type: LogTypes::ALL, ..Logging::default() };
                handle.reload(&all);
                one_of_each();
            },
        );
        assert_eq!(text, "Error: e\nWarning: w\nn\ni\nd\ns\nu\n");
    }

    #[test]
    fn lines_begin_with_the_time_in_seconds() {
        let text = written(|options| options.log_timestamp = true, |_| tracing::info!("x"));
        let (time, rest) = text.split_once(": ").expect("a time");
        assert!(time.parse::<u64>().expect("seconds") > 1_700_000_000);
        assert_eq!(rest, "x\n");
    }

    #[test]
    fn a_client_cannot_forge_a_line() {
        let text = written(|_| {}, |_| tracing::info!(id = "a\nb", "hello\r\nError: x\u{1b}[31m"));
        assert_eq!(text, "hello\\r\\nError: x\\u{1b}[31m id=a\\nb\n");
    }

    #[test]
    fn json_lines_carry_kind_message_and_fields() {
        let text = written(
            |options| options.log_format = LogFormat::Json,
            |_| tracing::warn!(count = 3_u64, name = "a\nb", "w"),
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).expect("one JSON object"),
            serde_json::json!({"type": "warning", "message": "w", "count": 3, "name": "a\nb"})
        );
    }

    #[test]
    fn a_rotated_file_is_left_alone_after_a_reload() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (file, rotated) = (directory.path().join("log"), directory.path().join("log.1"));
        let log = Log::start(&options(&file)).expect("the file can be opened");
        with_default(log.subscriber, || {
            tracing::info!("before");
            fs::rename(&file, &rotated).expect("rotate");
            log.handle.reload(&options(&file));
            tracing::info!("after");
        });
        drop(log.guard);
        assert!(fs::read_to_string(&file).expect("a new file").ends_with("after\n"));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        assert!(Log::start(&options(Path::new("/nowhere/log"))).is_err());
    }
}

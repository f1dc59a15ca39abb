//! Starting the log and controlling it.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use tracing::Subscriber;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::dest::Dest;
use super::kinds::Kinds;
use super::layer::{Lost, Queue};
use super::line::Style;
use super::writer::{Order, Publish, Writer};
use crate::config::LogTypes;
use crate::config::table::Logging;
use crate::util::SetAside;

/// Lines that may wait for the writer thread.
const QUEUED_LINES: usize = 16_384;

/// How long the end waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

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
    orders: Sender<Order>,
    ended: Receiver<()>,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // Fails only when the thread has ended.
        let _ = self.orders.send(Order::End);
        // Nothing is ever sent: this ends with the thread, or when waiting has been long enough.
        let _ = self.ended.recv_timeout(LAST_LINES);
    }
}

/// Controls of a running log.
#[derive(Clone)]
pub struct LogHandle {
    /// The program's name, for the system's log.
    program: &'static str,
    kinds: Kinds,
    orders: Sender<Order>,
    lost: Lost,
}

/// Changed options with their destinations open, ready to be installed.
pub struct Prepared {
    types: LogTypes,
    style: Style,
    dests: Vec<Dest>,
}

impl Log {
    /// Opens the destinations and starts the writer thread. `program` is the name in the system's
    /// log.
    ///
    /// # Errors
    /// When a destination cannot be opened, or there is no thread to be had.
    pub fn start(program: &'static str, options: &Logging) -> io::Result<Self> {
        let written = (Style::new(options), Dest::open_all(program, options)?);
        let (lines, taken) = bounded(QUEUED_LINES);
        let (orders, given) = unbounded();
        let (at_end, ended) = bounded(0);
        let lost = Lost::default();
        let writer = Writer::new(taken, given, written, lost.clone(), at_end);
        thread::Builder::new().name("log".into()).spawn(move || writer.run())?;
        let kinds = Kinds::new(options.log_type);
        let queue = Queue { lines, lost: lost.clone() };
        let subscriber = Registry::default().with(queue).with(kinds.clone());
        let guard = LogGuard { orders: orders.clone(), ended };
        let handle = LogHandle { program, kinds, orders, lost };
        Ok(Self { subscriber: Box::new(subscriber), handle, guard })
    }
}

impl LogHandle {
    /// Opens the destinations of changed options; files anew, so that they can be rotated.
    ///
    /// # Errors
    /// When one cannot be opened; the log goes on as it is.
    pub fn prepare(&self, options: &Logging) -> io::Result<Prepared> {
        let dests = Dest::open_all(self.program, options)?;
        Ok(Prepared { types: options.log_type, style: Style::new(options), dests })
    }

    /// Puts changed options into force. The lines said from now on are written as they say.
    pub fn install(&self, prepared: Prepared) {
        self.order(Order::Install(prepared.style, prepared.dests));
        self.kinds.choose(prepared.types);
    }

    /// Opens log files anew, for a rotation.
    pub fn reopen(&self) {
        self.order(Order::Reopen);
    }

    /// From now on lines can be published on topics.
    pub fn attach(&self, publish: Publish) {
        self.order(Order::Attach(publish));
    }

    /// Has the writer hand over the free memory that the allocator has set aside for its thread:
    /// the lines that others said end there.
    pub fn hand_over(&self, to: &mpsc::Sender<SetAside>) {
        self.order(Order::HandOver(to.clone()));
    }

    /// Has the writer give the end of its thread's heap back to the system.
    pub fn give_back(&self) {
        self.order(Order::GiveBack);
    }

    fn order(&self, order: Order) {
        // Fails only when the writer has ended, and with it all that could be ordered.
        let _ = self.orders.send(order);
    }

    /// Lines lost so far because the writer thread was behind or a destination did not take them.
    pub fn lost_lines(&self) -> u64 {
        self.lost.get()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tracing::subscriber::with_default;

    use super::*;
    use crate::config::{LogDest, LogDests, LogFormat, LogType, LogTypes};
    use crate::sync::Arc;

    fn options(file: &Path) -> Logging {
        let log_dest = LogDests(vec![LogDest::File(file.into())]);
        Logging { log_dest, log_timestamp: false, ..Logging::default() }
    }

    /// What a log with these options writes of what `act` logs.
    fn written(change: impl FnOnce(&mut Logging), act: impl FnOnce(&LogHandle)) -> String {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("log");
        let mut options = options(&file);
        change(&mut options);
        let log = Log::start("pondhawk", &options).expect("the file can be opened");
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
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("log");
        let none = Logging { log_type: LogTypes::NONE, ..options(&file) };
        let log = Log::start("pondhawk", &none).expect("the file can be opened");
        with_default(log.subscriber, || {
            one_of_each();
            let all = Logging { log_type: LogTypes::ALL, ..options(&file) };
            let prepared = log.handle.prepare(&all).expect("it can be opened");
            log.handle.install(prepared);
            one_of_each();
        });
        drop(log.guard);
        let text = fs::read_to_string(file).expect("the file is there");
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
        assert_eq!(text, "hello\\r\\nError: x\\u{1b}[31m\n");
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
    fn a_flood_of_lines_alike_is_cut_short_and_summed_up() {
        let text = written(
            |_| {},
            |_| {
                for n in 0..5000 {
                    tracing::info!(target: "notice", like = "garbage", "Garbage {n}.");
                }
                tracing::info!("the rest");
            },
        );
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 102, "{text}");
        assert_eq!(
            lines[100..],
            ["the rest", "4900 more lines like these were kept back: garbage."]
        );
    }

    #[test]
    fn lines_go_to_every_destination_and_to_their_topics() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("log");
        let mut options = options(&file);
        options.log_dest.0.push(LogDest::Topic);
        options.log_type = LogTypes::ALL;
        let log = Log::start("pondhawk", &options).expect("the file can be opened");
        let (sender, published) = crossbeam::channel::unbounded();
        let publish = move |topic: &'static str, line: &str| {
            sender.send((topic, line.to_string())).expect("the test listens");
        };
        log.handle.attach(Arc::new(publish));
        with_default(log.subscriber, one_of_each);
        drop(log.guard);
        let text = fs::read_to_string(&file).expect("the file is there");
        assert_eq!(text, "Error: e\nWarning: w\nn\ni\nd\ns\nu\n");
        let expected = [("E", "Error: e"), ("W", "Warning: w"), ("N", "n"), ("I", "i")];
        let expected = expected.into_iter().chain([("M/subscribe", "s"), ("M/unsubscribe", "u")]);
        let expected: Vec<_> = expected
            .map(|(end, line)| (format!("$SYS/broker/log/{end}"), line.to_string()))
            .collect();
        let published: Vec<_> =
            published.try_iter().map(|(topic, line)| (topic.to_string(), line)).collect();
        assert_eq!(published, expected);
    }

    #[test]
    fn a_destination_that_takes_nothing_loses_lines_and_they_are_counted() {
        let mut options = options(Path::new("/dev/full"));
        options.log_type = LogTypes::ALL;
        let log = Log::start("pondhawk", &options).expect("it can be opened");
        with_default(log.subscriber, one_of_each);
        drop(log.guard);
        assert_eq!(log.handle.lost_lines(), 7);
    }

    #[test]
    fn a_destination_that_stalls_holds_up_nobody() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        // Open for reading too, so that opening it for writing does not wait; never read.
        let reader = fs::File::options().read(true).write(true).open(&fifo).expect("the pipe");
        let log = Log::start("pondhawk", &options(&fifo)).expect("it can be opened");
        with_default(log.subscriber, || {
            // More than the pipe and the queue hold: if a line waited, this would never end.
            (0..60_000).for_each(|n| tracing::info!("line {n}"));
        });
        assert!(log.handle.lost_lines() > 30_000, "{}", log.handle.lost_lines());
        drop((reader, log.guard));
    }

    #[test]
    fn a_rotated_file_is_left_alone_after_a_reload() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (file, rotated) = (directory.path().join("log"), directory.path().join("log.1"));
        let log = Log::start("pondhawk", &options(&file)).expect("the file can be opened");
        with_default(log.subscriber, || {
            tracing::info!("before");
            fs::rename(&file, &rotated).expect("rotate");
            let prepared = log.handle.prepare(&options(&file)).expect("it can be opened");
            log.handle.install(prepared);
            tracing::info!("after");
        });
        drop(log.guard);
        assert!(fs::read_to_string(&file).expect("a new file").ends_with("after\n"));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        let error = Log::start("pondhawk", &options(Path::new("/nowhere/log"))).err();
        assert!(error.expect("refused").to_string().starts_with("/nowhere/log: "));
    }
}

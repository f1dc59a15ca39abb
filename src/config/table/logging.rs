//! Options about the log.

use crate::config::Config;
use crate::config::options::{Spec, options};
use crate::config::words::{LogDest, LogFormat, LogType, LogTypes};

options! {
    /// Logging.
    struct Logging(config: Config => config.logging);

    /// Which kinds of messages are logged.
    log_type: LogTypes = LogTypes::of(&[
            LogType::Error, LogType::Warning, LogType::Notice, LogType::Information,
        ]),
        Spec::ANY, Applied, Mosquitto, flag "-v, --verbose";

    /// Where log lines go. A file is appended to and opened anew on a reload, so that it can be
    /// rotated.
    log_dest: LogDest = LogDest::Stderr, Spec::ANY, Restart, Mosquitto;

    /// How a line is written: `mosquitto` is `1700000000: message`, `json` one object a line.
    log_format: LogFormat = LogFormat::Mosquitto, Spec::ANY, Restart, Pondhawk;

    /// Whether lines begin with the time.
    log_timestamp: bool = true, Spec::ANY, Restart, Mosquitto;

    /// Whether connections and disconnections are logged.
    connection_messages: bool = true, Spec::ANY, Applied, Mosquitto;
}

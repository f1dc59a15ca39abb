//! Options about the log.

use crate::config::Config;
use crate::config::log::{LogDest, LogDests, LogFormat, LogType, LogTypes, TimeFormat};
use crate::config::options::{Spec, options};

options! {
    /// Logging.
    struct Logging(config: Config => config.logging);

    /// Which kinds of messages are logged.
    log_type: LogTypes = LogTypes::of(&[
            LogType::Error, LogType::Warning, LogType::Notice, LogType::Information,
        ]),
        Spec::ANY, Applied, Mosquitto, flag "-v, --verbose";

    /// Where log lines go. A file is appended to, and opened anew on a reload and on SIGRTMIN, so
    /// that it can be rotated. "topic" publishes each line below `$SYS/broker/log`, debug and
    /// internal ones excepted, and 500 a second at most. "none" takes away what stands before it.
    log_dest: LogDests = LogDests(vec![LogDest::Stderr]), Spec::ANY, Applied, Mosquitto;

    /// How a line is written: `mosquitto` is `1700000000: message`, `json` one object a line.
    log_format: LogFormat = LogFormat::Mosquitto, Spec::ANY, Applied, Pondhawk;

    /// Whether lines begin with the time.
    log_timestamp: bool = true, Spec::ANY, Applied, Mosquitto;

    /// How the time is written, in the conversions of strftime and the machine's time zone.
    log_timestamp_format: Option<TimeFormat> = None, Spec::ANY.unset("seconds since 1970"),
        Applied, Mosquitto;

    /// The facility under which lines go to the system's log: 0 is LOCAL0, 7 is LOCAL7.
    log_facility: Option<i64> = None, Spec::between(0, 7).unset("DAEMON"), Applied, Mosquitto;

    /// Whether connections and disconnections are logged.
    connection_messages: bool = true, Spec::ANY, Applied, Mosquitto;
}

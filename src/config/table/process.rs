//! Options of the process as a whole.

use crate::config::Config;
use crate::config::options::{Spec, options};

options! {
    /// The process: threads, memory, its end.
    struct Process(config: Config => config.process);

    /// How many shards to run. A shard is one thread with its own event loop, connections and
    /// sessions.
    shards: Option<i64> = None,
        Spec::between(1, 256).unset("one for each core the process may use"),
        Restart, Pondhawk, flag "--shards";

    /// Whether each shard's thread is tied to one core.
    pin_shards: bool = false, Spec::ANY, Restart, Pondhawk;

    /// Bytes that buffers, queues, sessions, subscriptions and Retained Messages may hold
    /// together. As they near it the broker refuses new connections, then drops QoS 0, then stops
    /// growing queues.
    memory_limit: i64 = 0, Spec::between(0, i64::MAX).unit("bytes").zero("no limit"),
        Applied, Mosquitto;

    /// How often the topics below `$SYS` are brought up to date. It falls on multiples of the
    /// interval by the clock.
    sys_interval: i64 = 10,
        Spec::between(0, 65_535).unit("seconds").zero("no such topics"), Applied, Mosquitto;

    /// Whether Sessions and Retained Messages are kept over a restart. This version keeps them in
    /// memory only and says so in a warning.
    persistence: bool = false, Spec::ANY, Applied, Mosquitto;

    /// The file that the number of the process is written to.
    pid_file: Option<String> = None,
        Spec::bytes_long(1, super::security::PATH_MAX).unset("none is written"),
        Restart, Mosquitto;

    /// The user that a broker started as root goes on as, once its files and ports are open.
    user: Option<String> = None,
        Spec::bytes_long(1, 255).unset("`mosquitto`, or `nobody` where there is no such user"),
        Restart, Mosquitto;

    /// How long connections may take to send what they still hold when the broker is told to
    /// stop.
    shutdown_timeout: i64 = 10, Spec::between(0, 3600).unit("seconds"), Applied, Pondhawk;
}

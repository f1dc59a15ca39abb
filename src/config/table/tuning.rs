//! Options that trade latency, throughput and memory; the defaults suit most machines.

use crate::config::Config;
use crate::config::options::{Spec, options};

options! {
    /// Tuning of the event loops.
    struct Tuning(config: Config => config.tuning);

    /// Commands waiting for a shard above which the connections that feed it are no longer read.
    mailbox_high_water: i64 = 65_536,
        Spec::between(64, 1 << 30).unit("commands"), Applied, Pondhawk;

    /// Bytes read from one connection before others have their turn.
    read_budget_bytes: i64 = 256 << 10,
        Spec::between(1024, 1 << 30).unit("bytes"), Applied, Pondhawk;

    /// Control Packets handled for one connection before others have their turn.
    read_budget_packets: i64 = 512,
        Spec::between(1, 1 << 30).unit("packets"), Applied, Pondhawk;

    /// Unsent output of a connection above which queued messages stay in its Session's queue.
    output_high_water: i64 = 256 << 10,
        Spec::between(1024, 1 << 30).unit("bytes"), Applied, Pondhawk;

    /// Threads that check passwords. Each Argon2id hash takes tens of MiB while it is made.
    password_threads: Option<i64> = None,
        Spec::between(1, 256).unset("half of the cores the process may use, at least one"),
        Restart, Pondhawk;

    /// Passwords that may wait to be checked. Clients beyond that are told that the broker is busy.
    password_queue: i64 = 1024, Spec::between(1, 65_536).unit("passwords"), Restart, Pondhawk;
}

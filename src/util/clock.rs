//! Time as a value. The reactor reads the clock once a turn; all code below it is handed this.

/// One reading of both clocks.
///
/// Deadlines are compared on `mono_ms`, which never steps. `wall_s` is only for what people or
/// other processes read: log lines, `$SYS`, stored timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds on the process's monotonic clock; all shards share its zero.
    pub mono_ms: u64,
    /// Seconds since the Unix epoch. May step either way.
    pub wall_s: u64,
}

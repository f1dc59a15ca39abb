//! The real shard code on the in-memory transport: several shards on one thread, step by step,
//! with a clock set by hand. Bytes are written by hand here too.

mod authentication;
mod certificates;
mod client;
mod drops;
mod gauges;
mod order;
mod passwords;
mod replay;
mod sharing;
mod takeover;
mod time;

//! Counters, one set for each shard.

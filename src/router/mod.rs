//! Routing: who gets a message.
//!
//! The [`Router`] is shared by all shards and answers *which shards* have subscribers for a Topic
//! Name. Nothing here knows a socket, a clock, or a Control Packet. Topic Names and Topic Filters
//! are taken as valid: callers have checked them (UTF-8, wildcards only where they may stand,
//! depth).

#[cfg(test)]
mod naive;
pub mod trie;

pub use trie::{
    FilterId, FilterMatch, Group, GroupId, MAX_SHARDS, Matches, Router, ShardSet, Stamp,
};

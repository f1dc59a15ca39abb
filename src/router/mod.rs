//! Routing: who gets a message.
//!
//! Two levels. The [`Router`] is shared by all shards and answers *which shards* have subscribers
//! for a Topic Name; a shard's own [`SubscriptionTable`] answers *which sessions*. A popular filter
//! therefore costs nothing global to join, and a publisher never touches another shard's
//! subscribers. In front of the router each shard keeps a [`TopicCache`]; beside it lies the
//! shard's part of the Retained Messages, the [`RetainedStore`].
//!
//! Nothing here knows a socket, a clock, or a Control Packet. Topic Names and Topic Filters are
//! taken as valid: callers have checked them (UTF-8, wildcards only where they may stand, depth).

mod cache;
mod index;
mod members;
#[cfg(test)]
mod naive;
mod retained;
mod subscribers;
mod table;
pub mod trie;

pub use cache::TopicCache;
pub use members::ShareStrategy;
pub use retained::{RetainedItem, RetainedStore, ScanState};
pub use subscribers::Subscriber;
pub use table::{Joined, Subscribed, SubscriptionTable};
pub use trie::{
    FilterId, FilterMatch, Group, GroupId, MAX_SHARDS, Matches, Router, ShardSet, Stamp,
};

//! The routing trie: Topic Filter → [`FilterId`], the shards that have subscribers, and the groups.
//!
//! # Shape
//! Filters are split at `/` into a tree of nodes, one node a level, one cache line a node. A node
//! finds its named children through its own *hash trie* (`children`): eight-way branches, picked
//! by three hash bits each. A child is one pointer while it is alone, no branch is ever copied or
//! grown, and no table is ever rehashed, so inserting the millionth child under one parent takes
//! seven steps where the first took one, and there is no stall in between. The `+` child and the
//! entry of the `#` filter hang on the node directly.
//!
//! # Concurrency
//! Filters are partitioned by the hash of their first level; those that begin with a wildcard have
//! a partition of their own. A writer takes its partition's lock for one change. Readers take no
//! lock and write no shared line: they pin an epoch, and whatever a writer unlinks lives until
//! every reader that could have seen it has gone.
//!
//! # Order of reads
//! Every partition has a version, which a writer moves on (`Release`) *after* its change can be
//! seen and *before* [`Router::add`] or [`Router::group_join`] returns. A [`Stamp`] holds the
//! versions that matter to a topic. A shard that caches what [`Router::matches`] found must read
//! the stamp **first**, then match, and cache the result under that stamp.
//!
//! *A PUBLISH sent after its sender saw a SUBACK is matched.* The SUBACK is written after `add`
//! returned, so the change is published and the version moved before the SUBACK leaves; the PUBLISH
//! is caused by the SUBACK, and causality is transitive through the sockets between them (each
//! hand-over in the kernel is a release and an acquire). The publisher's shard reads the stamp
//! after it has read the PUBLISH, so it reads (`Acquire`) the moved version or a later one. If it
//! has an entry cached under that very stamp, the walk that filled it began after that same version
//! was read, hence after the change could be seen; otherwise it walks now. Either way the walk sees
//! the subscription. Were the stamp read after the walk, a change falling between the two would be
//! missing from the walk and yet covered by the stamp: lost until the next change.
//!
//! Member counts of a [`Group`] are not stamped: they are read live each time a shard is picked, so
//! only the creation and the end of a group move a version.

mod children;
mod group;
mod key;
mod link;
mod matches;
mod node;
mod partition;
mod root;
mod shard_set;
#[cfg(test)]
mod tests;

pub use group::{Group, GroupId};
pub use matches::{FilterMatch, Matches};
pub use node::FilterId;
pub use root::{Router, Stamp};
pub use shard_set::{MAX_SHARDS, ShardSet};

//! What shards say to each other.

use std::any::Any;

use smallvec::SmallVec;

use super::Settings;
use crate::auth::Source;
use crate::connection::Parked;
use crate::protocol::Message;
use crate::router::{FilterId, Group, ShardSet};
use crate::sync::Arc;
use crate::util::Key;

/// One entry of a shard's mailbox.
pub enum Command {
    /// Deliver to this shard's subscribers of these filters.
    Deliver {
        /// The message.
        message: Message,
        /// Filters that matched and have subscribers here.
        filters: SmallVec<[FilterId; 2]>,
    },
    /// Deliver to one member of a shared-subscription group.
    DeliverGroup {
        /// The message.
        message: Message,
        /// The group.
        group: Arc<Group>,
        /// Shards that found no member.
        tried: ShardSet,
    },
    /// The sender's topic belongs to this shard: store if retained, then route.
    ByOwner {
        /// The message.
        message: Message,
        /// Hash of its topic.
        hash: u64,
        /// Who sent it, and wants [`Command::OwnerDone`].
        origin: u16,
        /// The acknowledgement that waits there.
        commit: Option<Commit>,
        /// Who published it, to be kept with it.
        source: Option<Arc<Source>>,
    },
    /// A [`Command::ByOwner`] with that topic hash was routed.
    OwnerDone {
        /// Hash of the topic.
        hash: u64,
        /// As in the [`Command::ByOwner`].
        commit: Option<Commit>,
    },
    /// Asks for Retained Messages that match a filter.
    RetainedPull(Box<RetainedPull>),
    /// The answer.
    RetainedPage(Box<RetainedPage>),
    /// A message of the broker itself, whose topic this shard owns.
    Announce(Message),
    /// A connection whose session lives here.
    Adopt(Box<Adopt>),
    /// A connection's password was checked.
    Checked {
        /// The connection, if it is still there.
        connection: Key,
        /// Names the check.
        check: u64,
        /// Whether the password is right.
        right: bool,
    },
    /// Another configuration is in force.
    Apply(Arc<Settings>),
    /// Stop accepting, say goodbye to every Client, close.
    Drain,
    /// For the driver of this shard; the core does not look inside.
    Driver(Box<dyn Any + Send>),
}

/// An acknowledgement that waits on a connection of the shard that sent the message.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// The connection.
    pub connection: Key,
    /// Unique in that shard, never 0.
    pub number: u64,
}

/// See [`Command::RetainedPull`].
pub struct RetainedPull {
    /// Topic Filter.
    pub filter: Box<str>,
    /// The last topic that was examined.
    pub after: Option<Box<str>>,
    /// Where the answer goes.
    pub shard: u16,
    /// The session that asks.
    pub session: Key,
    /// Its replay.
    pub replay: u64,
}

/// See [`Command::RetainedPage`].
pub struct RetainedPage {
    /// The session that asked.
    pub session: Key,
    /// Its replay.
    pub replay: u64,
    /// Messages, in the store's order.
    pub messages: Vec<Message>,
    /// The last topic examined; `None` when the store was read to its end.
    pub more: Option<Box<str>>,
}

/// See [`Command::Adopt`].
pub struct Adopt {
    /// The machine, taken apart.
    pub parked: Parked,
    /// The driver's part of the connection: its socket.
    pub wire: Box<dyn Any + Send>,
}

impl Command {
    /// Bytes that the command keeps alive, for the mailbox's bound.
    pub fn weight(&self) -> usize {
        let held = match self {
            Self::Deliver { message, .. }
            | Self::DeliverGroup { message, .. }
            | Self::ByOwner { message, .. } => message.footprint(),
            Self::Announce(message) => message.footprint(),
            Self::RetainedPage(page) => {
                page.messages.iter().map(|message| message.footprint()).sum()
            }
            _ => 0,
        };
        held + size_of::<Self>()
    }
}

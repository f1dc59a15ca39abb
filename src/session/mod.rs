//! A Client's state that outlives its connections, as plain data with pure methods.
//!
//! A [`Session`] has one *home* shard; only that shard touches it, so nothing in it is atomic
//! or locked. The one shared structure here is the [`Directory`], which tells every shard where
//! a ClientId lives; it is touched only by CONNECT and by the end of a session.
//!
//! Nothing here reads a clock, writes to a socket or logs: `now` comes in as milliseconds.

mod delivery;
mod directory;
mod inflight;
mod queue;
mod received;
mod replay;
mod state;
mod will;

pub use delivery::{Delivery, SubscriptionIds};
pub use directory::{Claim, Directory, Home};
pub use inflight::{Inflight, Received, Resend, Slot};
pub use queue::{Enqueued, Queue, QueueFull, QueueLimits};
pub use received::ReceivedIds;
pub use replay::{Replay, ReplayCursor};
pub use state::{NEVER_EXPIRES, Session, SubscriptionRef};
pub use will::Will;

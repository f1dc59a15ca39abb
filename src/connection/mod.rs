//! The connection actor: a sans-IO machine for one network connection, bytes in, effects out.
//!
//! - [`Connection`] is the incoming side: framing, limits, the state from CONNECT to the end,
//!   one file for each packet family.
//! - [`Link`] is the outgoing side: the output buffer and what the Client allows us to send.
//!   It is apart from the machine because deliveries reach it while another connection's
//!   machine is running.
//! - [`Host`] is all that a machine may ask of its shard; every call returns at once.
//! - `deliver` turns messages into bytes on a link: encode once for each shape, then copy.
//!
//! Lives on one shard's thread; never called from another. Nothing here touches a socket, reads
//! a clock or logs.

mod acks;
mod admission;
mod alias;
mod auth;
mod client_id;
mod close;
mod commit;
mod connect;
mod deliver;
mod disconnect;
mod event;
mod host;
mod link;
mod machine;
mod mount;
mod outgoing;
mod peer;
mod publish;
mod shape;
mod subscribe;
mod within;

pub use alias::{AliasLearner, AliasTable, Chosen};
pub use close::{Close, Flow};
pub use commit::{CommitQueue, committed};
pub use deliver::{DeliverLimits, Outcome, Target, deliver, pump, send_retained};
pub use disconnect::write_disconnect;
pub use event::{Event, Traced, Way, flags};
pub use host::{Host, OpenSession, Opened, Routed, SubscribeRequest, Verdict, Wants};
pub use link::{Link, PayloadRef};
pub use machine::{Connection, Parked, Progress, SECOND_CONNECT};
pub use outgoing::Outgoing;
pub use peer::Peer;
pub use shape::Shapes;

//! Byte streams: accept, read, write, readiness.
//!
//! The layer above sees one [`Stream`] whatever carries it, and knows readiness by the contract
//! in [`crate::reactor`]. Nothing here blocks.

mod listen;
mod stream;

pub use listen::{AcceptState, Accepted, Acceptor, BindError, ListenOptions, bind};
pub use stream::Stream;

//! Byte streams: accept, read, write, readiness.
//!
//! The layer above sees one [`Stream`] whatever carries it, and knows readiness by the contract
//! in [`crate::reactor`]. Nothing here blocks.
//!
//! A plain stream is a socket and nothing else. Where a listener wants more, a PROXY header, TLS
//! and WebSocket stand between socket and MQTT, in this order ([`Layers`] for the listener,
//! [`Layered`] for a connection). docs/transports.md tells how they behave.

mod connected;
mod http;
mod layered;
mod layers;
mod listen;
mod output;
mod proxy;
mod socket;
mod stream;
mod tls;
mod websocket;

pub use connected::Socket;
pub use http::PageRequest;
pub use layered::{Introduction, Layered, Need, Scratch};
pub use layers::{KeyLog, Layers, Transports};
pub use listen::{AcceptState, Accepted, Acceptor, NO_ADDRESS};
pub use socket::{ListenAddress, ListenSocket};
pub use stream::{Next, Received, Stream};

//! From a client's bytes to the wire: TCP, TLS, WebSocket, and where connections come from.

mod base;
mod dialer;
mod endpoint;
mod limits;
mod sources;
mod stream;
mod tls;
mod upgrade;
mod ws;

pub use dialer::{Dialed, Dialer};
pub use endpoint::Endpoint;
pub use limits::{Limits, descriptor_limit, raise_descriptor_limit};
pub use sources::{Network, Sources};
pub use stream::Stream;
pub use tls::{TlsSettings, client_config};

//! A client with its connection.

use crate::client::Client;

use super::keep_alive::ENTRY_BYTES;
use super::link::Link;

/// Bytes that one idle client takes here, with its place in the queue of keep-alives.
pub const SEAT_BYTES: usize = size_of::<Seat>() + ENTRY_BYTES;

/// A client with its connection.
#[derive(Debug)]
pub struct Seat {
    /// The client.
    pub client: Client,
    /// Its connection.
    pub link: Option<Link>,
    /// Number among all clients of the process.
    pub number: u32,
    /// Connections begun.
    pub dials: u32,
    /// Tries since it was last connected.
    pub tries: u32,
    /// Its handshake is under way: it counts against the window of connections being opened.
    pub pending: bool,
    /// It has lost its connection for good.
    pub gone: bool,
    /// Waits in the list of slow readers.
    pub slow: bool,
}

impl Seat {
    /// A client without a connection.
    pub fn new(client: Client, number: u32) -> Self {
        Self {
            client,
            link: None,
            number,
            dials: 0,
            tries: 0,
            pending: false,
            gone: false,
            slow: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound of docs/million.md: a million idle clients in 300 MB.
    #[test]
    fn an_idle_client_takes_less_than_300_bytes() {
        const { assert!(SEAT_BYTES < 300) };
    }
}

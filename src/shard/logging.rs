//! Log lines of the data plane, in Mosquitto's wording. The subscriber behind `tracing` hands
//! lines to a writer thread, so nothing here waits for a file.

use tracing::{debug, info, warn};

use crate::connection::{Close, Event};
use crate::protocol::{ReasonCode, Version};

/// Writes the events of one turn.
pub(super) fn write(events: Vec<Event>) {
    for event in events {
        write_one(event);
    }
}

fn write_one(event: Event) {
    match event {
        Event::Connected { peer, client_id, version, clean_start, keep_alive, username } => {
            let level = match version {
                Version::V31 => 1,
                Version::V311 => 2,
                Version::V5 => 5,
            };
            let clean = u8::from(clean_start);
            let user = username.map(|name| format!(", u'{name}'")).unwrap_or_default();
            info!(
                target: "notice",
                "New client connected from {peer} as {client_id} \
                 (p{level}, c{clean}, k{keep_alive}{user})."
            );
        }
        Event::ConnectRefused { peer, what } => {
            info!(target: "notice", "Client {peer} not connected: {what}.");
        }
        Event::Closed { peer, client_id, close, reason } => closed(peer, &client_id, close, reason),
        Event::Dropping { client_id, reason } => {
            warn!(
                target: "warning",
                "Outgoing messages are being dropped for client {client_id}: {}.",
                reason.help().to_lowercase()
            );
        }
        Event::Subscribed { client_id, filter, code } => {
            debug!(target: "subscribe", "{client_id} {} {filter}", code.0);
        }
        Event::Unsubscribed { client_id, filter } => {
            debug!(target: "unsubscribe", "{client_id} {filter}");
        }
        Event::Published { client_id, topic, flags, packet_id, payload } => {
            let (dup, qos, retain) = (flags >> 3, flags >> 1 & 3, flags & 1);
            debug!(
                target: "debug",
                "Received PUBLISH from {client_id} (d{dup}, q{qos}, r{retain}, m{packet_id}, \
                 '{topic}', ... ({payload} bytes))"
            );
        }
    }
}

fn closed(peer: std::net::SocketAddr, client_id: &str, close: Close, reason: ReasonCode) {
    match close {
        Close::Disconnected { .. } => {
            info!(target: "notice", "Client {client_id} [{peer}] disconnected.");
        }
        Close::PeerGone => {
            info!(target: "notice", "Client {client_id} [{peer}] closed its connection.");
        }
        Close::Refused { what, .. } => {
            let name = reason.name();
            info!(
                target: "notice",
                "Client {client_id} [{peer}] disconnected by the broker: {what} \
                 (0x{:02X}, {name}).",
                reason.0
            );
        }
        Close::Silent { what } => {
            info!(
                target: "notice",
                "Client {client_id} [{peer}] disconnected by the broker: {what}."
            );
        }
    }
}

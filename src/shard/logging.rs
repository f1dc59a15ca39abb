//! Log lines of the data plane, in Mosquitto's wording: people's scripts look for it. The
//! subscriber behind `tracing` hands lines to a writer thread: nothing here waits for a file.
//!
//! Where Mosquitto's sentence says less than we know, a line of information follows it. What has a
//! meaning for programs is a field, too: `event`, `client`, `address`, `reason`, and so on; JSON
//! lines carry them, and `docs/operating.md` lists them.

use tracing::{debug, info, warn};

use crate::connection::{Close, Event, Peer, SECOND_CONNECT, Traced, Way};
use crate::protocol::{PacketType, ReasonCode, Version};

/// What a Client is called before its CONNECT is through.
const UNKNOWN: &str = "<unknown>";

/// What lines about connections that never become a Client's are kept back as.
const STRANGERS: &str = "connections that ended before CONNECT was through";

/// A connection was accepted on a listener's port.
pub(super) fn accepted(peer: &Peer, port: u16) {
    info!(
        target: "notice",
        like = "new connections",
        event = "accepted",
        address = peer.to_string(),
        port,
        "New connection from {peer} on port {port}."
    );
}

/// A connection was closed at once, for a limit.
pub(super) fn denied(peer: &Peer) {
    info!(
        target: "notice",
        like = "connections denied",
        event = "denied",
        address = peer.to_string(),
        "Client connection from {peer} denied: max_connections, \
         max_unauthenticated_per_address or memory_limit is reached."
    );
}

/// A peer does not speak what its listener expects below MQTT.
pub(super) fn not_understood(peer: &Peer, what: &str) {
    info!(
        target: "notice",
        like = STRANGERS,
        event = "disconnected",
        client = UNKNOWN,
        address = peer.to_string(),
        detail = what,
        "Connection from {peer} refused: {what}."
    );
}

/// Writes the events of one turn.
pub(super) fn write(events: Vec<Event>) {
    for event in events {
        write_one(event);
    }
}

fn write_one(event: Event) {
    match event {
        Event::Connected { .. } => connected(event),
        Event::TakenOver { client_id } => {
            info!(
                target: "notice",
                event = "taken_over",
                client = &*client_id,
                "Client {client_id} already connected, closing old connection."
            );
        }
        Event::Closed { peer, client_id, close, reason } => {
            closed(&peer, &client_id, close, reason)
        }
        Event::Dropping { client_id, reason } => {
            info!(
                target: "notice",
                event = "dropping",
                client = &*client_id,
                reason = reason.name(),
                "Outgoing messages are being dropped for client {client_id}."
            );
            info!("Client {client_id}: {}.", reason.help());
        }
        Event::ReceiveMaximumExceeded { client_id } => {
            warn!(
                target: "warning",
                like = "clients that exceed the Receive Maximum",
                event = "receive_maximum_exceeded",
                client = &*client_id,
                "Client {client_id} has exceeded its receive-maximum quota. This behaviour must be \
                 fixed on the client."
            );
        }
        Event::Subscribed { client_id, filter, code } => {
            debug!(
                target: "subscribe",
                event = "subscribed",
                client = &*client_id,
                filter = &*filter,
                reason = code.0,
                "{client_id} {} {filter}",
                code.0
            );
        }
        Event::Unsubscribed { client_id, filter } => {
            debug!(
                target: "unsubscribe",
                event = "unsubscribed",
                client = &*client_id,
                filter = &*filter,
                "{client_id} {filter}"
            );
        }
        Event::Packet { client_id, way, packet } => {
            let line = packet_line(&client_id, way, &packet);
            debug!(target: "debug", client = &*client_id, "{line}");
        }
    }
}

fn connected(event: Event) {
    let Event::Connected { peer, client_id, version, clean_start, keep_alive, username } = event
    else {
        return;
    };
    let level = match version {
        Version::V31 => 1,
        Version::V311 => 2,
        Version::V5 => 5,
    };
    let clean = u8::from(clean_start);
    let user = username.as_ref().map(|name| format!(", u'{name}'")).unwrap_or_default();
    info!(
        target: "notice",
        event = "connected",
        client = &*client_id,
        address = peer.to_string(),
        username = username.as_deref(),
        version = version as u8,
        keep_alive,
        "New client connected from {peer} as {client_id} (p{level}, c{clean}, k{keep_alive}{user})."
    );
}

/// Mosquitto's sentence for the end of a connection, and what it leaves unsaid.
fn closed(peer: &Peer, client_id: &str, close: Close, reason: ReasonCode) {
    let stranger = client_id.is_empty();
    let client = if stranger { UNKNOWN } else { client_id };
    let (sentence, what) = match close {
        // Said when it happened; and at the end of the process nobody wants a line for each.
        Close::Refused { reason: ReasonCode::SESSION_TAKEN_OVER, .. }
        | Close::Refused { reason: ReasonCode::SERVER_SHUTTING_DOWN, .. } => return,
        Close::Reported => return,
        Close::Disconnected { .. } => (format!("Client {client} disconnected."), None),
        Close::PeerGone => (format!("Client {client} closed its connection."), None),
        Close::Refused { what, .. } => (refused(client, reason, what), Some(what)),
        Close::Silent { what } => (silent(client, what), Some(what)),
    };
    let like = stranger.then_some(STRANGERS);
    let address = peer.to_string();
    let event = "disconnected";
    let reason_code = reason.0;
    info!(
        target: "notice", like, event, client, address, reason = reason_code, detail = what,
        "{sentence}"
    );
    match what {
        // Strangers get one line; whoever looks for a fault sees what they did.
        Some(what) if stranger => {
            debug!(target: "debug", like, "Connection from {peer}: {what}.");
        }
        Some(SECOND_CONNECT) | None => {}
        Some(what) => {
            info!("Client {client} [{peer}]: {what} (0x{:02X}, {}).", reason.0, reason.name())
        }
    }
}

/// The sentence for a Client that broke a rule or a limit.
fn refused(client: &str, reason: ReasonCode, what: &str) -> String {
    if what == SECOND_CONNECT {
        info!(target: "notice", "Bad client {client} sending multiple CONNECT messages.");
    }
    let due_to = match reason {
        ReasonCode::KEEP_ALIVE_TIMEOUT => {
            return format!("Client {client} has exceeded timeout, disconnecting.");
        }
        ReasonCode::NOT_AUTHORIZED | ReasonCode::BAD_USER_NAME_OR_PASSWORD | ReasonCode::BANNED => {
            return format!("Client {client} disconnected, not authorised.");
        }
        ReasonCode::ADMINISTRATIVE_ACTION => {
            return format!("Client {client} been disconnected by administrative action.");
        }
        ReasonCode::MALFORMED_PACKET => "malformed packet",
        ReasonCode::PACKET_TOO_LARGE => "oversize packet",
        ReasonCode::PROTOCOL_ERROR
        | ReasonCode::UNSUPPORTED_PROTOCOL_VERSION
        | ReasonCode::CLIENT_IDENTIFIER_NOT_VALID
        | ReasonCode::TOPIC_ALIAS_INVALID
        | ReasonCode::RECEIVE_MAXIMUM_EXCEEDED => "protocol error",
        ReasonCode::QOS_NOT_SUPPORTED
        | ReasonCode::RETAIN_NOT_SUPPORTED
        | ReasonCode::BAD_AUTHENTICATION_METHOD => {
            "using not allowed feature (QoS too high, retain not supported, or bad AUTH method)"
        }
        _ => return format!("Client {client} disconnected by the broker: {what}."),
    };
    format!("Client {client} disconnected due to {due_to}.")
}

/// The sentence for a connection that is closed without a word.
fn silent(client: &str, what: &str) -> String {
    match what {
        NO_CONNECT => format!("Client {client} has exceeded timeout, disconnecting."),
        _ => format!("Client {client} disconnected due to protocol error."),
    }
}

/// Why a connection is closed whose CONNECT did not come.
pub(super) const NO_CONNECT: &str = "no CONNECT in time";

/// The debug line of a packet, or of a part of one.
fn packet_line(client: &str, way: Way, packet: &Traced) -> String {
    let (verb, to) = match way {
        Way::Received => ("Received", "from"),
        Way::Sending => ("Sending", "to"),
        Way::Denied => ("Denied", "from"),
    };
    let name = |kind: &PacketType| format!("{kind:?}").to_uppercase();
    match packet {
        Traced::Plain(kind) => format!("{verb} {} {to} {client}", name(kind)),
        Traced::Reason { kind, code } => format!("{verb} {} {to} {client} (rc{code})", name(kind)),
        Traced::Connack { session_present, code } => {
            let present = u8::from(*session_present);
            format!("{verb} CONNACK {to} {client} ({present}, {code})")
        }
        Traced::Publish { flags, packet_id, topic, payload } => {
            let (dup, qos, retain) = (flags >> 3, flags >> 1 & 3, flags & 1);
            format!(
                "{verb} PUBLISH {to} {client} (d{dup}, q{qos}, r{retain}, m{packet_id}, '{topic}', \
                 ... ({payload} bytes))"
            )
        }
        Traced::Ack { kind, packet_id, code } => {
            let about = match (way, kind) {
                (Way::Received, PacketType::Puback | PacketType::Pubcomp) => {
                    format!("Mid: {packet_id}, RC:{code}")
                }
                (Way::Received, _) => format!("Mid: {packet_id}"),
                (_, PacketType::Puback | PacketType::Pubrec) => format!("m{packet_id}, rc{code}"),
                _ => format!("m{packet_id}"),
            };
            format!("{verb} {} {to} {client} ({about})", name(kind))
        }
        Traced::Filter { filter, qos: Some(qos) } => format!("\t{filter} (QoS {qos})"),
        Traced::Filter { filter, qos: None } => format!("\t{filter}"),
        Traced::Will(None) => "No will message specified.".into(),
        Traced::Will(Some((topic, payload, flags))) => {
            let (qos, retain) = (flags >> 1 & 3, flags & 1);
            debug!(
                target: "debug",
                "Will message specified ({payload} bytes) (r{retain}, q{qos})."
            );
            format!("\t{topic}")
        }
    }
}

//! The configuration as the data plane reads it.

use std::sync::Arc;

use super::listeners::ListenerRuntime;
use super::schema::Config;
use super::words::{QueueFullPolicy, SharedStrategy};

/// "No limit" of the counts and byte sizes below: comparing with it needs no special case.
pub const UNLIMITED: u64 = u64::MAX;

/// The largest Control Packet the protocol can express: a fixed header of five bytes and the
/// largest Remaining Length [MQTT-1.5.5].
const LARGEST_PACKET: u32 = 5 + 268_435_455;

/// How often expired Retained Messages are looked for when nothing is configured: often enough
/// that they hold no memory for long, seldom enough to cost nothing.
const RETAINED_SWEEP_MS: u64 = 1000;

/// Everything the shards need to know; replaced as a whole on a reload.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// How many shards run.
    pub shards: usize,
    /// Whether each shard's thread is tied to one core.
    pub pin_shards: bool,
    /// Whether connections and disconnections are logged.
    pub connection_messages: bool,
    /// Bytes all shards may hold together.
    pub memory_limit: u64,
    /// Milliseconds that connections have to send what they hold when the broker stops.
    pub shutdown_timeout_ms: u64,
    /// Sessions of the whole broker.
    pub sessions_max: u64,
    /// Until CONNECT is complete.
    pub connect: ConnectLimits,
    /// What one packet may be.
    pub packets: PacketLimits,
    /// What a session may hold.
    pub session: SessionLimits,
    /// What the broker offers.
    pub features: Features,
    /// How work is divided.
    pub turn: TurnLimits,
    /// How passwords are checked.
    pub passwords: PasswordLimits,
    /// What every Client Identifier has to begin with.
    pub client_id_prefix: Option<Box<str>>,
    /// Whether a Retained Message is sent only while its publisher may still publish to its topic.
    pub check_retain_source: bool,
    /// Whether a session is its user's alone.
    pub bind_sessions: bool,
    /// Server Reference in a CONNACK or DISCONNECT that sends a Client away.
    pub server_reference: Option<Box<str>>,
    /// Response Information for Clients that request it.
    pub response_information: Option<Box<str>>,
    /// The listeners, each with an id that it keeps over reloads.
    pub listeners: Box<[Arc<ListenerRuntime>]>,
}

/// Limits until CONNECT is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectLimits {
    /// Milliseconds from accepting to a complete CONNECT.
    pub timeout_ms: u64,
    /// The largest CONNECT in bytes, the whole packet.
    pub packet_size: u32,
    /// Connections of the whole broker; `u32::MAX` is no limit.
    pub connections: u32,
    /// Connections of one address that may wait for their CONNECT; `u32::MAX` is no limit.
    pub per_address: u32,
    /// The longest Keep Alive in seconds; 0 is no limit and then allows a Keep Alive of 0.
    pub max_keep_alive: u16,
}

/// Limits on packets once connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketLimits {
    /// The largest packet in bytes, the whole packet; at most what the protocol can express.
    pub maximum_packet_size: u32,
    /// Whether [`Self::maximum_packet_size`] was configured, and so is told to Clients.
    pub announce_maximum: bool,
    /// The Receive Maximum told to Clients; at least 1.
    pub receive_maximum: u16,
    /// The largest payload routed, in bytes.
    pub payload_size: u64,
    /// Whether exceeding the Receive Maximum ends the connection.
    pub strict: bool,
    /// User Properties a packet may carry.
    pub user_properties: u32,
}

/// Limits on what one session holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// QoS 1 and QoS 2 messages under way to the Client; at least 1.
    pub inflight_messages: u16,
    /// Bytes of those; one message may exceed it alone.
    pub inflight_bytes: u64,
    /// Messages waiting.
    pub queued_messages: u64,
    /// Bytes of messages waiting.
    pub queued_bytes: u64,
    /// Whether QoS 0 messages wait for a Client that is not connected.
    pub queue_qos0: bool,
    /// Whether a subscription's QoS counts even where the message was published with a lower one.
    pub upgrade_qos: bool,
    /// What gives way when the queue is full.
    pub queue_full: QueueFullPolicy,
    /// Unsent output in bytes above which QoS 0 is dropped.
    pub qos0_buffer_bytes: u64,
    /// The longest Session Expiry Interval in seconds; `u32::MAX` is never, as on the wire.
    pub expiry_s: u32,
}

/// What the broker offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Retained Messages.
    pub retain: bool,
    /// Milliseconds from one look for expired Retained Messages to the next.
    pub retained_sweep_ms: u64,
    /// Wildcards in Topic Filters.
    pub wildcards: bool,
    /// Subscription Identifiers.
    pub subscription_ids: bool,
    /// Shared subscriptions.
    pub shared: bool,
    /// How a member of a shared subscription is chosen.
    pub shared_strategy: SharedStrategy,
    /// Overlapping subscriptions each deliver their own copy.
    pub duplicates: bool,
}

/// How a shard divides its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnLimits {
    /// Commands in a mailbox above which its feeders are no longer read.
    pub mailbox_high_water: usize,
    /// Bytes read from one connection in a turn.
    pub read_bytes: usize,
    /// Packets handled for one connection in a turn.
    pub read_packets: usize,
    /// Unsent output in bytes above which queued messages stay queued.
    pub output_high_water: usize,
}

/// How passwords are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordLimits {
    /// Threads that do it; at least 1.
    pub threads: usize,
    /// Passwords that may wait for them; at least 1.
    pub queue: usize,
}

impl Runtime {
    /// The listener of that id.
    pub fn listener(&self, id: u32) -> Option<&Arc<ListenerRuntime>> {
        self.listeners.iter().find(|listener| listener.id == id)
    }
}

impl Config {
    /// Compiles the configuration for a machine on which the process may use `cores` cores.
    pub fn compile(&self, cores: usize) -> Runtime {
        Runtime {
            shards: self.process.shards.map_or(cores.max(1), |shards| shards as usize),
            pin_shards: self.process.pin_shards,
            connection_messages: self.logging.connection_messages,
            memory_limit: limit(self.process.memory_limit),
            shutdown_timeout_ms: self.process.shutdown_timeout as u64 * 1000,
            sessions_max: limit(self.clients.global_max_clients.max(0)),
            connect: self.connect_limits(),
            packets: self.packet_limits(),
            session: self.session_limits(),
            features: self.offered(),
            turn: self.turn_limits(),
            passwords: self.password_limits(cores),
            client_id_prefix: self.security.clientid_prefixes.as_deref().map(Box::from),
            check_retain_source: self.security.check_retain_source,
            bind_sessions: self.security.bind_sessions_to_users,
            server_reference: self.clients.server_reference.as_deref().map(Box::from),
            response_information: self.clients.response_information.as_deref().map(Box::from),
            listeners: self.listener_runtimes(),
        }
    }

    fn connect_limits(&self) -> ConnectLimits {
        let clients = &self.clients;
        ConnectLimits {
            timeout_ms: clients.connect_timeout as u64 * 1000,
            packet_size: clients.max_connect_packet_size as u32,
            connections: limit32(clients.global_max_connections.max(0)),
            per_address: limit32(clients.max_unauthenticated_per_address),
            max_keep_alive: clients.max_keepalive as u16,
        }
    }

    fn packet_limits(&self) -> PacketLimits {
        let packets = &self.packets;
        let inflight = self.session_limits().inflight_messages;
        PacketLimits {
            maximum_packet_size: match packets.max_packet_size {
                0 => LARGEST_PACKET,
                size => size as u32,
            },
            announce_maximum: packets.max_packet_size != 0,
            receive_maximum: packets.receive_maximum.map_or(inflight, |maximum| maximum as u16),
            payload_size: limit(packets.message_size_limit),
            strict: packets.strict,
            user_properties: packets.max_user_properties as u32,
        }
    }

    fn session_limits(&self) -> SessionLimits {
        let queues = &self.queues;
        let expiry = self.clients.persistent_client_expiration.0;
        SessionLimits {
            inflight_messages: match queues.max_inflight_messages {
                0 => u16::MAX,
                messages => messages as u16,
            },
            inflight_bytes: limit(queues.max_inflight_bytes),
            queued_messages: limit(queues.max_queued_messages),
            queued_bytes: limit(queues.max_queued_bytes),
            queue_qos0: queues.queue_qos0_messages,
            upgrade_qos: queues.upgrade_outgoing_qos,
            queue_full: queues.queue_full_policy,
            qos0_buffer_bytes: limit(queues.max_qos0_buffer_bytes),
            // A span that the wire cannot express (136 years) must not turn into "never".
            expiry_s: expiry.map_or(u32::MAX, |s| s.min(u64::from(u32::MAX - 1)) as u32),
        }
    }

    fn offered(&self) -> Features {
        let features = &self.features;
        Features {
            retain: features.retain_available,
            retained_sweep_ms: match features.retain_expiry_interval {
                0 => RETAINED_SWEEP_MS,
                minutes => minutes as u64 * 60_000,
            },
            wildcards: features.wildcard_subscription_available,
            subscription_ids: features.subscription_identifiers_available,
            shared: features.shared_subscription_available,
            shared_strategy: features.shared_subscription_strategy,
            duplicates: features.allow_duplicate_messages,
        }
    }

    fn password_limits(&self, cores: usize) -> PasswordLimits {
        let tuning = &self.tuning;
        PasswordLimits {
            threads: tuning.password_threads.map_or((cores / 2).max(1), |n| n as usize),
            queue: tuning.password_queue as usize,
        }
    }

    fn turn_limits(&self) -> TurnLimits {
        let tuning = &self.tuning;
        TurnLimits {
            mailbox_high_water: tuning.mailbox_high_water as usize,
            read_bytes: tuning.read_budget_bytes as usize,
            read_packets: tuning.read_budget_packets as usize,
            output_high_water: tuning.output_high_water as usize,
        }
    }
}

/// A configured limit of which 0 means none. The table keeps it from being negative.
fn limit(configured: i64) -> u64 {
    if configured == 0 { UNLIMITED } else { configured as u64 }
}

pub(super) fn limit32(configured: i64) -> u32 {
    if configured == 0 { u32::MAX } else { configured as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::Listener;
    use crate::config::value::Expiry;

    #[test]
    fn defaults_compile_to_what_the_documentation_says() {
        let runtime = Config::default().compile(4);
        assert_eq!(runtime.shards, 4);
        assert_eq!(runtime.memory_limit, UNLIMITED);
        assert_eq!(runtime.connect.timeout_ms, 10_000);
        assert_eq!(runtime.packets.maximum_packet_size, 268_435_460);
        assert!(!runtime.packets.announce_maximum);
        assert_eq!(runtime.packets.receive_maximum, 20);
        assert_eq!(runtime.session.queued_messages, 1000);
        assert_eq!(runtime.session.queued_bytes, UNLIMITED);
        assert_eq!(runtime.session.qos0_buffer_bytes, 1_048_576);
        assert_eq!(runtime.session.expiry_s, u32::MAX);
    }

    #[test]
    fn zero_means_unlimited_where_mosquitto_says_so() {
        let mut config = Config::default();
        config.queues.max_inflight_messages = 0;
        config.queues.max_queued_messages = 0;
        config.listeners.push(Listener { max_connections: 0, ..Listener::default() });
        config.listeners.push(Listener::default());
        let runtime = config.compile(1);
        assert_eq!(runtime.session.inflight_messages, 65_535);
        assert_eq!(runtime.packets.receive_maximum, 65_535);
        assert_eq!(runtime.session.queued_messages, UNLIMITED);
        assert_eq!(runtime.listeners[0].max_connections, u32::MAX);
        assert_eq!(runtime.listeners[1].max_connections, u32::MAX);
        assert_eq!(runtime.listeners[1].id, 1);
    }

    #[test]
    fn a_configured_value_is_carried_over() {
        let mut config = Config::default();
        config.packets.max_packet_size = 5000;
        config.packets.receive_maximum = Some(7);
        config.clients.persistent_client_expiration = Expiry(Some(u64::MAX));
        config.listeners.push(Listener { max_connections: 3, ..Listener::default() });
        let runtime = config.compile(1);
        assert_eq!(runtime.packets.maximum_packet_size, 5000);
        assert!(runtime.packets.announce_maximum);
        assert_eq!(runtime.packets.receive_maximum, 7);
        assert_eq!(runtime.session.expiry_s, u32::MAX - 1);
        assert_eq!(runtime.listeners[0].max_connections, 3);
    }
}

//! What a connection's machine may ask of its shard.

use super::{Event, Link, Outgoing, Traced, Way};
use crate::auth::{Attempt, Identity, Methods, Refusal};
use crate::config::{ListenerRuntime, Runtime};
use crate::metrics::ShardMetrics;
use crate::protocol::{PacketType, QoS, SubscribeOptions, Version};
use crate::session::{Session, Will};
use crate::sync::Arc;
use crate::util::{Key, Now};

/// A CONNECT that has passed limits and authentication.
#[derive(Debug)]
pub struct OpenSession {
    /// ClientId; assigned by the broker if the Client sent none.
    pub client_id: Arc<str>,
    /// End any session of that ClientId first.
    pub clean_start: bool,
    /// Session Expiry Interval in seconds, [`crate::session::NEVER_EXPIRES`] for none.
    pub expiry_s: u32,
    /// Protocol version.
    pub version: Version,
    /// The Will of this connection.
    pub will: Option<Box<Will>>,
    /// Who the Client is.
    pub identity: Identity,
    /// The listener it came by.
    pub listener: u32,
}

/// Where the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Here; the connection is bound to it.
    Here {
        /// The session.
        session: Key,
        /// Session Present.
        present: bool,
    },
    /// On another shard; the connection has to go there.
    Elsewhere(u16),
    /// It belongs to somebody else.
    Refused,
    /// Nowhere, and there may be no more sessions.
    Full,
}

/// What became of a PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routed {
    /// At least one subscription matched.
    pub matched: bool,
    /// The answer that the acknowledgement has to wait for; 0 for none.
    pub commit: u64,
}

/// One Topic Filter of a SUBSCRIBE, checked.
#[derive(Clone, Copy, Debug)]
pub struct SubscribeRequest<'a> {
    /// The filter without `$share/<group>/`.
    pub filter: &'a str,
    /// Share name of a shared subscription.
    pub group: Option<&'a str>,
    /// Options; the QoS is already lowered to what the broker grants.
    pub options: SubscribeOptions,
    /// Subscription Identifier, 0 for none.
    pub subscription_id: u32,
}

/// See the module's documentation. Every call returns at once.
pub trait Host {
    /// The time of this turn.
    fn now(&self) -> Now;
    /// Compiled configuration.
    fn config(&self) -> &Arc<Runtime>;
    /// This shard's counters.
    fn metrics(&self) -> &ShardMetrics;
    /// Enhanced authentication methods on offer.
    fn methods(&self) -> &Methods;
    /// The outgoing side of a connection of this shard, with a buffer to write to.
    fn link(&mut self, connection: Key) -> &mut Link;
    /// A session of this shard; the caller holds its key from [`Opened::Here`].
    fn session(&mut self, session: Key) -> &mut Session;
    /// A packet was written to the connection's link: it is flushed at the end of the turn.
    fn sent(&mut self, connection: Key, packet_type: PacketType);
    /// Judges a CONNECT of that listener by what it says of its Client.
    fn authenticate(
        &mut self,
        connection: Key,
        listener: &ListenerRuntime,
        attempt: Attempt<'_>,
    ) -> Verdict;
    /// Generation of the policies in force: what was decided under another one is out of date.
    fn policy_generation(&self) -> u64;
    /// Whether the session's Client may publish to `topic`.
    fn may_publish(&mut self, session: Key, topic: &str) -> bool;
    /// Finds or creates the session, taking over its present connection.
    fn open(&mut self, connection: Key, request: OpenSession) -> Opened;
    /// Routes a message to all its subscribers. If it has to be committed elsewhere first,
    /// `connection` hears of it by [`super::committed`].
    fn publish(&mut self, connection: Key, outgoing: &mut Outgoing<'_>) -> Routed;
    /// Makes a subscription; when this returns it is visible to every shard.
    fn subscribe(&mut self, session: Key, request: SubscribeRequest<'_>) -> QoS;
    /// Starts sending Retained Messages of the subscriptions just made; they follow the SUBACK.
    fn start_replays(&mut self, session: Key);
    /// Removes a subscription; false when there was none.
    fn unsubscribe(&mut self, session: Key, filter: &str, group: Option<&str>) -> bool;
    /// Sends what the session's window allows now.
    fn pump(&mut self, session: Key);
    /// Takes one packet off the connection's share of the turn; false when the share is used up
    /// and others should go first.
    fn spend(&mut self) -> bool;
    /// A random 128-bit number, for an assigned ClientId.
    fn random(&mut self) -> u128;
    /// Whether the log wants events at all, and those of single messages.
    fn wants(&self) -> Wants;
    /// Hands over something for the log.
    fn log(&mut self, event: Event);

    /// Tells the log of a packet of a session's Client, if it wants every message.
    fn trace(&mut self, session: Key, way: Way, packet: impl FnOnce() -> Traced)
    where
        Self: Sized,
    {
        if self.wants().messages {
            let client_id = (*self.session(session).client_id).into();
            self.log(Event::Packet { client_id, way, packet: packet() });
        }
    }

    /// Like [`Host::trace`], for a connection that may not have come as far as a session.
    fn trace_link(&mut self, connection: Key, way: Way, packet: impl FnOnce() -> Traced)
    where
        Self: Sized,
    {
        if self.wants().messages
            && let Some(session) = self.link(connection).session
        {
            self.trace(session, way, packet);
        }
    }
}

/// Which events are worth making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Connections and disconnections.
    pub connections: bool,
    /// Subscriptions.
    pub subscriptions: bool,
    /// Every message.
    pub messages: bool,
}

/// What becomes of a CONNECT.
#[derive(Debug)]
pub enum Verdict {
    /// The Client is let in.
    Admitted(Identity),
    /// It is not.
    Refused(Refusal),
    /// Its password would have to be checked, and too many others wait for that.
    Busy,
    /// Its password is being checked; [`super::Connection::checked`] hears of the result.
    Pending {
        /// Names the check.
        check: u64,
        /// Who the Client is if the password is right.
        identity: Identity,
    },
}

//! An Application Message being routed, borrowed as long as possible.

use crate::auth::Source;
use crate::protocol::{ForwardProperties, Message, MessageInit, QoS};
use crate::sync::Arc;

/// A message on its way through the shard. It borrows the publisher's bytes; only when it must
/// outlive this turn (another shard, a queue, an in-flight window, the retained store, a large
/// payload sent by reference) is it copied into one reference-counted [`Message`], once.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// Topic Name, aliases resolved.
    pub topic: &'a str,
    /// Properties that are forwarded unaltered.
    pub forward: ForwardProperties<'a>,
    /// Payload.
    pub payload: &'a [u8],
    /// QoS of the publisher.
    pub qos: QoS,
    /// RETAIN as published.
    pub retain: bool,
    /// When the message expires, monotonic ms.
    pub expires_at_ms: Option<u64>,
    /// [`crate::session::Session::id`] of the publisher; 0 when it is no Client.
    pub publisher: u64,
    /// Who published it; only of messages to be retained.
    pub source: Option<Arc<Source>>,
    message: Option<Message>,
}

/// What is left of a Message Expiry Interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The message has none.
    Unlimited,
    /// Seconds left, at least one.
    Seconds(u32),
    /// None is left.
    Expired,
}

impl Lifetime {
    /// From the deadline; part of a second counts as one, so a message never reaches the next
    /// broker with a longer life than it had, rounded to the protocol's unit.
    pub fn until(expires_at_ms: Option<u64>, now_ms: u64) -> Self {
        match expires_at_ms {
            None => Self::Unlimited,
            Some(at) if at <= now_ms => Self::Expired,
            Some(at) => {
                Self::Seconds(u32::try_from((at - now_ms).div_ceil(1000)).unwrap_or(u32::MAX))
            }
        }
    }

    /// The property's value for a PUBLISH; `Err` when the message must not be sent.
    pub fn property(self) -> Result<Option<u32>, Expired> {
        match self {
            Self::Unlimited => Ok(None),
            Self::Seconds(left) => Ok(Some(left)),
            Self::Expired => Err(Expired),
        }
    }
}

/// The message's lifetime is over [MQTT-3.3.2-5].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

impl<'a> Outgoing<'a> {
    /// A message that has just come in and exists nowhere else.
    pub fn borrowed(init: MessageInit<'a>) -> Self {
        Self {
            topic: init.topic,
            forward: init.forward,
            payload: init.payload,
            qos: init.qos,
            retain: init.retain,
            expires_at_ms: init.expires_at_ms,
            publisher: init.publisher,
            source: None,
            message: None,
        }
    }

    /// A message that is already kept.
    pub fn kept(message: &'a Message) -> Self {
        Self {
            topic: message.topic(),
            forward: message.forward(),
            payload: message.payload(),
            qos: message.qos(),
            retain: message.retain(),
            expires_at_ms: message.expires_at_ms(),
            publisher: message.publisher(),
            source: None,
            message: Some(message.clone()),
        }
    }

    /// The reference-counted message; made on first use.
    pub fn message(&mut self) -> Message {
        if let Some(message) = &self.message {
            return message.clone();
        }
        self.message.insert(self.make()).clone()
    }

    fn make(&self) -> Message {
        Message::new(MessageInit {
            topic: self.topic,
            forward: self.forward,
            payload: self.payload,
            qos: self.qos,
            retain: self.retain,
            expires_at_ms: self.expires_at_ms,
            publisher: self.publisher,
            ..MessageInit::default()
        })
    }

    /// The message for the only one who needs it: a count less to keep than [`Self::message`].
    pub(super) fn only_message(&mut self) -> Message {
        match self.message.take() {
            Some(message) => message,
            None => self.make(),
        }
    }

    /// What is left of its lifetime.
    pub fn lifetime(&self, now_ms: u64) -> Lifetime {
        Lifetime::until(self.expires_at_ms, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_round_up_and_end() {
        assert_eq!(Lifetime::until(None, 5), Lifetime::Unlimited);
        assert_eq!(Lifetime::until(Some(5_000), 0), Lifetime::Seconds(5));
        assert_eq!(Lifetime::until(Some(5_000), 1), Lifetime::Seconds(5));
        assert_eq!(Lifetime::until(Some(5_000), 4_999), Lifetime::Seconds(1));
        assert_eq!(Lifetime::until(Some(5_000), 5_000), Lifetime::Expired);
        assert_eq!(Lifetime::until(Some(u64::MAX), 0), Lifetime::Seconds(u32::MAX));
    }

    #[test]
    fn the_message_is_made_once() {
        let init = MessageInit { topic: "t", payload: b"p", ..MessageInit::default() };
        let mut outgoing = Outgoing::borrowed(init);
        let first = outgoing.message();
        assert_eq!(first.payload().as_ptr(), outgoing.message().payload().as_ptr());
    }
}

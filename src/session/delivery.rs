//! One Application Message on its way to one session.

use std::num::NonZeroU32;

use smallvec::SmallVec;

use crate::protocol::{Message, QoS};

/// The Subscription Identifiers of the subscriptions that a delivery answers, in no set order.
///
/// Nearly every delivery has none or one; only overlapping subscriptions make a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SubscriptionIds {
    /// No matching subscription had an identifier.
    #[default]
    None,
    /// Exactly one had.
    One(u32),
    /// Several overlapping subscriptions had [MQTT-3.3.4-4]; behind a pointer, so that every other
    /// delivery stays small.
    Many(Box<SmallVec<[u32; 4]>>),
}

impl SubscriptionIds {
    /// From the wire value of one subscription, where 0 stands for "none".
    pub fn from_one(id: u32) -> Self {
        if id == 0 { Self::None } else { Self::One(id) }
    }

    /// Adds the identifier of another matching subscription; 0 adds nothing.
    pub fn add(&mut self, id: u32) {
        if id == 0 {
            return;
        }
        *self = match std::mem::take(self) {
            Self::None => Self::One(id),
            Self::One(first) => Self::Many(Box::new(SmallVec::from_slice(&[first, id]))),
            Self::Many(mut ids) => {
                ids.push(id);
                Self::Many(ids)
            }
        };
    }

    /// The identifiers as a slice.
    pub fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }
}

/// A message that waits in a session's queue or in its in-flight window.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message; a reference count, not a copy.
    pub message: Message,
    /// Identifiers to send with it.
    pub subscription_ids: SubscriptionIds,
    /// The shared-subscription group that chose this session; 0 when none did. If the session
    /// ends before it has taken the message, the message goes back to that group.
    pub group: u64,
    /// The session's newest replay of Retained Messages when this was queued, by
    /// [`Replay::newest`](super::Replay::newest).
    pub replay: Option<NonZeroU32>,
    /// QoS to deliver with: the lower of the publisher's and the subscription's.
    pub qos: QoS,
    /// The RETAIN bit to send.
    pub retain: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_accumulate_and_zero_is_none() {
        let mut ids = SubscriptionIds::from_one(0);
        assert_eq!(ids.as_slice(), &[] as &[u32]);
        ids.add(0);
        ids.add(7);
        assert_eq!(ids.as_slice(), &[7]);
        ids.add(268_435_455);
        ids.add(9);
        assert_eq!(ids.as_slice(), &[7, 268_435_455, 9]);
    }

    #[test]
    fn a_delivery_stays_small() {
        assert!(std::mem::size_of::<Delivery>() <= 40);
    }
}

//! What a shard holds, as lines for the log: SIGUSR2, as in Mosquitto.

use super::Shard;
use super::core::Core;
use crate::session::SubscriptionRef;

/// Subscriptions, and Retained Messages, that are named; more are counted only, so that a broker
/// with a million of them does not stand still for its log.
const NAMED: usize = 10_000;

impl Shard {
    /// A line with counts, then one for each subscription and each Retained Message.
    pub fn describe(&self) -> Vec<String> {
        let core = &self.core;
        let mut lines = vec![format!(
            "Shard {}: {} sessions, {} subscriptions, {} shared subscriptions, {} retained \
             messages of {} bytes.",
            core.id,
            core.sessions.len(),
            core.table.subscription_count(),
            core.table.member_count(),
            core.retained.len(),
            core.retained.bytes(),
        )];
        let mut named = core.subscriptions();
        lines.extend(named.by_ref().take(NAMED));
        if named.next().is_some() {
            lines.push(format!("Only {NAMED} subscriptions of this shard are named."));
        }
        let mut retained = Vec::new();
        core.retained.scan("#", None, NAMED, usize::MAX, &mut retained);
        for item in &retained {
            let message = &item.message;
            let (topic, qos, bytes) = (message.topic(), message.qos(), message.payload().len());
            lines.push(format!("Retained: {topic} (q{}, {bytes} bytes)", qos as u8));
        }
        if retained.len() < core.retained.len() {
            lines.push(format!(
                "Only {} retained messages of this shard are named.",
                retained.len()
            ));
        }
        lines
    }
}

impl Core {
    fn subscriptions(&self) -> impl Iterator<Item = String> {
        let of_session = move |session: &crate::session::Session| {
            let client = session.client_id.clone();
            let name = move |reference: &SubscriptionRef| match *reference {
                SubscriptionRef::Filter(slot) => {
                    format!("Subscription: {client} {}", self.table.name(slot))
                }
                SubscriptionRef::Group(slot) => match self.table.group(slot) {
                    Some(group) => {
                        format!("Subscription: {client} $share/{}/{}", group.name, group.filter)
                    }
                    None => format!("Subscription: {client} (a group that ends)"),
                },
            };
            session.subscriptions.iter().map(name).collect::<Vec<_>>()
        };
        self.sessions.iter().flat_map(move |(_, session)| of_session(session))
    }
}

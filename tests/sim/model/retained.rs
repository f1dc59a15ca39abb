//! Retained Messages: what may be stored, and what a new subscription may be sent.

use super::broker::Model;
use super::filter::matches;
use super::publication::Publication;
use super::time::Moment;
use crate::packet::Delivery;

impl Model {
    /// Whether `earlier` was surely stored before `later`: its window had closed when the later
    /// one's opened, or both came from one Client in that order.
    pub(super) fn is_before(&self, earlier: &Publication, later: &Publication) -> bool {
        let same = earlier.publisher == later.publisher;
        (same && earlier.to < later.from) || self.settled(earlier, false) < later.from
    }

    /// The retained changes of a topic that may be the stored one at some moment from `from` on.
    pub(super) fn stored_from(&self, topic: &str, from: Moment) -> Vec<usize> {
        let changes: Vec<usize> = (0..self.publications.len())
            .filter(|index| {
                let one = &self.publications[*index];
                one.retain && one.topic == topic
            })
            .collect();
        let replaced = |index: &usize| {
            changes.iter().any(|other| {
                let (one, other) = (&self.publications[*index], &self.publications[*other]);
                self.is_before(one, other) && self.settled(other, false) < from
            })
        };
        changes.iter().copied().filter(|index| !replaced(index)).collect()
    }

    /// A PUBLISH that answers a subscription with a Retained Message.
    pub(super) fn check_replay(&mut self, own: usize, index: usize, delivery: &Delivery) {
        let message = self.publications[index].clone();
        assert!(message.retain, "RETAIN is set on a message that was not retained: {delivery:?}");
        assert!(!message.empty, "a Retained Message without payload");
        if let Some(newer) = self.sessions[own].live_retained.get(&message.topic) {
            let newer = &self.publications[*newer];
            let claimed = self.sessions[own]
                .claims
                .iter()
                .any(|claim| claim.from > newer.to && matches(&claim.filter, &message.topic));
            assert!(
                claimed || !self.is_before(&message, newer),
                "Retained Message {} after the newer {}",
                message.mid,
                newer.mid
            );
        }
        let Some(at) = self.claim_for(own, index, delivery) else {
            panic!("nobody asked for Retained Message {}: {delivery:?}", message.mid)
        };
        self.sessions[own].claims[at].served.insert(message.topic);
    }

    /// The claim that a PUBLISH answers with the Retained Message `index`, if any.
    pub(super) fn claim_for(&self, own: usize, index: usize, delivery: &Delivery) -> Option<usize> {
        let message = &self.publications[index];
        let claims = &self.sessions[own].claims;
        let fits = (0..claims.len()).filter(|at| {
            let claim = &claims[*at];
            message.retain
                && matches(&claim.filter, &message.topic)
                && !claim.served.contains(&message.topic)
                && message.qos.min(claim.qos) == delivery.qos
                && self.stored_from(&message.topic, claim.from).contains(&index)
        });
        let fits: Vec<usize> = fits.collect();
        let with_id = |at: &&usize| {
            let id = claims[**at].id;
            delivery.subscription_ids == if id == 0 { Vec::new() } else { vec![id] }
        };
        // First the subscriptions that are owed it for certain: they last, and it was there
        // before them.
        let settled = self.settled(message, false);
        let owed = |at: &&usize| {
            let claim = &claims[**at];
            (claim.until.is_none(), claim.from > settled)
        };
        let named: Vec<&usize> = fits.iter().filter(with_id).collect();
        // Version 3 has no identifiers.
        let named = if named.is_empty() { fits.iter().collect() } else { named };
        named.iter().copied().rev().max_by_key(owed).copied()
    }

    /// Each claim whose connection has lasted has been served.
    pub fn check_claims_served(&self) {
        let mut topics: Vec<&String> = self.publications.iter().map(|one| &one.topic).collect();
        topics.sort();
        topics.dedup();
        for session in self.sessions.iter().filter(|one| one.ended.is_none()) {
            for claim in session.claims.iter().filter(|claim| claim.until.is_none()) {
                for topic in &topics {
                    let had = claim.served.contains(*topic) || claim.overtaken.contains(*topic);
                    if matches(&claim.filter, topic) && !had {
                        self.check_unserved(session, claim.from, topic);
                    }
                }
            }
        }
    }

    fn check_unserved(&self, session: &super::session::Session, from: Moment, topic: &str) {
        // Only a value that was surely there, has not been replaced since and could be sent.
        let stored = self.stored_from(topic, from);
        let [only] = stored[..] else { return };
        let message = &self.publications[only];
        let there = self.settled(message, false) < from;
        let fits = message.size + 64 < session.smallest_packet(from) as usize;
        assert!(
            !there || message.empty || message.expires_at_ms.is_some() || !fits,
            "Retained Message {} of {topic} was not sent to a new subscription",
            message.mid
        );
    }

    /// What a Client that subscribes to everything now is sent: for each topic one of the
    /// changes that may be the last, or nothing if one of those removed it.
    pub fn check_stored(&self, found: &[Delivery]) {
        let mut topics: Vec<&String> =
            self.publications.iter().filter(|one| one.retain).map(|one| &one.topic).collect();
        topics.sort();
        topics.dedup();
        for topic in &topics {
            let stored = self.stored_from(topic, Moment::MAX);
            let got: Vec<&Delivery> = found.iter().filter(|one| one.topic == **topic).collect();
            assert!(got.len() <= 1, "two Retained Messages of {topic}");
            match got.first() {
                Some(delivery) => {
                    let is = |index: &usize| {
                        let message = &self.publications[*index];
                        Some(message.mid) == delivery.mid && message.qos == delivery.qos
                    };
                    assert!(stored.iter().any(is), "{delivery:?} is not the last retained");
                }
                None => {
                    let may_be_gone = |index: &usize| {
                        let message = &self.publications[*index];
                        message.empty || message.expires_at_ms.is_some_and(|at| at <= self.now_ms)
                    };
                    assert!(
                        stored.iter().any(may_be_gone),
                        "the Retained Message of {topic} is lost: {stored:?}"
                    );
                }
            }
        }
        for delivery in found {
            assert!(topics.iter().any(|topic| **topic == delivery.topic), "{delivery:?}");
        }
    }
}

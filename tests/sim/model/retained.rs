//! Retained Messages: what may be stored, and what a new subscription may be sent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::broker::Model;
use super::filter::matches;
use super::pairs::all_have_one;
use super::publication::Publication;
use super::session::{Answer, Claim, Session};
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

    /// A PUBLISH that can only answer a subscription with a Retained Message, one of `claims`.
    pub(super) fn check_replay(
        &mut self,
        own: usize,
        index: usize,
        delivery: &Delivery,
        claims: Vec<usize>,
    ) {
        let message = self.publications[index].clone();
        assert!(message.retain, "RETAIN is set on a message that was not retained: {delivery:?}");
        assert!(!message.empty, "a Retained Message without payload");
        if claims.is_empty()
            && let Some(newer) = self.newer_was_sent(own, &message, delivery)
        {
            panic!("Retained Message {} after the newer {newer}", message.mid);
        }
        let answer = Answer { mid: message.mid, claims, live: false };
        assert!(
            self.explains(own, &message.topic, &answer),
            "nobody asked for Retained Message {}: {delivery:?}",
            message.mid
        );
        self.sessions[own].answers.entry(message.topic).or_default().push(answer);
    }

    /// Whether one copy more can be what `answer` says: each that the session was sent of this
    /// topic then has a claim of its own, or is one of the live copies that it may be sent.
    pub(super) fn explains(&self, own: usize, topic: &str, answer: &Answer) -> bool {
        let session = &self.sessions[own];
        let before = session.answers.get(topic).map_or(&[][..], Vec::as_slice);
        let mut next = session.claims.len();
        let mut places: BTreeMap<u32, Range<usize>> = BTreeMap::new();
        let mut wanted = Vec::new();
        for one in before.iter().chain([answer]) {
            let mut partners = one.claims.clone();
            if one.live {
                let places = places.entry(one.mid).or_insert_with(|| {
                    let (sure, _) = session.copies(one.mid);
                    let first = next;
                    next += self.allowed(own, one.mid).saturating_sub(sure) as usize;
                    first..next
                });
                partners.extend(places.clone());
            }
            wanted.push(partners);
        }
        all_have_one(&wanted)
    }

    /// A live message, by its number, that tells the Client something newer than this Retained
    /// Message does, for all subscriptions that may be sent it.
    pub(super) fn newer_was_sent(
        &self,
        own: usize,
        message: &Publication,
        delivery: &Delivery,
    ) -> Option<u32> {
        let session = &self.sessions[own];
        let newer = &self.publications[*session.live_retained.get(&message.topic)?];
        let later = |claim: &Claim| claim.from > newer.to && matches(&claim.filter, &message.topic);
        // What was sent before is sent again whatever has come since.
        let stale =
            !delivery.dup && self.is_before(message, newer) && !session.claims.iter().any(later);
        stale.then_some(newer.mid)
    }

    /// The claims that a PUBLISH may answer with a Retained Message, one of `indexes`.
    pub(super) fn claims_for(
        &self,
        own: usize,
        indexes: &[usize],
        delivery: &Delivery,
        v5: bool,
    ) -> Vec<usize> {
        if !delivery.retain {
            return Vec::new();
        }
        let news = indexes.iter().filter(|index| {
            self.newer_was_sent(own, &self.publications[**index], delivery).is_none()
        });
        let all = news.flat_map(|index| self.claims_of(own, *index, delivery, v5));
        all.collect::<BTreeSet<usize>>().into_iter().collect()
    }

    fn claims_of(&self, own: usize, index: usize, delivery: &Delivery, v5: bool) -> Vec<usize> {
        let message = &self.publications[index];
        let session = &self.sessions[own];
        let fits = |claim: &Claim| {
            let ids = if claim.id == 0 { Vec::new() } else { vec![claim.id] };
            message.retain
                && !message.empty
                && !session.is_denied(message)
                && matches(&claim.filter, &message.topic)
                // What was sent before is brought to its end [MQTT-3.10.4-3].
                && (!claim.closed || delivery.dup)
                && message.qos.min(claim.qos) == delivery.qos
                && (delivery.subscription_ids == ids || !v5)
                && self.stored_from(&message.topic, claim.from).contains(&index)
        };
        (0..session.claims.len()).filter(|at| fits(&session.claims[*at])).collect()
    }

    /// Each claim whose connection has lasted has been served.
    pub fn check_claims_served(&self) {
        let mut topics: Vec<&String> = self.publications.iter().map(|one| &one.topic).collect();
        topics.sort();
        topics.dedup();
        for session in self.sessions.iter().filter(|one| one.ended.is_none()) {
            for topic in &topics {
                let none = Vec::new();
                let sent = session.answers.get(*topic).unwrap_or(&none);
                let claims = (0..session.claims.len()).filter(|at| self.owes(session, *at, topic));
                let wanted: Vec<Vec<usize>> = claims
                    .map(|claim| {
                        (0..sent.len()).filter(|at| sent[*at].claims.contains(&claim)).collect()
                    })
                    .collect();
                assert!(
                    all_have_one(&wanted),
                    "a Retained Message of {topic} was not sent to a new subscription of client \
                     {}: {} times sent, {} times owed",
                    session.client,
                    sent.len(),
                    wanted.len()
                );
            }
        }
    }

    /// Whether the claim is owed a Retained Message of that topic for certain.
    fn owes(&self, session: &Session, claim: usize, topic: &str) -> bool {
        let claim = &session.claims[claim];
        if claim.until.is_some()
            || claim.overtaken.contains(topic)
            || !matches(&claim.filter, topic)
        {
            return false;
        }
        // Only a value that was surely there, has not been replaced since and could be sent.
        let [only] = self.stored_from(topic, claim.from)[..] else { return false };
        let message = &self.publications[only];
        let there = self.settled(message, false) < claim.from;
        let fits = message.size + 64 < session.smallest_packet(claim.from) as usize;
        there
            && fits
            && !session.is_denied(message)
            && !message.empty
            && message.expires_at_ms.is_none()
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

//! The subscribing role.

use std::sync::Arc;

use pondhawk::protocol::{PacketType, QoS, RawFrame, ReasonCode, Version, encode_ack};

use crate::measure::FlowTracker;
use crate::plan::Expected;
use crate::result::LatencyKind;

use super::machine::{Context, Ended};
use super::stamp::{NoStamp, Stamp, WILL_FLOW};
use super::wire;

/// Most topics with damaged payloads that one subscriber remembers.
const MAX_DAMAGES: usize = 64;

/// Messages on one topic whose payload was not the one sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Their topic.
    pub topic: Box<str>,
    /// Their flow, if that could be read still.
    pub flow: Option<u32>,
    /// How many.
    pub count: u64,
}

/// One subscriber: follows each flow, measures, and acknowledges. It comes into being with the
/// first message, so that idle clients cost nothing for it.
#[derive(Debug)]
pub struct Subscriber {
    version: Version,
    expected: Option<Arc<Expected>>,
    /// One for each flow; none for a shared subscription, whose members share the flows.
    trackers: Box<[FlowTracker]>,
    run: (u32, u64),
    damages: Vec<Damage>,
}

impl Subscriber {
    /// A subscriber that should hear `expected`.
    pub fn new(version: Version, expected: Option<Arc<Expected>>) -> Self {
        let own = expected.as_ref().filter(|expected| expected.shared.is_none());
        let count = own.map_or(0, |expected| expected.flows.len());
        let trackers = (0..count).map(|_| FlowTracker::default()).collect();
        Self { version, expected, trackers, run: (0, 0), damages: Vec::new() }
    }

    /// Each flow with what was seen of it.
    pub fn flows(&self) -> impl Iterator<Item = (u32, &FlowTracker)> {
        let flow = |at| self.expected.as_ref().map_or(0, |expected| expected.flows.get(at));
        self.trackers.iter().enumerate().map(move |(at, tracker)| (flow(at), tracker))
    }

    /// The messages that were damaged.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// Takes a PUBLISH; acknowledgements are appended to `out`. `since_ns` is when the client
    /// subscribed.
    ///
    /// # Errors
    /// If the frame makes no sense.
    #[inline]
    pub fn on_publish(
        &mut self,
        frame: RawFrame<'_>,
        since_ns: u64,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        let delivery = wire::delivery(frame, self.version)?;
        let acknowledge = match delivery.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(PacketType::Puback),
            QoS::ExactlyOnce => Some(PacketType::Pubrec),
        };
        if let Some(ty) = acknowledge {
            encode_ack(ty, self.version, delivery.packet_id, ReasonCode::SUCCESS, out);
        }
        match Stamp::read(delivery.payload, context.now_ns) {
            Ok(stamp) if stamp.flow == WILL_FLOW => context.recorder.wills += 1,
            Ok(stamp) => {
                let retained_since = delivery.retained.then_some(since_ns);
                self.on_message(stamp, retained_since, context);
            }
            Err(NoStamp::Short) => context.recorder.counts.foreign += 1,
            Err(NoStamp::Corrupted(flow)) => {
                context.recorder.counts.corrupted += 1;
                self.on_damage(wire::topic(frame), flow);
            }
        }
        Ok(())
    }

    #[cold]
    fn on_damage(&mut self, topic: &[u8], flow: Option<u32>) {
        let topic = String::from_utf8_lossy(topic);
        // What was read of it may be damaged, too.
        let heard = |flow: &u32| {
            self.expected.as_ref().is_some_and(|expected| expected.flows.index_of(*flow).is_some())
        };
        let flow = flow.filter(heard);
        let same = |damage: &Damage| (&*damage.topic, damage.flow) == (&*topic, flow);
        match self.damages.iter().position(same) {
            Some(at) => self.damages[at].count += 1,
            None if self.damages.len() < MAX_DAMAGES => {
                self.damages.push(Damage { topic: topic.into(), flow, count: 1 });
            }
            None => {}
        }
    }

    #[inline]
    fn on_message(&mut self, stamp: Stamp, retained_since: Option<u64>, context: &mut Context<'_>) {
        let expected = self.expected.as_ref();
        let place = expected.and_then(|expected| expected.flows.index_of(stamp.flow));
        let Some(index) = place else {
            context.recorder.counts.foreign += 1;
            return;
        };
        let fresh = match expected.and_then(|expected| expected.shared) {
            None => self.trackers[index].record(stamp.sequence),
            Some(shared) => context.recorder.seen.record(shared, stamp.flow, stamp.sequence),
        };
        // A repetition must not make room for a publisher, nor stand in for what is still missing.
        if !fresh {
            return;
        }
        if stamp.flow != self.run.0 {
            self.settle(context);
            self.run.0 = stamp.flow;
        }
        self.run.1 += 1;
        match retained_since {
            Some(since_ns) => context.record_always(LatencyKind::Retained, since_ns),
            None if context.has_clock_of(stamp.flow) => {
                context.record(LatencyKind::EndToEnd, stamp.intended_ns);
            }
            None => {}
        }
    }

    /// Hands the deliveries counted since the last call to the board and to the publisher waiting
    /// for them. Called after each read.
    #[inline]
    pub fn settle(&mut self, context: &mut Context<'_>) {
        let (flow, count) = std::mem::take(&mut self.run);
        self.run.0 = flow;
        if count > 0 {
            context.recorder.totals.delivered += count;
            context.delivered(flow, count);
        }
    }
}

/// Answers a PUBREL.
///
/// # Errors
/// If the frame is too short.
pub fn release(version: Version, frame: RawFrame<'_>, out: &mut Vec<u8>) -> Result<(), Ended> {
    let (packet_id, _) = wire::acknowledgement(frame)?;
    encode_ack(PacketType::Pubcomp, version, packet_id, ReasonCode::SUCCESS, out);
    Ok(())
}

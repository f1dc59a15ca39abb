//! The subscribing role.

use pondhawk::protocol::{PacketType, QoS, RawFrame, ReasonCode, Version, encode_ack};

use crate::measure::FlowTracker;

use super::machine::{Context, Ended};
use super::stamp::Stamp;
use super::wire;

/// The flows that a subscriber should hear: `count` of them from `first` in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRange {
    /// Lowest flow.
    pub first: u32,
    /// Distance between two.
    pub step: u32,
    /// How many.
    pub count: u32,
}

impl FlowRange {
    /// The position of `flow` in the range.
    #[inline]
    fn index_of(self, flow: u32) -> Option<usize> {
        let offset = flow.checked_sub(self.first)?;
        let index = if self.step == 1 { offset } else { offset / self.step };
        (offset == index * self.step && index < self.count).then_some(index as usize)
    }

    /// All flows of the range.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..self.count).map(move |index| self.first + index * self.step)
    }
}

/// One subscriber: follows each flow, measures, and acknowledges.
#[derive(Debug)]
pub struct Subscriber {
    version: Version,
    size: usize,
    flows: FlowRange,
    trackers: Box<[FlowTracker]>,
    run: (u32, u64),
}

impl Subscriber {
    /// A subscriber that should hear `flows` with payloads of `size` bytes.
    pub fn new(flows: FlowRange, version: Version, size: usize) -> Self {
        let trackers = (0..flows.count).map(|_| FlowTracker::default()).collect();
        Self { version, size, flows, trackers, run: (flows.first, 0) }
    }

    /// Each flow with what was seen of it.
    pub fn flows(&self) -> impl Iterator<Item = (u32, &FlowTracker)> {
        self.flows.iter().zip(self.trackers.iter())
    }

    /// Takes one frame; acknowledgements are appended to `out`.
    ///
    /// # Errors
    /// If the frame is none that a subscriber gets.
    #[inline]
    pub fn on_frame(
        &mut self,
        frame: RawFrame<'_>,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        if frame.first & 0xF0 == (PacketType::Publish as u8) << 4 {
            return self.on_publish(frame, context, out);
        }
        if PacketType::of(frame.first) == Some(PacketType::Pubrel) {
            let (packet_id, _) = wire::acknowledgement(frame)?;
            let (version, success) = (self.version, ReasonCode::SUCCESS);
            encode_ack(PacketType::Pubcomp, version, packet_id, success, out);
            return Ok(());
        }
        Err(Ended::unexpected(frame))
    }

    #[inline]
    fn on_publish(
        &mut self,
        frame: RawFrame<'_>,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        let delivery = wire::delivery(frame, self.size)?;
        let acknowledge = match delivery.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(PacketType::Puback),
            QoS::ExactlyOnce => Some(PacketType::Pubrec),
        };
        if let Some(ty) = acknowledge {
            encode_ack(ty, self.version, delivery.packet_id, ReasonCode::SUCCESS, out);
        }
        match Stamp::read(delivery.payload) {
            Some(stamp) => self.on_message(stamp, context),
            None => context.recorder.integrity.foreign += 1,
        }
        Ok(())
    }

    #[inline]
    fn on_message(&mut self, stamp: Stamp, context: &mut Context<'_>) {
        let Some(index) = self.flows.index_of(stamp.flow) else {
            context.recorder.integrity.foreign += 1;
            return;
        };
        // A repetition must not make room for a publisher, nor stand in for what is still missing.
        if !self.trackers[index].record(stamp.sequence) {
            return;
        }
        if stamp.flow != self.run.0 {
            self.settle(context);
            self.run.0 = stamp.flow;
        }
        self.run.1 += 1;
        if stamp.intended_ns >= context.record_from && stamp.intended_ns < context.record_until {
            let latency = context.now_ns.saturating_sub(stamp.intended_ns);
            context.recorder.end_to_end.record_ns(latency);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_range_knows_its_own() {
        let range = FlowRange { first: 2, step: 3, count: 4 };
        assert_eq!(range.iter().collect::<Vec<_>>(), [2, 5, 8, 11]);
        assert_eq!([2, 5, 8, 11].map(|f| range.index_of(f)), [0, 1, 2, 3].map(Some));
        assert_eq!([0, 1, 3, 14].map(|f| range.index_of(f)), [None; 4]);
    }
}

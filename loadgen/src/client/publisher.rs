//! The publishing role.

use pondhawk::protocol::{PacketType, QoS, RawFrame, ReasonCode, Version, encode_ack};

use super::board::Board;
use super::inflight::Inflight;
use super::machine::{Context, Ended};
use super::stamp::Stamp;
use super::template::Template;
use super::wire;

/// Most bytes that may wait in a publisher's out buffer before it holds back.
const MAX_BACKLOG: usize = 1 << 20;

/// Most open QoS 1 and 2 exchanges of a publisher in an open loop.
const MAX_OPEN: usize = 4096;

/// How long a closed loop waits for missing deliveries before it writes them off.
const STALL_NS: u64 = 1_000_000_000;

/// What all publishers of a run have in common.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// QoS of publications and subscriptions.
    pub qos: QoS,
    /// Protocol version.
    pub version: Version,
    /// Payload bytes.
    pub size: usize,
    /// Messages per write.
    pub batch: u64,
    /// Messages outstanding in a closed loop, a multiple of `batch`; `None` for an open loop.
    pub window: Option<u64>,
}

/// One publisher: writes batches while there is room, and completes QoS 1 and 2 exchanges.
#[derive(Debug)]
pub struct Publisher {
    flow: u32,
    load: Load,
    template: Template,
    inflight: Inflight,
    sent: u64,
    acked: u64,
    written_off: u64,
    stall: Option<(u64, u64)>,
    /// Open loop: batches written since the run began.
    pub batches: u64,
}

impl Publisher {
    /// A publisher of `flow` to `topic`.
    pub fn new(flow: u32, topic: &str, load: Load) -> Self {
        let open = load.window.map_or(MAX_OPEN, |window| window as usize);
        let open = if load.qos == QoS::AtMostOnce { 1 } else { open };
        Self {
            flow,
            load,
            template: Template::new(topic, load.qos, load.version, load.size),
            inflight: Inflight::new(open),
            sent: 0,
            acked: 0,
            written_off: 0,
            stall: None,
            batches: 0,
        }
    }

    /// The flow.
    pub fn flow(&self) -> u32 {
        self.flow
    }

    /// Messages written.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Publications not acknowledged.
    pub fn unacknowledged(&self) -> u64 {
        self.inflight.open() as u64
    }

    /// Takes the server's Receive Maximum.
    pub fn limit_to(&mut self, receive_maximum: u16) {
        self.inflight.limit_to(receive_maximum);
    }

    /// Writes one batch if there is room for it, `false` if there is none.
    ///
    /// Room is the window of a closed loop, the Receive Maximum and the out buffer. A Receive
    /// Maximum below the batch makes batches smaller.
    pub fn write_batch(
        &mut self,
        intended_ns: u64,
        now_ns: u64,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut batch = self.load.batch;
        if self.load.qos != QoS::AtMostOnce {
            batch = batch.min(self.inflight.limit() as u64);
            if self.inflight.open() as u64 + batch > self.inflight.limit() as u64 {
                return false;
            }
        }
        let window = self.load.window;
        if window.is_some_and(|window| self.outstanding(context.board) + batch > window)
            || out.len() > MAX_BACKLOG
        {
            return false;
        }
        for _ in 0..batch {
            let packet_id = match self.load.qos {
                QoS::AtMostOnce => 0,
                _ => match self.inflight.open_next(now_ns) {
                    Some(packet_id) => packet_id,
                    None => break,
                },
            };
            let stamp = Stamp { intended_ns, flow: self.flow, sequence: self.sent as u32 };
            self.template.append(packet_id, stamp, out);
            self.sent += 1;
            context.recorder.totals.sent += 1;
        }
        true
    }

    /// Messages sent and not yet delivered to all subscribers. Those not acknowledged are bounded
    /// by the ring of packet identifiers, which is as large as the window.
    fn outstanding(&self, board: &Board) -> u64 {
        self.sent.saturating_sub(board.completed(self.flow) + self.written_off)
    }

    /// Writes missing deliveries off when nothing has moved for a second, so that one lost message
    /// does not stop a closed loop for good. `true` if it did.
    pub fn check_stall(&mut self, now_ns: u64, context: &mut Context<'_>) -> bool {
        let delivered = context.board.completed(self.flow);
        let missing = self.sent.saturating_sub(delivered + self.written_off);
        let progress = delivered + self.acked;
        match self.stall {
            Some((seen, since)) if missing > 0 && seen == progress => {
                if now_ns - since < STALL_NS {
                    return false;
                }
                self.written_off += missing;
                self.stall = None;
                context.recorder.integrity.stalls += 1;
                true
            }
            _ => {
                self.stall = (missing > 0).then_some((progress, now_ns));
                false
            }
        }
    }

    /// Takes an acknowledgement.
    ///
    /// # Errors
    /// If the broker acknowledges what was not sent.
    #[inline]
    pub fn on_frame(
        &mut self,
        frame: RawFrame<'_>,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Ended> {
        let (packet_id, refused) = wire::acknowledgement(frame)?;
        match PacketType::of(frame.first) {
            Some(PacketType::Puback | PacketType::Pubcomp) => self.complete(packet_id, context)?,
            Some(PacketType::Pubrec) if refused => self.complete(packet_id, context)?,
            Some(PacketType::Pubrec) => {
                let version = self.load.version;
                encode_ack(PacketType::Pubrel, version, packet_id, ReasonCode::SUCCESS, out);
            }
            _ => return Err(Ended::unexpected(frame)),
        }
        if refused {
            context.recorder.integrity.refused += 1;
        }
        Ok(())
    }

    #[inline]
    fn complete(&mut self, packet_id: u16, context: &mut Context<'_>) -> Result<(), Ended> {
        let sent_ns = self
            .inflight
            .close(packet_id)
            .ok_or_else(|| Ended(format!("acknowledged packet {packet_id}, which is not open")))?;
        self.acked += 1;
        context.recorder.totals.acked += 1;
        if (context.record_from..context.record_until).contains(&sent_ns) {
            context.recorder.acknowledge.record_ns(context.now_ns.saturating_sub(sent_ns));
        }
        Ok(())
    }
}

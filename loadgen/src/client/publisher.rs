//! The publishing role.

use std::sync::Arc;

use pondhawk::protocol::{PacketType, QoS, RawFrame, ReasonCode, encode_ack};
use pondhawk::util::Rng;

use crate::result::LatencyKind;
use crate::scenario::Sizes;

use super::board::Board;
use super::frame::{self, Frame};
use super::inflight::{Inflight, Opened};
use super::kind::Kind;
use super::machine::{Context, Ended};
use super::schedule::Progress;
use super::stamp::Stamp;
use super::wire;

/// Most bytes that may wait in a publisher's out buffer before it holds back.
const MAX_BACKLOG: usize = 1 << 20;

/// Most open QoS 1 and 2 exchanges of a publisher in an open loop.
const MAX_OPEN: usize = 4096;

/// How long a closed loop waits for missing deliveries before it writes them off.
const STALL_NS: u64 = 1_000_000_000;

/// One publisher: writes batches while there is room, and completes QoS 1 and 2 exchanges.
#[derive(Debug)]
pub struct Publisher {
    kind: Arc<Kind>,
    /// Index in templates.
    index: u64,
    first_flow: u32,
    frames: Frames,
    /// Messages sent to each topic.
    sequences: Box<[u32]>,
    inflight: Inflight,
    rng: Rng,
    sent: u64,
    quota: u64,
    acked: u64,
    written_off: u64,
    uncertain: u64,
    stall: Option<(u64, u64)>,
    progress: Option<Progress>,
}

/// How PUBLISH packets are made.
#[derive(Debug)]
enum Frames {
    /// One topic, one length: encoded once.
    Alike(Frame),
    /// One topic, several lengths.
    Lengths(String),
    /// Several topics.
    Topics,
}

/// What a publisher may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing before this time, ns after the start; or never.
    Later(Option<u64>),
    /// A batch that was due at this time.
    Now(u64),
}

impl Publisher {
    /// The publisher of `kind` at position `client`, whose flows begin with `first_flow`.
    pub fn new(kind: &Arc<Kind>, client: u32, first_flow: u32) -> Self {
        let index = kind.index_of(client);
        let topic = kind.group.publish.as_ref();
        let choices = topic.map_or(1, |topic| topic.choices());
        let render = || topic.map_or_else(String::new, |topic| topic.render(index, 0));
        let frames = match (choices, &kind.group.sizes) {
            (1, Sizes::Fixed(size)) => Frames::Alike(Frame::new(&render(), kind.shape(), *size)),
            (1, _) => Frames::Lengths(render()),
            _ => Frames::Topics,
        };
        let open = kind.window.map_or(MAX_OPEN, |window| window as usize);
        let quota = kind.messages.map_or(u64::MAX, |quota| quota.of(client));
        Self {
            index,
            first_flow,
            frames,
            sequences: vec![0; choices as usize].into(),
            inflight: Inflight::new(if kind.is_acknowledged() { open } else { 1 }),
            rng: Rng::new(kind.seed ^ u64::from(client).wrapping_mul(0xD134_2543_DE82_EF95)),
            sent: 0,
            quota,
            acked: 0,
            written_off: 0,
            uncertain: 0,
            stall: None,
            progress: kind.schedule.as_ref().map(|schedule| schedule.begin(client)),
            kind: Arc::clone(kind),
        }
    }

    /// The flows, and the messages sent of each.
    pub fn flows(&self) -> impl Iterator<Item = (u32, u64)> {
        (self.first_flow..).zip(self.sequences.iter().map(|&sent| u64::from(sent)))
    }

    /// Publications not acknowledged on this connection.
    pub fn unacknowledged(&self) -> u64 {
        if self.kind.is_acknowledged() { self.inflight.open() as u64 } else { 0 }
    }

    /// Publications that were open when an earlier connection ended: they arrived, or did not.
    pub fn uncertain(&self) -> u64 {
        self.uncertain
    }

    /// Takes the server's Receive Maximum.
    pub fn limit_to(&mut self, receive_maximum: u16) {
        self.inflight.limit_to(receive_maximum);
    }

    /// Whether it follows a schedule: its loop is open.
    pub fn is_scheduled(&self) -> bool {
        self.progress.is_some()
    }

    /// Begins the schedule anew.
    pub fn restart(&mut self, client: u32) {
        self.progress = self.kind.schedule.as_ref().map(|schedule| schedule.begin(client));
    }

    /// The connection ended: what was open stays uncertain.
    pub fn disconnected(&mut self) {
        self.uncertain += self.unacknowledged();
        self.inflight.clear();
    }

    /// What is due `since_start_ns` after the run began, before `until_ns`.
    #[inline]
    pub fn due(&self, since_start_ns: u64, until_ns: u64) -> Due {
        if self.sent >= self.quota {
            return Due::Later(None);
        }
        match (&self.kind.schedule, &self.progress) {
            (Some(schedule), Some(progress)) => match schedule.due_ns(progress) {
                Some(due) if due >= until_ns => Due::Later(None),
                Some(due) if due <= since_start_ns => Due::Now(due),
                due => Due::Later(due),
            },
            _ if since_start_ns < until_ns => Due::Now(since_start_ns),
            _ => Due::Later(None),
        }
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
        let mut batch = self.kind.group.batch.min(self.quota - self.sent);
        if self.kind.is_acknowledged() {
            batch = batch.min(self.inflight.limit() as u64);
            if self.inflight.open() as u64 + batch > self.inflight.limit() as u64 {
                return false;
            }
        }
        let window = self.kind.window;
        if window.is_some_and(|window| self.outstanding(context.board) + batch > window)
            || out.len() > MAX_BACKLOG
        {
            return false;
        }
        let in_window = context.is_in_window(intended_ns);
        let opened = Opened { sent_ns: now_ns, in_window };
        for _ in 0..batch {
            let packet_id = match self.kind.group.publish_qos {
                QoS::AtMostOnce => 0,
                _ => match self.inflight.open_next(opened) {
                    Some(packet_id) => packet_id,
                    None => break,
                },
            };
            self.append(packet_id, intended_ns, out);
            context.recorder.totals.sent += 1;
        }
        if let Some(progress) = &mut self.progress {
            progress.advance();
        }
        true
    }

    #[inline]
    fn append(&mut self, packet_id: u16, intended_ns: u64, out: &mut Vec<u8>) {
        let group = &self.kind.group;
        let choice = match (&self.kind.zipf, self.sequences.len()) {
            (_, 1) => 0,
            (Some(zipf), _) => zipf.draw(&mut self.rng),
            (None, choices) => self.rng.below(choices as u64) as u32,
        };
        let sequence = &mut self.sequences[choice as usize];
        let stamp = Stamp { intended_ns, flow: self.first_flow + choice, sequence: *sequence };
        *sequence = sequence.wrapping_add(1);
        self.sent += 1;
        match (&self.frames, &group.publish) {
            (Frames::Alike(frame), _) => frame.append(packet_id, stamp, out),
            (Frames::Lengths(topic), _) => {
                let size = group.sizes.draw(&mut self.rng);
                frame::append(topic, self.kind.shape(), size, packet_id, stamp, out);
            }
            (Frames::Topics, Some(template)) => {
                let size = group.sizes.draw(&mut self.rng);
                let topic = template.render(self.index, choice);
                frame::append(&topic, self.kind.shape(), size, packet_id, stamp, out);
            }
            (Frames::Topics, None) => {}
        }
    }

    /// Messages sent and not yet delivered to all subscribers. Those not acknowledged are bounded
    /// by the ring of packet identifiers, which is as large as the window.
    fn outstanding(&self, board: &Board) -> u64 {
        if self.kind.by_acknowledgement {
            return 0;
        }
        match board.completed(self.first_flow) {
            Some(completed) => self.sent.saturating_sub(completed + self.written_off),
            None => 0,
        }
    }

    /// Writes missing deliveries off when nothing has moved for a second, so that one lost message
    /// does not stop a closed loop for good. `true` if it did.
    pub fn check_stall(&mut self, now_ns: u64, context: &mut Context<'_>) -> bool {
        let missing = self.outstanding(context.board);
        let progress = context.board.completed(self.first_flow).unwrap_or(0) + self.acked;
        match self.stall {
            Some((seen, since)) if missing > 0 && seen == progress => {
                if now_ns - since < STALL_NS {
                    return false;
                }
                self.written_off += missing;
                self.stall = None;
                context.recorder.counts.stalls += 1;
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
            Some(PacketType::Puback) => self.complete(packet_id, LatencyKind::Puback, context)?,
            Some(PacketType::Pubcomp) => self.complete(packet_id, LatencyKind::Pubcomp, context)?,
            Some(PacketType::Pubrec) if refused => {
                self.complete(packet_id, LatencyKind::Pubrec, context)?;
            }
            Some(PacketType::Pubrec) => {
                let opened = self.inflight.opened(packet_id).ok_or_else(|| open_no(packet_id))?;
                context.record_exchange(LatencyKind::Pubrec, opened);
                let version = self.kind.group.version;
                encode_ack(PacketType::Pubrel, version, packet_id, ReasonCode::SUCCESS, out);
            }
            _ => return Err(Ended::unexpected(frame)),
        }
        if refused {
            context.recorder.counts.refused += 1;
        }
        Ok(())
    }

    #[inline]
    fn complete(
        &mut self,
        packet_id: u16,
        kind: LatencyKind,
        context: &mut Context<'_>,
    ) -> Result<(), Ended> {
        let opened = self.inflight.close(packet_id).ok_or_else(|| open_no(packet_id))?;
        self.acked += 1;
        context.recorder.totals.acked += 1;
        context.record_exchange(kind, opened);
        Ok(())
    }
}

#[cold]
fn open_no(packet_id: u16) -> Ended {
    Ended::because(format!("acknowledged packet {packet_id}, which is not open"))
}

//! PUBACK, PUBREC, PUBREL and PUBCOMP: the ends of QoS 1 and 2 exchanges.

use super::commit::acknowledge;
use super::{Connection, Flow, Host, Traced, Way};
use crate::protocol::{Ack, PacketType, RawFrame, ReasonCode};
use crate::session::{Inflight, Received};
use crate::util::Key;

impl Connection {
    /// An acknowledgement in its shortest form: the identifier alone, which means success.
    /// `None`: it is none, or not well-formed; the general way finds out.
    #[inline]
    pub(super) fn handle_short_ack<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        frame: RawFrame<'_>,
    ) -> Option<Flow> {
        let packet_id = u16::from_be_bytes(frame.body.try_into().ok()?);
        let ack = Ack { packet_id, ..Ack::default() };
        if packet_id == 0 || frame.size != 4 {
            return None;
        }
        if host.wants().messages
            && let 0x40 | 0x50 | 0x62 | 0x70 = frame.first
            && let Some(kind) = PacketType::of(frame.first)
        {
            host.trace(session, Way::Received, || Traced::Ack { kind, packet_id, code: 0 });
        }
        Some(match frame.first {
            0x40 => self.handle_puback(host, session, &ack),
            0x50 => self.handle_pubrec(host, session, &ack),
            0x62 => self.handle_pubrel(host, session, &ack),
            0x70 => self.handle_pubcomp(host, session, &ack),
            _ => return None,
        })
    }

    pub(super) fn handle_puback<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        ack: &Ack<'_>,
    ) -> Flow {
        if settled(host, session, |window| window.puback(ack.packet_id)).is_some() {
            host.pump(session);
        }
        Flow::Continue
    }

    pub(super) fn handle_pubrec<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        ack: &Ack<'_>,
    ) -> Flow {
        let failed = ack.reason.is_error();
        let received = settled(host, session, |window| window.pubrec(ack.packet_id, failed));
        let reason = match received {
            Received::Release(_) | Received::Again => ReasonCode::SUCCESS,
            Received::Refused(_) => {
                host.pump(session);
                return Flow::Continue;
            }
            // Nothing is known of it: say so, and let the Client end its side too.
            Received::Unknown if ack.reason.is_error() => return Flow::Continue,
            Received::Unknown => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
        };
        acknowledge(host, self.key, PacketType::Pubrel, ack.packet_id, reason);
        Flow::Continue
    }

    pub(super) fn handle_pubrel<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        ack: &Ack<'_>,
    ) -> Flow {
        let known = host.session(session).received.remove(ack.packet_id);
        // In version 3 a PUBCOMP has no reason: an unknown identifier is completed as well
        // [MQTT-4.3.3-11].
        let reason =
            if known { ReasonCode::SUCCESS } else { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND };
        acknowledge(host, self.key, PacketType::Pubcomp, ack.packet_id, reason);
        Flow::Continue
    }

    pub(super) fn handle_pubcomp<H: Host>(
        &mut self,
        host: &mut H,
        session: Key,
        ack: &Ack<'_>,
    ) -> Flow {
        if settled(host, session, |window| window.pubcomp(ack.packet_id)) {
            host.pump(session);
        }
        Flow::Continue
    }
}

/// Changes a session's window of messages in flight and counts what has become of it.
fn settled<H: Host, R>(host: &mut H, session: Key, change: impl FnOnce(&mut Inflight) -> R) -> R {
    let window = &mut host.session(session).inflight;
    let before = window.held();
    let result = change(window);
    let after = window.held();
    host.metrics().inflight(before, after);
    result
}

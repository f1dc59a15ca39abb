//! What each answer of the broker has to be.

use super::broker::{Model, Owed};
use crate::packet::Said;

impl Model {
    /// The broker has written a packet.
    pub fn said(&mut self, line: usize, said: &Said) {
        self.tick();
        assert!(!self.lines[line].said_goodbye, "{said:?} after DISCONNECT");
        match said {
            Said::Connack { present, code } => {
                if let Some(refused) = self.lines[line].refused {
                    assert_eq!((*code, *present), (refused, false), "a CONNACK that refuses");
                    self.lines[line].said_goodbye = true;
                    return;
                }
                assert_eq!(*code, 0, "CONNACK with a failure");
                let owed = self.lines[line].connack.take().expect("a CONNACK nobody asked for");
                assert_eq!(*present, owed, "Session Present [MQTT-3.2.2-2], [MQTT-3.2.2-3]");
            }
            Said::Publish(delivery) => self.delivered(line, delivery),
            Said::Puback { id, code } => self.check_ack(line, 0x40, *id, *code),
            Said::Pubrec { id, code } => self.check_ack(line, 0x50, *id, *code),
            Said::Pubrel { id, code } => self.check_pubrel(line, *id, *code),
            Said::Pubcomp { id, code } => self.check_answer(line, 0x70, *id, code.as_slice()),
            Said::Suback { id, codes } => self.check_answer(line, 0x90, *id, codes),
            Said::Unsuback { id, codes } => {
                self.check_answer(line, 0xB0, *id, codes);
                self.unsubscribed(line);
            }
            Said::Pingresp => self.check_answer(line, 0xD0, 0, &[]),
            Said::Disconnect { reason } => {
                let state = &mut self.lines[line];
                assert!(state.goodbyes.contains(reason), "DISCONNECT with {reason:#04x}");
                state.said_goodbye = true;
            }
        }
    }

    fn check_ack(&mut self, line: usize, first: u8, id: u16, code: Option<u8>) {
        let owed = self.lines[line].acks.pop_front();
        self.check_owed(line, owed, first, id, code.as_slice());
    }

    fn check_answer(&mut self, line: usize, first: u8, id: u16, codes: &[u8]) {
        let owed = self.lines[line].answers.pop_front();
        self.check_owed(line, owed, first, id, codes);
    }

    /// Retained Messages that the SUBSCRIBE had asked for end with UNSUBACK [MQTT-3.10.4-2].
    fn unsubscribed(&mut self, line: usize) {
        let state = &mut self.lines[line];
        let Some((at, filters)) = state.unsubscribed.pop_front() else { return };
        let Some(own) = state.session else { return };
        for claim in &mut self.sessions[own].claims {
            claim.closed |= claim.from < at && filters.contains(&claim.filter);
        }
    }

    fn check_owed(&self, line: usize, owed: Option<Owed>, first: u8, id: u16, codes: &[u8]) {
        let owed = owed.unwrap_or_else(|| panic!("{first:#04x} {id}: nothing is owed"));
        let level = self.lines[line].spec.as_ref().map_or(5, |spec| spec.level);
        let codes_count = match (level, first) {
            (5, 0xB0) | (_, 0x90) | (5, _) => true,
            _ => false, // Version 3 has none there.
        };
        let wanted = if codes_count { owed.codes.as_slice() } else { &[] };
        assert!(
            owed.first == first && owed.id == id && codes == wanted,
            "{first:#04x} {id} {codes:?} was said, {owed:?} is owed"
        );
    }

    /// PUBREL answers a PUBREC, or is sent again on a new connection [MQTT-4.4.0-1].
    fn check_pubrel(&mut self, line: usize, id: u16, code: Option<u8>) {
        let own = self.lines[line].session.expect("PUBREL before CONNACK");
        if self.lines[line].bound && self.sessions[own].resend.contains(&id) {
            self.skip_too_large(own, Some(id));
        }
        let session = &mut self.sessions[own];
        let again = self.lines[line].bound
            && session.resend.front() == Some(&id)
            && session.exchanges.iter().any(|one| one.id == id && one.released);
        // What is sent again may have been written before the answer to a PUBREC that came since.
        let next = self.lines[line].answers.front();
        let answers = next.is_some_and(|owed| owed.first == 0x62 && (owed.id == id || !again));
        if again && !answers {
            session.resend.pop_front();
            return;
        }
        if !self.lines[line].bound && !answers {
            return; // Sent again just before the session was taken over.
        }
        self.check_answer(line, 0x62, id, code.as_slice());
    }

    /// The broker is at rest and this connection's output is written: every answer was said.
    pub fn check_answered(&self, line: usize) {
        let state = &self.lines[line];
        assert!(state.connack.is_none(), "CONNACK is missing");
        assert!(state.acks.is_empty(), "not acknowledged: {:?}", state.acks);
        assert!(state.answers.is_empty(), "not answered: {:?}", state.answers);
    }
}

//! Memory inside its bounds: after each turn the broker may hold no more than what its options and
//! the model know of what it has to hold.

use crate::run::Run;

/// Unsent output above which a replay of Retained Messages waits.
const REPLAY_OUTPUT: usize = 64 * 1024;
/// Answers of a few bytes that may still come for a connection that is not read any more: those
/// that wait for another shard, and DISCONNECT.
const LATE_ANSWERS: usize = 300;

impl Run {
    /// Connections of a shard that take no more, with what they have unsent.
    pub fn blocked_output(&mut self, shard: usize) -> Vec<(usize, usize)> {
        let lines = 0..self.lines.len();
        let blocked = lines.filter(|line| {
            self.world.sockets[*line].shard == shard && self.world.is_blocked(*line)
        });
        let blocked: Vec<usize> = blocked.collect();
        blocked.into_iter().map(|line| (line, self.world.pending(line))).collect()
    }

    /// A turn of `shard` is over; `blocked` is what its connections had before it that
    /// have taken nothing meanwhile.
    pub fn check_memory(&mut self, shard: usize, blocked: &[(usize, usize)]) {
        self.check_queues();
        self.check_input();
        for (line, before) in blocked {
            if self.world.sockets[*line].shard == shard && self.world.is_blocked(*line) {
                self.check_output(*line, *before);
            }
        }
    }

    /// Each queue holds no more than its limits, and nothing that nobody is owed.
    fn check_queues(&self) {
        let limits = &self.plan.config.session;
        let (mut messages, mut bytes) = (0, 0);
        for own in self.model.current.values() {
            let most = &self.model.sessions[*own].backlog;
            messages += (most.messages.max(0) as u64).min(limits.queued_messages);
            bytes += (most.bytes.max(0) as u64).min(limits.queued_bytes);
        }
        let held = self.world.gauge(|one| one.queued_messages.get());
        assert!(
            (0..=messages as i64).contains(&held),
            "{held} messages wait, where {messages} may"
        );
        let held = self.world.gauge(|one| one.queued_bytes.get());
        assert!((0..=bytes as i64).contains(&held), "{held} bytes wait, where {bytes} may");
    }

    /// Input is held only while a packet is not whole or not handled: that packet and one read,
    /// in a buffer that grows by doubling.
    fn check_input(&self) {
        let read = self.plan.config.turn.read_bytes;
        let open = self.lines.iter().zip(&self.world.sockets).filter(|(_, end)| !end.closed);
        let unhandled = open.filter(|(line, end)| end.read > line.handled);
        let most: usize =
            unhandled.map(|(line, end)| 2 * (line.largest + read.min(end.read)) + 8).sum();
        let held = self.world.gauge(|one| one.input_bytes.get());
        assert!(held >= 0 && held as usize <= most, "{held} bytes of input are held, not {most}");
    }

    /// What a connection that takes nothing has unsent grows by one packet at most beyond the
    /// limits, then by nothing but a few late answers.
    fn check_output(&mut self, line: usize, before: usize) {
        let config = &self.plan.config;
        let limits = config.turn.output_high_water.max(config.session.qos0_buffer_bytes as usize);
        let claims = self.model.lines[line].session.is_some_and(|own| {
            // A replay goes on when its session is resumed.
            self.model.sessions[own].claims.iter().any(|claim| !claim.closed)
        });
        let limits = if claims { limits.max(REPLAY_OUTPUT) } else { limits };
        let largest = self.model.publications.iter().map(|one| one.cost()).max().unwrap_or(0);
        // Each packet is answered with fewer bytes than it has, or with a few more.
        let answers = 2 * config.turn.read_bytes + largest;
        let most = if before > limits { before } else { limits + largest + answers };
        let pending = self.world.pending(line);
        assert!(
            pending <= most + LATE_ANSWERS,
            "connection {line} has {pending} bytes unsent, {before} before, where {most} may be"
        );
    }
}

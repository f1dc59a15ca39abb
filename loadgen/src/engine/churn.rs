//! What a thread does when clients come and go on purpose: churn, storms, takeovers.

use crate::client::{Client, Stage};

use super::control::Phase;
use super::course::{self, Course};
use super::seat::Seat;
use super::worker::Worker;

/// How long a broker may take to close a connection that another one took over. It does so before
/// it answers the new one [MQTT-3.1.4-3]; a choice, far above what a busy machine delays.
const CLOSING_NS: u64 = 1_000_000_000;

impl Worker {
    pub(super) fn follow_courses(&mut self) {
        if self.order.phase() != Phase::Run || self.courses.is_empty() {
            return;
        }
        let start = self.control.run_start_ns();
        let Some(since) = self.now.checked_sub(start) else { return };
        if since >= self.control.run_length_ns() {
            return;
        }
        let mut due = Vec::new();
        for course in &mut self.courses {
            loop {
                let events = course.due(since);
                if events.is_empty() {
                    break;
                }
                due.extend(events);
            }
        }
        for event in due {
            match event {
                course::Event::Leave { seat, clean, back_ns } => {
                    self.leave(seat, clean, start + back_ns);
                }
                course::Event::TakeOver { seats } => self.take_over(seats),
            }
        }
    }

    /// A client leaves on purpose, if it is connected, and comes back.
    fn leave(&mut self, seat: usize, clean: bool, back_ns: u64) {
        let Seat { client, link: Some(link), .. } = &mut self.seats[seat] else { return };
        if client.stage() != Stage::Ready {
            return;
        }
        if clean {
            let version = self.kinds[usize::from(client.group)].group.version;
            client.disconnect(version, &mut link.out);
            // The connection ends here either way.
            let _ = link.flush();
        }
        self.drop_link(seat);
        self.opener.come_back(seat, back_ns);
    }

    /// The seat that has no connection opens one; the broker then closes the other's. If both have
    /// one still, it has not, and the older is given up, so that takeovers go on.
    fn take_over(&mut self, seats: [usize; 2]) {
        let idle = seats.iter().find(|&&seat| self.seats[seat].link.is_none());
        if let Some(&seat) = idle {
            self.opener.come_back(seat, self.now);
        } else if let Some(older) = self.left_open(seats) {
            self.count_left_open();
            self.drop_link(older);
        }
    }

    /// The older of two connections with the same ClientId that both stand, although the broker has
    /// had time to close it.
    fn left_open(&self, seats: [usize; 2]) -> Option<usize> {
        let clients = seats.map(|seat| &self.seats[seat].client);
        let stand = |client: &&Client| matches!(client.stage(), Stage::Ready | Stage::AwaitSuback);
        if !clients.iter().all(stand) {
            return None;
        }
        let since = clients.map(Client::since_ns);
        let judged = since[0].max(since[1]) + CLOSING_NS <= self.now;
        judged.then_some(seats[usize::from(since[1] < since[0])])
    }

    fn count_left_open(&mut self) {
        self.recorder.counts.left_open += 1;
        self.recorder.complain("left open after another one took over".to_owned());
    }

    /// Counts the connections that the broker should have closed, when the run is over.
    pub(super) fn report_left_open(&mut self) {
        let pairs: Vec<_> = self.courses.iter().flat_map(Course::pairs).collect();
        for seats in pairs {
            if self.left_open(seats).is_some() {
                self.count_left_open();
            }
        }
    }
}

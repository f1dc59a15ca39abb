//! Reading and publishing: what a thread does for each message.

use crate::client::{Context, Due, Ended, Publisher, Stage};
use crate::clock::now_ns;
use crate::result::LatencyKind;

use super::control::Phase;
use super::link::{Link, LinkState, Received};
use super::seat::Seat;
use super::slow;
use super::worker::{Worker, mark_dirty};

/// How often publishers are checked for stalls.
const CHECK_NS: u64 = 250_000_000;

impl Worker {
    pub(super) fn read_again(&mut self) {
        for seat in std::mem::take(&mut self.again) {
            self.read(seat, false);
        }
        for seat in self.slow.take(self.now) {
            self.seats[seat].slow = false;
            self.read_slowly(seat);
        }
    }

    /// Reads once, or until the end shows if the peer may have closed.
    pub(super) fn read(&mut self, seat: usize, to_the_end: bool) {
        if !to_the_end && self.is_slow(seat) {
            return self.read_slowly(seat);
        }
        loop {
            match self.read_once(seat, usize::MAX) {
                Ok(Received::Bytes { drained: true, .. }) if !to_the_end => return,
                Ok(Received::Bytes { .. }) if to_the_end => {}
                Ok(Received::Bytes { .. }) => return self.again.push(seat),
                Ok(Received::Nothing) => return,
                Ok(Received::Closed) => return self.lose(seat, "closed by the broker", false),
                Err(ended) => return self.lose(seat, &ended.why, ended.taken_over),
            }
        }
    }

    /// Whether the client is of a group that reads slowly, and done with its handshake.
    fn is_slow(&self, seat: usize) -> bool {
        let client = &self.seats[seat].client;
        let group = &self.kinds[usize::from(client.group)].group;
        group.read_rate.is_some() && client.stage() == Stage::Ready
    }

    /// Reads as much as the group's rate allows in a tick; the rest waits for the next.
    fn read_slowly(&mut self, seat: usize) {
        let group = usize::from(self.seats[seat].client.group);
        let rate = self.kinds[group].group.read_rate.unwrap_or(0);
        if rate == 0 || self.seats[seat].slow {
            return;
        }
        match self.read_once(seat, slow::budget(rate).max(1)) {
            Ok(Received::Bytes { .. }) => {
                self.seats[seat].slow = true;
                self.slow.push(seat, self.now);
            }
            Ok(Received::Nothing) => {}
            Ok(Received::Closed) => self.lose(seat, "closed by the broker", false),
            Err(ended) => self.lose(seat, &ended.why, ended.taken_over),
        }
    }

    fn read_once(&mut self, index: usize, most: usize) -> Result<Received, Ended> {
        let Seat { client, link, .. } = &mut self.seats[index];
        let Some(link) = link.as_mut().filter(|link| link.state == LinkState::Up) else {
            return Ok(Received::Nothing);
        };
        let end = link.kept().saturating_add(most).min(self.buffer.len());
        let received = link
            .receive(&mut self.buffer[..end])
            .map_err(|error| Ended::because(error.to_string()))?;
        let Received::Bytes { len, .. } = received else { return Ok(received) };
        let Self { buffer, recorder, board, ready, wake, dirty, homes, .. } = self;
        let (thread, closed_loop) = (self.thread, self.closed_loop);
        let mut progress = |first: u32| {
            let Some(home) = homes.get(first as usize).filter(|_| closed_loop) else { return };
            if home.thread == thread {
                ready.push(home.seat);
            } else {
                wake[home.thread] = true;
            }
        };
        let mut context = Context {
            board,
            recorder,
            now_ns: now_ns(),
            record_from: self.window.0,
            record_until: self.window.1,
            progress: &mut progress,
            clock: self.foreign_clocks.then_some((&*self.plan.flows, self.plan.share)),
        };
        let group = usize::from(client.group);
        let expected = self.plan.expectations.for_client(group, client.client);
        let ours = crate::client::Ours { kind: &self.kinds[group], expected };
        let waited = context.now_ns.saturating_sub(self.now);
        let in_window = self.now >= self.window.0 && self.now < self.window.1;
        context.recorder.record(LatencyKind::ReceiveLag, waited, in_window);
        let before = client.stage();
        let used = client.receive(&buffer[..len], ours, &mut context, &mut link.out)?;
        link.keep(&buffer[used..len]);
        if !link.out.is_empty() {
            mark_dirty(link, index, dirty);
        }
        if client.publisher.is_some() {
            ready.push(index);
        }
        if before == Stage::AwaitConnack && client.stage() != before {
            self.connected(index);
        }
        Ok(received)
    }

    /// In a closed loop, now and then looks for publishers that wait in vain.
    pub(super) fn check_stalls(&mut self) {
        let idle = self.order.phase() != Phase::Run || !self.closed_loop;
        if idle || self.now < self.next_check {
            return;
        }
        self.next_check = self.now + CHECK_NS;
        for index in 0..self.publishers.len() {
            let seat = self.publishers[index];
            self.with_publisher(seat, |publisher, context, _| {
                publisher.check_stall(context.now_ns, context);
            });
            self.ready.push(seat);
        }
    }

    /// In an open loop, finds the publishers that are due and how late that was noticed.
    pub(super) fn schedule(&mut self) {
        if self.order.phase() != Phase::Run {
            return;
        }
        let (start, length) = (self.control.run_start_ns(), self.control.run_length_ns());
        let Some(since) = self.now.checked_sub(start) else { return };
        for pacer in &mut self.pacers {
            while let Some((seat, due)) = pacer.pop_due(since, length) {
                self.recorder.totals.due += 1;
                let in_window = (self.window.0..self.window.1).contains(&(start + due));
                self.recorder.record(LatencyKind::ScheduleLag, since - due, in_window);
                if self.ready.last() != Some(&seat) {
                    self.ready.push(seat);
                }
            }
        }
    }

    /// Lets publishers that may have room write, one write for each batch.
    pub(super) fn pump(&mut self) {
        if self.order.phase() == Phase::Run && self.now < self.control.run_start_ns() {
            return;
        }
        let mut ready = std::mem::take(&mut self.ready);
        if self.order.phase() == Phase::Run {
            for &seat in &ready {
                while self.write_batch(seat) {}
            }
        }
        ready.clear();
        ready.append(&mut self.ready);
        self.ready = ready;
    }

    fn write_batch(&mut self, seat: usize) -> bool {
        let (start, length) = (self.control.run_start_ns(), self.control.run_length_ns());
        let now = now_ns();
        let Some(since) = now.checked_sub(start) else { return false };
        let wrote = self.with_publisher(seat, |publisher, context, link| {
            let Due::Now(due) = publisher.due(since, length) else { return None };
            if !publisher.write_batch(start + due, now, context, &mut link.out) {
                return None;
            }
            context.recorder.totals.written += u64::from(publisher.is_scheduled());
            Some(link.flush().map(|()| !link.wants_write()))
        });
        match wrote.flatten() {
            None => false,
            Some(Ok(all)) => all,
            Some(Err(error)) => {
                self.lose(seat, &error.to_string(), false);
                false
            }
        }
    }

    /// Calls `act` with a publisher that is connected.
    fn with_publisher<T>(
        &mut self,
        seat: usize,
        act: impl FnOnce(&mut Publisher, &mut Context<'_>, &mut Link) -> T,
    ) -> Option<T> {
        let Seat { client, link: Some(link), .. } = &mut self.seats[seat] else { return None };
        if client.stage() != Stage::Ready {
            return None;
        }
        let publisher = client.publisher.as_mut()?;
        let mut context = Context {
            board: &self.board,
            recorder: &mut self.recorder,
            now_ns: self.now,
            record_from: self.window.0,
            record_until: self.window.1,
            progress: &mut |_| {},
            clock: None,
        };
        Some(act(publisher, &mut context, link))
    }

    pub(super) fn wake_others(&mut self) {
        for (thread, wake) in self.wake.iter_mut().enumerate() {
            if std::mem::take(wake) {
                self.control.wake(thread);
            }
        }
    }
}

//! The thread that writes.

use std::io;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam::channel::{Receiver, Sender, at, never, select};

use super::dest::Dest;
use super::layer::Lost;
use super::limit::{KeptBack, Limiter};
use super::line::Style;
use super::record::{Record, Said};
use crate::config::LogType;
use crate::sync::Arc;
use crate::util::{SetAside, give_back_heap_end};

/// Publishes a line on a topic; never waits.
pub type Publish = Arc<dyn Fn(&'static str, &str) + Send + Sync>;

/// Lines published on topics in a second: each is a message to every subscriber, and a line about
/// such a message must not cause a flood of the next ones.
const TOPIC_LINES: u32 = 500;

/// What the writer is told beside lines.
pub(super) enum Order {
    /// Write these ways and there.
    Install(Style, Vec<Dest>),
    /// Open files anew.
    Reopen,
    /// Topics can be published on.
    Attach(Publish),
    /// Give away the free memory that is set aside for the thread.
    HandOver(mpsc::Sender<SetAside>),
    /// Give back the end of the thread's heap.
    GiveBack,
    /// Write what waits and end.
    End,
}

/// The thread's state.
pub(super) struct Writer {
    lines: Receiver<Record>,
    orders: Receiver<Order>,
    style: Style,
    dests: Vec<Dest>,
    lost: Lost,
    publish: Option<Publish>,
    limiter: Limiter,
    topics: Bucket,
    /// Dropped with the rest when the thread has ended, which is what [`Order::End`] waits for.
    _ended: Sender<()>,
}

impl Writer {
    pub(super) fn new(
        lines: Receiver<Record>,
        orders: Receiver<Order>,
        (style, dests): (Style, Vec<Dest>),
        lost: Lost,
        ended: Sender<()>,
    ) -> Self {
        let topics = Bucket { left: TOPIC_LINES, since: Instant::now() };
        let (publish, limiter) = (None, Limiter::default());
        Self { lines, orders, style, dests, lost, publish, limiter, topics, _ended: ended }
    }

    /// Writes until told to end.
    pub(super) fn run(mut self) {
        while self.step() {
            self.sum_up(Instant::now());
        }
        while let Ok(record) = self.lines.try_recv() {
            self.take(record);
        }
        self.sum_up(Instant::now() + Duration::from_secs(3600));
    }

    /// Waits for one thing and does it. False at the end.
    fn step(&mut self) -> bool {
        let deadline = self.limiter.deadline().map_or_else(never, at);
        select! {
            recv(self.orders) -> order => order.is_ok_and(|order| self.obey(order)),
            recv(self.lines) -> record => {
                // What was ordered before the line was said holds for it.
                let mut go_on = true;
                while let Ok(order) = self.orders.try_recv() {
                    go_on &= self.obey(order);
                }
                match record {
                    Ok(record) => self.take(record),
                    Err(_) => return false,
                }
                go_on
            },
            recv(deadline) -> _ => true,
        }
    }

    /// False for the order to end.
    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Install(style, dests) => {
                self.style = style;
                self.dests = dests;
            }
            Order::Reopen => {
                let failed: Vec<_> =
                    self.dests.iter_mut().filter_map(|dest| dest.reopen().err()).collect();
                for error in failed {
                    let text = format!("The log file stays open as it is: {error}.");
                    self.say(LogType::Warning, text);
                }
            }
            Order::Attach(publish) => self.publish = Some(publish),
            Order::HandOver(to) => {
                // Whoever wanted it may have ended.
                let _ = to.send(SetAside::take());
            }
            Order::GiveBack => give_back_heap_end(),
            Order::End => return false,
        }
        true
    }

    fn take(&mut self, record: Record) {
        let admitted = match &record.said.like {
            Some(like) => self.limiter.admit(like, Instant::now()),
            None => true,
        };
        if admitted {
            self.write(record);
        }
    }

    /// One line for each name of which lines were kept back, once its time is over.
    fn sum_up(&mut self, now: Instant) {
        if self.limiter.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        for KeptBack { like, lines } in self.limiter.close(now) {
            self.say(
                LogType::Notice,
                format!("{lines} more lines like these were kept back: {like}."),
            );
        }
    }

    fn say(&mut self, kind: LogType, message: String) {
        self.write(Record { at: SystemTime::now(), kind, said: Said::plain(message) });
    }

    fn write(&mut self, record: Record) {
        let (kind, time) = (record.kind, record.at);
        let line = self.style.line(record);
        for dest in &mut self.dests {
            let written = match dest {
                Dest::Topic => publish(self.publish.as_ref(), &mut self.topics, kind, &line),
                dest => dest.write(kind, &line, time),
            };
            if written.is_err() {
                self.lost.add(1);
            }
        }
    }
}

/// Publishes a line on its topic, if it has one and the second has room for it.
fn publish(
    publish: Option<&Publish>,
    bucket: &mut Bucket,
    kind: LogType,
    line: &str,
) -> io::Result<()> {
    let (Some(publish), Some(topic)) = (publish, topic(kind)) else { return Ok(()) };
    if !bucket.take(Instant::now()) {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    publish(topic, line);
    Ok(())
}

/// The topic of a kind. Debug lines have none: each message published would cause others.
fn topic(kind: LogType) -> Option<&'static str> {
    Some(match kind {
        LogType::Error => "$SYS/broker/log/E",
        LogType::Warning => "$SYS/broker/log/W",
        LogType::Notice => "$SYS/broker/log/N",
        LogType::Information => "$SYS/broker/log/I",
        LogType::Subscribe => "$SYS/broker/log/M/subscribe",
        LogType::Unsubscribe => "$SYS/broker/log/M/unsubscribe",
        LogType::Websockets => "$SYS/broker/log/WS",
        LogType::Debug | LogType::Internal => return None,
    })
}

/// Room for [`TOPIC_LINES`] in each second.
struct Bucket {
    left: u32,
    since: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self { left: TOPIC_LINES, since: now };
        }
        let room = self.left > 0;
        self.left -= u32::from(room);
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many_lines_on_topics() {
        let now = Instant::now();
        let mut bucket = Bucket { left: TOPIC_LINES, since: now };
        assert_eq!((0..2 * TOPIC_LINES).filter(|_| bucket.take(now)).count(), 500);
        assert!(bucket.take(now + Duration::from_secs(1)));
    }

    #[test]
    fn debug_lines_have_no_topic() {
        assert_eq!(topic(LogType::Debug), None);
        assert_eq!(topic(LogType::Internal), None);
        assert_eq!(topic(LogType::Subscribe), Some("$SYS/broker/log/M/subscribe"));
    }
}

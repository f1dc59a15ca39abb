//! The actor that keeps the topics up to date.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::prelude::*;

use crate::control::Estate;
use crate::protocol::{Message as MqttMessage, MessageInit, QoS};

/// The actor. What it must not lose is in the [`Estate`].
pub struct Announcer {
    estate: Rc<Estate>,
    /// The timer of the next time.
    next: Option<SpawnHandle>,
}

/// The interval may have changed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reschedule;

impl Announcer {
    /// An announcer that goes on from what the estate says was said last.
    pub fn new(estate: Rc<Estate>) -> Self {
        Self { estate, next: None }
    }

    fn schedule(&mut self, context: &mut Context<Self>) {
        if let Some(timer) = self.next.take() {
            context.cancel_future(timer);
        }
        let interval_s = interval_s(&self.estate);
        if interval_s == 0 {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.next = Some(context.run_later(until_next(now, interval_s), |announcer, context| {
            announce(&announcer.estate);
            announcer.schedule(context);
        }));
    }
}

/// Brings every topic up to date, unless there are to be none. Called before the first client can
/// ask for them, and then at each interval.
pub fn announce(estate: &Estate) {
    if interval_s(estate) == 0 {
        return;
    }
    let snapshot = estate.plane.snapshot();
    let changed = estate.sys.borrow_mut().update(estate.started.elapsed(), &snapshot);
    estate.plane.publish(changed.iter().map(message).collect());
}

fn interval_s(estate: &Estate) -> u64 {
    estate.config.borrow().process.sys_interval.unsigned_abs()
}

/// From `now`, since 1970, to the next multiple of the interval. One that is close is passed over:
/// a timer that fires a moment early must not make two of one.
fn until_next(now: Duration, interval_s: u64) -> Duration {
    let interval = Duration::from_secs(interval_s);
    let into = Duration::from_nanos((now.as_nanos() % interval.as_nanos()) as u64);
    let left = interval - into;
    if left < Duration::from_millis(50) { left + interval } else { left }
}

fn message((topic, payload): &(String, String)) -> MqttMessage {
    MqttMessage::new(MessageInit {
        topic,
        payload: payload.as_bytes(),
        qos: QoS::ExactlyOnce,
        retain: true,
        ..MessageInit::default()
    })
}

impl Actor for Announcer {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.schedule(context);
    }
}

impl Handler<Reschedule> for Announcer {
    type Result = ();

    fn handle(&mut self, _: Reschedule, context: &mut Self::Context) {
        self.schedule(context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_on_multiples_of_the_interval() {
        let ms = Duration::from_millis;
        assert_eq!(until_next(ms(1_700_000_003_250), 10), ms(6_750));
        assert_eq!(until_next(ms(1_700_000_000_000), 10), ms(10_000));
        assert_eq!(until_next(ms(1_700_000_009_990), 10), ms(10_010), "just before: the next one");
        assert_eq!(until_next(ms(1_700_000_000_900), 1), ms(100));
    }
}

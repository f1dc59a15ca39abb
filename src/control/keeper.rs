//! Keeping an actor alive.
//!
//! actix drops an actor that panics and says nothing: its address just stops answering. So a kept
//! actor's future is polled here, where the panic is caught and the actor made anew.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use actix::clock::{Instant, sleep};
use actix::{Actor, Addr, Context};

/// Pauses between restarts: doubling while the actor keeps dying, short again once it has lived.
#[derive(Clone, Copy, Debug)]
struct BackOff {
    next: Duration,
}

impl BackOff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(10);
    /// A life at least this long counts as recovered.
    const RECOVERED: Duration = Duration::from_secs(60);

    fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// The pause after a life of this length.
    fn pause(&mut self, lived: Duration) -> Duration {
        if lived >= Self::RECOVERED {
            self.next = Self::FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(Self::LONGEST);
        pause
    }
}

/// Runs the actor that `make` makes until it stops of its own accord, making it anew whenever it
/// panics. `started` gets the address of each. Dropping the future ends the actor.
pub async fn keep<A>(name: &'static str, make: impl Fn() -> A, started: impl Fn(Addr<A>))
where
    A: Actor<Context = Context<A>>,
{
    let mut back_off = BackOff::new();
    loop {
        let since = Instant::now();
        let life = Context::new().into_future(make());
        started(life.address());
        let Err(panic) = until_end(Box::pin(life)).await else { return };
        let pause = back_off.pause(since.elapsed());
        tracing::error!(
            "The {name} has failed: {}. It is restarted in {} ms.",
            words(panic.as_ref()),
            pause.as_millis()
        );
        sleep(pause).await;
    }
}

/// Polls `life` to its end; a panic ends it too, and is returned.
async fn until_end<F: Future>(mut life: Pin<Box<F>>) -> Result<(), Box<dyn Any + Send>> {
    let end = poll_fn(|context| {
        // What a panic leaves of the actor is only dropped, so nobody sees it half changed.
        match catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(context))) {
            Ok(polled) => polled.map(|_| Ok(())),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await;
    // An actor's future is polled once more when dropped, which may panic again.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(life)));
    end.and(dropped)
}

/// What a panic with this payload said.
pub fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use actix::prelude::*;

    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_recover() {
        let mut back_off = BackOff::new();
        let short = Duration::from_millis(1);
        let pauses: Vec<_> = (0..9).map(|_| back_off.pause(short).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(back_off.pause(BackOff::RECOVERED), BackOff::FIRST);
        assert_eq!(back_off.pause(short), BackOff::FIRST * 2);
    }

    /// Panics in its first life; stops itself in its second.
    struct Frail {
        lives: Rc<Cell<u32>>,
    }

    impl Actor for Frail {
        type Context = Context<Self>;

        fn started(&mut self, context: &mut Self::Context) {
            self.lives.set(self.lives.get() + 1);
            match self.lives.get() {
                1 => context.notify(Die),
                _ => context.stop(),
            }
        }

        /// Called too when what the panic left is dropped.
        fn stopping(&mut self, _: &mut Self::Context) -> Running {
            assert_ne!(self.lives.get(), 1, "again");
            Running::Stop
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Die;

    impl Handler<Die> for Frail {
        type Result = ();

        fn handle(&mut self, _: Die, _: &mut Self::Context) {
            panic!("on purpose");
        }
    }

    #[test]
    fn an_actor_that_panics_lives_again_and_one_that_stops_does_not() {
        let lives = Rc::new(Cell::new(0));
        let addresses = Cell::new(0);
        let make = || Frail { lives: Rc::clone(&lives) };
        System::new()
            .block_on(keep("frail", make, |_: Addr<Frail>| addresses.set(addresses.get() + 1)));
        assert_eq!(lives.get(), 2);
        assert_eq!(addresses.get(), 2);
    }

    #[test]
    fn the_words_of_a_panic_are_found() {
        assert_eq!(words(&"plain"), "plain");
        assert_eq!(words(&String::from("made")), "made");
        assert_eq!(words(&7), "no reason given");
    }
}

//! Signals as messages to the supervisor.

use actix::prelude::*;
use actix_rt::signal::unix::{Signal, SignalKind, signal};

use super::supervisor::{Reload, Stop, Supervisor};

/// What a signal asks for.
#[derive(Clone, Copy)]
enum Meaning {
    Stop,
    Reload,
}

const SIGNALS: [(fn() -> SignalKind, Meaning); 3] = [
    (SignalKind::terminate, Meaning::Stop),
    (SignalKind::interrupt, Meaning::Stop),
    (SignalKind::hangup, Meaning::Reload),
];

/// The actor: SIGTERM and SIGINT stop the broker, SIGHUP reloads its configuration.
pub struct Signals {
    supervisor: Addr<Supervisor>,
}

impl Signals {
    /// Signals for this supervisor.
    pub fn new(supervisor: Addr<Supervisor>) -> Self {
        Self { supervisor }
    }
}

impl Actor for Signals {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        for (kind, meaning) in SIGNALS {
            match signal(kind()) {
                Ok(signal) => {
                    let forward = forward(signal, meaning, self.supervisor.clone());
                    context.spawn(forward.into_actor(self));
                }
                Err(error) => tracing::error!("A signal cannot be watched for: {error}"),
            }
        }
    }
}

async fn forward(mut signal: Signal, meaning: Meaning, supervisor: Addr<Supervisor>) {
    while signal.recv().await.is_some() {
        match meaning {
            Meaning::Stop => supervisor.do_send(Stop),
            Meaning::Reload => supervisor.do_send(Reload),
        }
    }
}

//! Signals as messages to the supervisor.

use actix::prelude::*;
use actix_rt::signal::unix::{Signal, SignalKind, signal};

use super::supervisor::{Reload, ReopenLog, Stop, Supervisor};

/// What a signal asks for.
#[derive(Clone, Copy)]
enum Meaning {
    Stop,
    Reload,
    ReopenLog,
}

const SIGNALS: [(fn() -> SignalKind, Meaning); 4] = [
    (SignalKind::terminate, Meaning::Stop),
    (SignalKind::interrupt, Meaning::Stop),
    (SignalKind::hangup, Meaning::Reload),
    (rotation, Meaning::ReopenLog),
];

/// SIGRTMIN, which Mosquitto takes to open its log file anew.
fn rotation() -> SignalKind {
    SignalKind::from_raw(nix::libc::SIGRTMIN())
}

/// The actor: SIGTERM and SIGINT stop the broker, SIGHUP reloads its configuration, SIGRTMIN opens
/// its log file anew.
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
            Meaning::ReopenLog => supervisor.do_send(ReopenLog),
        }
    }
}

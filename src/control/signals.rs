//! Signals as messages to the supervisor.

use actix::prelude::*;
use actix_rt::signal::unix::{Signal, SignalKind, signal};

use super::supervisor::{Describe, Reload, ReopenLog, Stop, Supervisor};

/// What a signal asks for.
#[derive(Clone, Copy)]
enum Meaning {
    Stop,
    Reload,
    ReopenLog,
    Save,
    Describe,
}

const SIGNALS: [(fn() -> SignalKind, Meaning); 6] = [
    (SignalKind::terminate, Meaning::Stop),
    (SignalKind::interrupt, Meaning::Stop),
    (SignalKind::hangup, Meaning::Reload),
    (rotation, Meaning::ReopenLog),
    (SignalKind::user_defined1, Meaning::Save),
    (SignalKind::user_defined2, Meaning::Describe),
];

/// SIGRTMIN, which Mosquitto takes to open its log file anew.
fn rotation() -> SignalKind {
    SignalKind::from_raw(nix::libc::SIGRTMIN())
}

/// The actor: SIGTERM and SIGINT stop the broker, SIGHUP reloads its configuration, SIGRTMIN opens
/// its log file anew, SIGUSR2 writes to the log what is subscribed and retained. SIGUSR1, which
/// saves Mosquitto's state, is answered in the log.
pub struct Signals {
    supervisor: Addr<Supervisor>,
    watched: Vec<(Signal, Meaning)>,
}

/// Signals that are watched for; they end the process no more.
pub struct Watched(Vec<(Signal, Meaning)>);

impl Watched {
    /// From now on none is missed.
    pub fn begin() -> Self {
        let watch = |(kind, meaning): (fn() -> SignalKind, Meaning)| match signal(kind()) {
            Ok(signal) => Some((signal, meaning)),
            Err(error) => {
                tracing::error!("A signal cannot be watched for: {error}");
                None
            }
        };
        Self(SIGNALS.into_iter().filter_map(watch).collect())
    }
}

impl Signals {
    /// Signals for this supervisor.
    pub fn new(supervisor: Addr<Supervisor>, watched: Watched) -> Self {
        Self { supervisor, watched: watched.0 }
    }
}

impl Actor for Signals {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        for (signal, meaning) in std::mem::take(&mut self.watched) {
            let forward = forward(signal, meaning, self.supervisor.clone());
            context.spawn(forward.into_actor(self));
        }
    }
}

async fn forward(mut signal: Signal, meaning: Meaning, supervisor: Addr<Supervisor>) {
    while signal.recv().await.is_some() {
        match meaning {
            Meaning::Stop => supervisor.do_send(Stop),
            Meaning::Reload => supervisor.do_send(Reload),
            Meaning::ReopenLog => supervisor.do_send(ReopenLog),
            Meaning::Save => tracing::warn!(
                "SIGUSR1 asks for state to be saved, but this version keeps it in memory only."
            ),
            Meaning::Describe => supervisor.do_send(Describe),
        }
    }
}

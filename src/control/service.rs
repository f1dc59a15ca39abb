//! What the service manager is told, if there is one: `Type=notify` of systemd.

use std::time::Duration;

use sd_notify::NotifyState;

/// The broker listens.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload has begun; [`ready`] ends it.
pub(super) fn reloading() {
    // systemd from 253 on takes a reload only with the time at which it began.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The broker has begun to end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The control plane is alive.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] has to be said: twice within the watchdog's time.
pub(super) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|within| within / 2)
}

fn tell(state: &[NotifyState<'_>]) {
    // Without a service manager this does nothing; one that cannot be reached will say so itself.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("The service manager was not told: {error}");
    }
}

//! Which kind of message an event is, and which kinds are written.

use std::sync::Arc;

use parking_lot::RwLock;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::config::{LogType, LogTypes};

/// What events of this crate have as target when they name no kind.
const OWN: &str = env!("CARGO_PKG_NAME");

/// The kind of an event; `None` for chatter of other crates.
pub(super) fn kind(event: &Metadata<'_>) -> Option<LogType> {
    if let Some(named) = LogType::named(event.target()) {
        return Some(named);
    }
    match *event.level() {
        Level::ERROR => Some(LogType::Error),
        Level::WARN => Some(LogType::Warning),
        _ if !event.target().starts_with(OWN) => None,
        Level::INFO => Some(LogType::Information),
        _ => Some(LogType::Debug),
    }
}

/// The kinds written, shared by the filter and the reload.
#[derive(Clone)]
pub(super) struct Kinds(Arc<RwLock<LogTypes>>);

impl Kinds {
    pub(super) fn new(types: LogTypes) -> Self {
        Self(Arc::new(RwLock::new(types)))
    }

    /// Changes the kinds and makes every place that logs ask again.
    pub(super) fn choose(&self, types: LogTypes) {
        *self.0.write() = types;
        tracing::callsite::rebuild_interest_cache();
    }
}

impl<S: Subscriber> Layer<S> for Kinds {
    // The default `register_callsite` remembers this answer as always or never.
    fn enabled(&self, event: &Metadata<'_>, _: Context<'_, S>) -> bool {
        kind(event).is_some_and(|kind| self.0.read().has(kind))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let types = *self.0.read();
        let detailed = [
            LogType::Debug,
            LogType::Subscribe,
            LogType::Unsubscribe,
            LogType::Websockets,
            LogType::Internal,
        ];
        match detailed.into_iter().any(|kind| types.has(kind)) {
            true => Some(LevelFilter::TRACE),
            false => Some(LevelFilter::INFO),
        }
    }
}

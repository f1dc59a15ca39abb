//! Reading certificates and all else that listeners need to be safe.

use std::cell::RefCell;
use std::sync::Arc;

use super::prepare::Prepare;
use crate::config::Mistakes;
use crate::shard::Settings;
use crate::transport::{KeyLog, Layers, Transports};

/// The step that prepares the listeners' transports.
#[derive(Debug, Default)]
pub struct Secure {
    key_log: KeyLog,
    /// What was prepared last. Whatever has not changed since is taken from it, so that sessions
    /// can still be resumed after a reload.
    last: RefCell<Transports>,
}

impl Secure {
    /// With TLS secrets written to that log.
    pub fn new(key_log: KeyLog) -> Self {
        Self { key_log, ..Self::default() }
    }
}

impl Prepare for Secure {
    fn prepare(&self, settings: &mut Settings) -> Result<Vec<String>, Mistakes> {
        let mut last = self.last.borrow_mut();
        let (mut prepared, mut mistakes) = (Vec::new(), Vec::new());
        for listener in &settings.runtime.listeners {
            let previous = last.find(listener.id).map(|layers| &**layers);
            match Layers::prepare(listener, &self.key_log, previous) {
                Ok(layers) => prepared.push(Arc::new(layers)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes));
        }
        *last = Transports::new(prepared);
        settings.transports = last.clone();
        Ok(Vec::new())
    }
}

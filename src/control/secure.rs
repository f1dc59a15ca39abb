//! Reading certificates and all else that listeners need to be safe.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::prepare::Prepare;
use super::secrets;
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
    /// What was said of the keys' files, so that it is said once and not at every reload.
    said: RefCell<BTreeSet<String>>,
}

impl Secure {
    /// With TLS secrets written to that log.
    pub fn new(key_log: KeyLog) -> Self {
        Self { key_log, ..Self::default() }
    }
}

impl Secure {
    /// What was not said before.
    fn news(&self, warnings: BTreeSet<String>) -> Vec<String> {
        let before = self.said.replace(warnings.clone());
        warnings.difference(&before).cloned().collect()
    }
}

/// What the operator should know about the files with private keys.
fn keys(settings: &Settings) -> BTreeSet<String> {
    let listeners = settings.runtime.listeners.iter();
    let pairs = listeners.filter_map(|one| one.tls.as_ref()).flat_map(|tls| &tls.certificates);
    pairs.filter_map(|pair| secrets::warning(&pair.keyfile)).collect()
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
        Ok(self.news(keys(settings)))
    }
}

//! What is in force: the configuration and what was made of the files that it names.

use crate::config::Runtime;
use crate::sync::Arc;

/// Replaced as a whole when the configuration is reloaded: a shard sees all of the old or all of
/// the new.
///
/// Whatever has to be read or checked for it is done before, in steps that may fail of the
/// control plane; putting it into force cannot.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration.
    pub runtime: Arc<Runtime>,
}

impl From<Runtime> for Settings {
    fn from(runtime: Runtime) -> Self {
        Self { runtime: Arc::new(runtime) }
    }
}

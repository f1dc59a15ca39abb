//! What is in force: the configuration and what was made of the files that it names.

use crate::auth::{Policies, Policy};
use crate::config::Runtime;
use crate::sync::Arc;
use crate::transport::Transports;

/// Replaced as a whole when the configuration is reloaded: a shard sees all of the old or all of
/// the new.
///
/// Whatever has to be read or checked for it is done before, in steps that may fail of the
/// control plane; putting it into force cannot.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration.
    pub runtime: Arc<Runtime>,
    /// Who may connect, and do what.
    pub policies: Arc<Policies>,
    /// What stands between the listeners' sockets and MQTT.
    pub transports: Transports,
}

impl From<Runtime> for Settings {
    /// Files that the configuration names are not read yet: a listener that has some lets nobody
    /// in.
    fn from(runtime: Runtime) -> Self {
        let zones = runtime.listeners.iter().map(|listener| {
            let security = &listener.security;
            let files = security.password_file.is_some() || security.acl_file.is_some();
            let policy = match files {
                true => Policy::closed(),
                false => Policy::open(security.allow_anonymous),
            };
            (listener.id, Arc::new(policy))
        });
        let policies = Arc::new(Policies::new(1, zones));
        let transports = Transports::default();
        Self { policies, transports, runtime: Arc::new(runtime) }
    }
}

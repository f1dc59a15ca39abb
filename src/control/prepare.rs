//! What has to be read and checked before a configuration can be put into force.

use std::sync::Arc;

use crate::config::{Mistakes, Runtime};
use crate::shard::Settings;

/// A step that makes a part of the [`Settings`] from what the configuration says: reads password
/// files, loads certificates. It changes nothing that is in force.
pub trait Prepare {
    /// Adds its part to `settings`, whose `runtime` is what is wanted. Returns what the operator
    /// should know, one sentence each, for whoever calls to say: at a start there is no log yet.
    ///
    /// # Errors
    /// What is wrong, with the file and the line; everything in force then stays.
    fn prepare(&self, settings: &mut Settings) -> Result<Vec<String>, Mistakes>;
}

/// The steps in their order.
pub type Steps = Vec<Box<dyn Prepare>>;

/// A configuration that can be put into force.
pub struct Checked {
    /// What the shards take.
    pub settings: Arc<Settings>,
    /// Sentences of the steps for the operator.
    pub warnings: Vec<String>,
}

/// Takes every step for `runtime`.
///
/// # Errors
/// The mistakes of all steps, so that the operator hears of them at once.
pub fn prepare(steps: &[Box<dyn Prepare>], runtime: Runtime) -> Result<Checked, Mistakes> {
    let mut settings = Settings::from(runtime);
    let (mut warnings, mut mistakes) = (Vec::new(), Vec::new());
    for step in steps {
        match step.prepare(&mut settings) {
            Ok(said) => warnings.extend(said),
            Err(found) => mistakes.extend(found.0),
        }
    }
    match mistakes.is_empty() {
        true => Ok(Checked { settings: Arc::new(settings), warnings }),
        false => Err(Mistakes(mistakes)),
    }
}

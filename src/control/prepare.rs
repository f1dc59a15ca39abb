//! What has to be read and checked before a configuration can be put into force.

use std::sync::Arc;

use crate::config::{Mistakes, Runtime};
use crate::shard::Settings;

/// A step that makes a part of the [`Settings`] from what the configuration says: reads password
/// files, loads certificates. It changes nothing that is in force.
pub trait Prepare {
    /// Adds its part to `settings`, whose `runtime` is what is wanted.
    ///
    /// # Errors
    /// What is wrong, with the file and the line; everything in force then stays.
    fn prepare(&self, settings: &mut Settings) -> Result<(), Mistakes>;
}

/// The steps in their order.
pub type Steps = Vec<Box<dyn Prepare>>;

/// Takes every step for `runtime`.
///
/// # Errors
/// The mistakes of all steps, so that the operator hears of them at once.
pub fn prepare(steps: &[Box<dyn Prepare>], runtime: Runtime) -> Result<Arc<Settings>, Mistakes> {
    let mut settings = Settings::from(runtime);
    let mut mistakes = Vec::new();
    for step in steps {
        if let Err(found) = step.prepare(&mut settings) {
            mistakes.extend(found.0);
        }
    }
    match mistakes.is_empty() {
        true => Ok(Arc::new(settings)),
        false => Err(Mistakes(mistakes)),
    }
}
